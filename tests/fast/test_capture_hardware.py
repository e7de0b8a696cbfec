"""Capturing the machine: the real one, and GPUs by a program that answers as nvidia-smi does."""

import getpass
import json
import os
import platform
from pathlib import Path

import pytest

from blockchaintracer.lab.capture import json_integer
from blockchaintracer.lab.capture.hardware import capture_hardware


def test_the_machine_is_told_and_nobody_on_it():
    found = capture_hardware()
    assert json.loads(json.dumps(found)) == found
    assert found["os"]["system"] == platform.system()
    assert found["os"]["kernel"] == os.uname().release
    assert found["architecture"] == os.uname().machine
    assert found["cpu"]["logical"] == os.cpu_count()
    assert found["cpu"]["model"]
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert found["memoryBytes"] == pytest.approx(pages, rel=0.01)
    assert not {"hostName", "userName"} & set(found)
    assert platform.node() not in json.dumps(found)


def test_names_are_told_by_choice_only():
    found = capture_hardware(host_name=True, user_name=True)
    assert (found["hostName"], found["userName"]) == (platform.node(), getpass.getuser())


def test_without_a_driver_there_is_no_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert capture_hardware()["gpus"] == []


@pytest.mark.parametrize(
    ("number", "told"),
    [(0, 0), (2**53 - 1, 2**53 - 1), (2**53, str(2**53)), (-(2**53), str(-(2**53))), (2**128, str(2**128))],
)
def test_integers_that_json_readers_round_are_text(number: int, told: int | str):
    assert json_integer(number) == told
