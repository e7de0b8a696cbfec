"""Some libraries raise Python's recursion limit: deep JSON of a stranger then ended the process that read it."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.node


def test_deep_nesting_is_refused_under_a_raised_limit(tmp_path: Path) -> None:
    (tmp_path / "deep.json").write_text("[" * 100_000)
    program = (
        "import sys; sys.setrecursionlimit(10**6)\n"
        "from blockchaintracer.core.plain_json import loads_shallow\n"
        "try:\n    loads_shallow(open(sys.argv[1], 'rb').read())\n"
        "except ValueError as error:\n    print(error)\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "deep.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, "nested deeper than 64" in done.stdout) == (0, True), done.stderr
