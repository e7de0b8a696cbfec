"""`verify ID | head` ended with 1 when the pipe closed, which says: not verified."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.node


@pytest.mark.parametrize("arguments", [["network", "list"], ["network", "list", "--json"]], ids=" ".join)
def test_a_closed_pipe_is_no_answer(tmp_path, arguments):
    """A shell that asks for the code of each part of a pipe learns that nobody read it."""
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "blockchaintracer", *arguments]
    environment = os.environ | {"BLOCKCHAINTRACER_HOME": str(tmp_path)}
    ended = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, env=environment, check=False)
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (141, b"")
