"""A notebook as the program of a run: ``record -- analysis.ipynb -p seed=7``, and again by whoever repeats it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory
from typing import Any

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.formats import read_limited
from blockchaintracer.core.plain_json import loads_shallow
from blockchaintracer.lab.capture import run_notebook
from blockchaintracer.lab.optional import require

MAX_NOTEBOOK = 256 << 20


def is_notebook(command: Sequence[str]) -> bool:
    """Whether a command names a notebook in place of a program."""
    return bool(command) and command[0].endswith(".ipynb")


@contextmanager
def as_program(command: Sequence[str], folder: Path) -> Iterator[Sequence[str]]:
    """Give the command that runs what a user typed in a folder. What a notebook writes lasts as long as the block."""
    if is_notebook(command):
        python = notebook_python(folder / command[0], command[1:], which)
        with TemporaryDirectory(prefix="blockchaintracer-") as out:
            yield notebook_command(command, python, Path(out))
    else:
        yield command


def notebook_command(command: Sequence[str], python: str | None, out: Path) -> list[str]:
    """Return the command that runs a notebook.

    Args:
        command: the notebook and its arguments.
        python: the interpreter of a notebook in Python; None for another language.
        out: a folder for what it writes.
    """
    require("papermill", "notebooks")
    options = [*(["--python", python] if python else []), "--out", str(out)]
    # isolated: the folder of a stranger's notebook may hold modules
    return [sys.executable, "-I", run_notebook.__file__, *options, *command]


def notebook_python(
    notebook: Path, given: Sequence[str], find: Callable[[str], str | None], rebuilt: str | None = None
) -> str | None:
    """Find the interpreter of a notebook's kernel: that of a kernel that the user named, else the first on PATH.

    Args:
        given: the arguments after the notebook.
        find: gives the path of a program by its name, or None.
        rebuilt: the interpreter that every kernel of Python has, whatever it is called on this machine.

    Returns:
        None for a kernel of another language.

    Raises:
        InputError: if there is no such notebook, or its arguments can't be read.
    """
    data = read_limited(notebook, MAX_NOTEBOOK, "a notebook")
    try:
        arguments = run_notebook.arguments(given)
        run_notebook.parameters(arguments)
        described = loads_shallow(data)["metadata"].get("kernelspec", {})
        name, language = arguments.kernel or described.get("name", "python3"), described.get("language", "python")
    except Exception as error:
        raise InputError(f"{notebook}: expected a Jupyter notebook and -p NAME=VALUE, got {error}") from None
    kernel = _named_kernel(name)
    if kernel and kernel.language != "python":
        return None
    if rebuilt and (kernel or language == "python"):
        return rebuilt
    if kernel and name != "python3" and os.access(kernel.argv[0], os.X_OK):
        return str(kernel.argv[0])
    if not kernel and language != "python":
        return None
    python = find("python") or find("python3")
    if python is None:
        raise InputError(f"expected a Python on PATH for the kernel of {notebook}, got none")
    return python


def _named_kernel(name: str) -> Any:
    kernels = require("jupyter_client.kernelspec", "notebooks")
    try:
        return kernels.KernelSpecManager().get_kernel_spec(name)
    except kernels.NoSuchKernel:
        return None
