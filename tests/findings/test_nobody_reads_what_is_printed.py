"""`verify ID | head` ended with 1 when the pipe closed, which says: not verified. So did a help text, Ctrl-C before the
verb began, and an answer that is written to a full disk."""

import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from blockchaintracer import cli

pytestmark = pytest.mark.node


ASKED = [["network", "list"], ["network", "list", "--json"]]


@pytest.mark.parametrize("arguments", [*ASKED, ["--help"], ["network", "list", "--help"]], ids=" ".join)
def test_a_closed_pipe_is_no_answer(tmp_path, arguments):
    """A shell that asks for the code of each part of a pipe learns that nobody read it."""
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "blockchaintracer", *arguments]
    environment = os.environ | {"BLOCKCHAINTRACER_HOME": str(tmp_path)}
    ended = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, env=environment, check=False)
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (141, b"")


@pytest.mark.parametrize("arguments", ASKED, ids=" ".join)
def test_a_full_disk_is_no_answer(tmp_path, arguments):
    command = [sys.executable, "-m", "blockchaintracer", *arguments]
    environment = os.environ | {"BLOCKCHAINTRACER_HOME": str(tmp_path)}
    with open("/dev/full", "wb") as full:
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, env=environment, check=False)
    assert (ended.returncode, ended.stderr) == (2, b"Error: the answer can't be printed: No space left on device\n")


def test_a_stop_before_the_verb_begins_is_no_answer(monkeypatch):
    def stopped(verb):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "load", stopped)
    assert CliRunner().invoke(cli.main, ["query"]).exit_code == 130
