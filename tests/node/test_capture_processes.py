"""What is captured by asking a program."""

import os
from pathlib import Path

import pytest

from blockchaintracer.lab.capture.hardware import capture_hardware

ANSWERS = """#!/bin/sh
case "$1" in
--query-gpu=name,driver_version,memory.total) cat <<'END'
NVIDIA A100-SXM4-80GB, 550.54.15, 81920
NVIDIA Thing, rev B MIG 1g.5gb, 550.54.15, [N/A]
END
;;
*) cat <<'END'
+-----------------------------------------------------------------------------------------+
| NVIDIA-SMI 550.54.15              Driver Version: 550.54.15      CUDA Version: 12.4     |
END
;;
esac
"""


def program(folder: Path, text: str) -> None:
    (folder / "nvidia-smi").write_text(text)
    (folder / "nvidia-smi").chmod(0o755)


def test_gpus_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    program(tmp_path, ANSWERS)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert capture_hardware()["gpus"] == [
        {"name": "NVIDIA A100-SXM4-80GB", "driver": "550.54.15", "memoryBytes": 81920 << 20, "cuda": "12.4"},
        {"name": "NVIDIA Thing, rev B MIG 1g.5gb", "driver": "550.54.15", "memoryBytes": None, "cuda": "12.4"},
    ]


@pytest.mark.parametrize("text", ["#!/bin/sh\necho NVIDIA-SMI has failed; exit 9\n", "#!/no/such/interpreter\n"])
def test_a_driver_that_fails_is_no_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str):
    program(tmp_path, text)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert capture_hardware()["gpus"] == []
