"""A package that is built may print and leave anything: it keeps nobody from an answer, and leads to no other file."""

from __future__ import annotations

import os
import tempfile
from functools import partial
from pathlib import Path

import pytest

from blockchaintracer.core.errors import InputError
from blockchaintracer.lab.capture import environment
from blockchaintracer.lab.capture.environment import _install
from blockchaintracer.lab.capture.source_packages import SourceBuilder, _wheel_in

pytestmark = pytest.mark.node

NAME = "curious-1.0-py3-none-any.whl"
ENDS = "def build_wheel(out, *_):\n    print('\\n' + {said!r}, flush=True)\n    os._exit(0)\n"
BUILDS = {
    "no dictionary": ENDS.format(said="[1]"),
    "no answer": ENDS.format(said="{}"),
    "no wheel": "def build_wheel(out, *_): pass\n",
    "no list": "def get_requires_for_build_wheel(*_): return 5\n",
    "no texts": "def get_requires_for_build_wheel(*_): return [None]\n",
    "a link in the place of the folder": (
        "def build_wheel(out, *_):\n    os.rename(out, out + '.away')\n    os.symlink(PRIVATE, out)\n"
    ),
}


def test_whatever_a_build_does_is_told_as_an_error_of_the_lock(tmp_path: Path) -> None:
    """Each ended `reproduce` with a traceback, or made uv install a file that a link led to."""
    private = tmp_path / "private"
    private.mkdir()
    (private / NAME).write_text("of this user")
    uv = environment.find_uv()
    assert uv
    run = partial(_install, folder=str(tmp_path))
    run([uv, "venv", "--quiet", str(tmp_path / "twin")])
    for number, (name, code) in enumerate(BUILDS.items()):
        project = tmp_path / f"project-{number}"
        project.mkdir()
        (project / "backend.py").write_text(f"import os\nPRIVATE = {str(private)!r}\n{code}")
        system = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        (project / "pyproject.toml").write_text(system)
        scratch = Path(tempfile.mkdtemp(dir=tmp_path))
        builder = SourceBuilder(uv, run, tmp_path / "twin" / "bin" / "python", scratch, True, False)
        with pytest.raises(InputError) as caught:
            builder.folder(project, editable=False)
        assert caught.value.message.startswith(("a package can't be built here", "expected a build that")), name
    (project / "pyproject.toml").write_text('[build-system]\nrequires = []\nbuild-backend = "a\\u0000"\n')
    with pytest.raises(InputError, match="embedded null byte"):
        builder.folder(project, editable=False)


def test_a_wheel_is_one_file_with_the_name_of_one(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(InputError, match="makes one wheel"):
        _wheel_in(out)
    (out / NAME).write_text("")
    (out / "notes.txt").write_text("")
    assert _wheel_in(out) == out / NAME
    (tmp_path / "link").symlink_to(out)
    with pytest.raises(InputError, match="makes one wheel"):
        _wheel_in(tmp_path / "link")
    (out / "other-1.0-1-cp311-cp311-linux_x86_64.whl").write_text("")
    with pytest.raises(InputError, match="makes one wheel"):
        _wheel_in(out)
    for name in ("a-1.0-py3-none-any.whl", "-r-1.0-py3-none-any.whl", "a-1.0-py3-none\n-r x.whl", "a.whl"):
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        if name.startswith("a-1.0-py3-none-any"):
            (folder / name).symlink_to(out / NAME)
        else:
            (folder / name).write_text("")
        with pytest.raises(InputError, match="makes a wheel, got"):
            _wheel_in(folder)
    folder = Path(tempfile.mkdtemp(dir=tmp_path))
    os.mkfifo(folder / NAME)
    with pytest.raises(InputError, match="makes a wheel, got"):
        _wheel_in(folder)
