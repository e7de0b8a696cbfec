"""The lock files of other tools are read strictly, and as what uv installs. The files are real ones of their tools."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from blockchaintracer.core.errors import InputError
from blockchaintracer.lab.capture.environment import _require_packages, requirements_from
from blockchaintracer.lab.capture.locks import (
    differences,
    find_lock,
    is_lock,
    read_packages,
    requirement_lines,
    unhashed,
)
from blockchaintracer.lab.recording.request import Request

pytestmark = pytest.mark.fast

LOCKS = Path(__file__).parents[1] / "data" / "locks"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
DIGEST = "a" * 64
MARKER = "\"os_name == 'posix'\""
WHEEL = f'{{url = "https://host.example/six.whl", hashes = {{sha256 = "{DIGEST}"}}}}'


def lines_of(lock: Path, installed: set[str] | None = None) -> dict[str, str]:
    """The requirements that a lock gives, by name."""
    text = requirements_from(lock, lock.parent, installed=installed).text
    _require_packages(text, lock.parent)
    return {re.split(r"[ =]", line)[0]: line for line in requirement_lines(text)}


@pytest.mark.parametrize(
    ("name", "unasked"),
    [
        ("poetry.lock", {"colorama", "idna", "iniconfig", "six"}),
        ("Pipfile.lock", {"idna", "six"}),
        ("pdm.lock", {"certifi", "colorama", "idna", "iniconfig", "six"}),
    ],
)
def test_a_lock_is_installed_as_its_author_had_it(name: str, unasked: set[str]) -> None:
    lock = LOCKS / name
    found = lines_of(lock)
    assert set(found) == unasked
    assert all(len(re.findall(r"--hash=sha256:[0-9a-f]{64}", line)) in (1, 2) for line in found.values())
    assert found["six"].startswith("six==1.16.0 ")
    had = {"six", "idna", "iniconfig", "pip"} | (
        {"certifi"} & {one.name for one in read_packages(name, lock.read_bytes())}
    )
    assert set(lines_of(lock, had)) == had - {"pip"}
    count, without = unhashed(name, lock.read_bytes()) or (0, [])
    assert (count, without) == (3 if name == "Pipfile.lock" else 5, [])


def test_markers_stay_and_extras_are_those_that_were_installed() -> None:
    found = lines_of(LOCKS / "poetry.lock", {"certifi", "colorama"})
    assert '; sys_platform == "win32"' in found["colorama"]
    assert "; python_version >= '3'" in found["certifi"]
    assert "; python_version >= '3.9'" in lines_of(LOCKS / "Pipfile.lock")["idna"]


def test_a_pylock_names_folders_and_commits(tmp_path: Path) -> None:
    lock = tmp_path / "inner" / "pylock.toml"
    lock.parent.mkdir()
    lock.write_text(
        f"""
lock-version = "1.0"
packages = [
    {{name = "me", directory = {{path = "..", editable = true}}}},
    {{name = "tool", vcs = {{type = "git", url = "https://u:p@host.example/tool", commit-id = "{COMMIT}"}}}},
    {{name = "file", archive = {{url = "https://host.example/f.whl", hashes = {{sha256 = "{DIGEST}"}}}}}},
    {{name = "six", version = "1.16.0", upload-time = 2021-05-05T14:18:17Z, marker = {MARKER}, wheels = [{WHEEL}]}},
]
"""
    )
    found = requirements_from(lock, tmp_path, "inner")
    lines = requirement_lines(found.text)
    assert lines == [
        "-e .",
        f"tool @ git+https://host.example/tool@{COMMIT}",
        f"file @ https://host.example/f.whl#sha256={DIGEST}",
    ]
    assert [folder.path for folder in _require_packages(found.text, tmp_path)] == ["."]
    (package,) = read_packages("pylock.toml", found.pylock.encode())
    assert (package.name, package.marker, package.hashes) == ("six", "os_name == 'posix'", (f"sha256:{DIGEST}",))


FILES = f'files = [{{file = "x.whl", hash = "sha256:{DIGEST}"}}]\n'


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("poetry.lock", 'name = "x"\nversion = "1 --index-url https://evil.example"\n' + FILES),
        ("poetry.lock", 'name = "x"\nversion = "1"\nmarkers = "os_name\\n-e /tmp/evil"\n' + FILES),
        ("poetry.lock", 'name = "x"\nversion = "1"\nmarkers = "os_name --config-settings=a=b"\n' + FILES),
        ("pdm.lock", 'name = "x\\nevil"\nversion = "1"\n' + FILES),
        ("pdm.lock", f'name = "x"\nversion = "1"\ngit = "https://host.example/x"\nrevision = "main"\n{FILES}'),
        ("pdm.lock", 'name = "x"\nversion = "1"\nurl = "https://host.example/x.whl"\n'),
        ("pdm.lock", 'name = "x"\nversion = "1"\npath = "../outside"\n'),
        ("poetry.lock", f'name = "x"\nversion = "1"\n{FILES}[package.source]\ntype = "file"\nurl = "x.whl"\n'),
        (
            "poetry.lock",
            f'name = "x"\nversion = "1"\n{FILES}[package.source]\ntype = "legacy"\nurl = "https://u:hunter2@h.example/s"\n',
        ),
        ("poetry.lock", 'name = "x"\nversion = "1"\n[package.source]\ntype = "legacy"\nurl = "https://h.example/s"\n'),
        ("pylock.toml", 'name = "x"\nwheels = [{url = "https://host.example/x.whl"}]\n'),
    ],
)
def test_what_a_lock_must_not_say(name: str, text: str, tmp_path: Path) -> None:
    lock = tmp_path / "code" / name
    lock.parent.mkdir()
    lock.write_text(f"[[package{'s' if name == 'pylock.toml' else ''}]]\n{text}")
    with pytest.raises(InputError) as told:
        lines_of(lock)
    assert "hunter2" not in str(told.value)


def test_another_index_is_used_with_hashes_alone(tmp_path: Path) -> None:
    lock = tmp_path / "poetry.lock"
    source = '[package.source]\ntype = "legacy"\nurl = "https://h.example/simple"\nreference = "lab"\n'
    lock.write_text(f'[[package]]\nname = "x"\nversion = "1+cpu"\n{FILES}{source}')
    assert requirement_lines(requirements_from(lock).text)[0] == "--extra-index-url https://h.example/simple"
    _require_packages(requirements_from(lock).text)


def test_a_lock_is_found_where_exactly_one_is(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    assert find_lock(inner, tmp_path) is None
    (tmp_path / "poetry.lock").write_text("")
    assert find_lock(inner, tmp_path) == tmp_path / "poetry.lock"
    assert find_lock(inner) is None
    # what leaves versions open is no second one
    (tmp_path / "requirements.txt").write_text("six\n")
    assert find_lock(inner, tmp_path) == tmp_path / "poetry.lock"
    (tmp_path / "requirements.txt").write_text("six==1.16.0\n")
    with pytest.raises(InputError, match=r"got poetry.lock, requirements.txt\n.*--lock FILE"):
        find_lock(inner, tmp_path)
    (inner / "uv.lock").write_text("")
    assert find_lock(inner, tmp_path) == inner / "uv.lock"


def test_requirements_that_leave_versions_open_are_no_lock(tmp_path: Path) -> None:
    requirements = tmp_path / "requirements.txt"
    for text in ("numpy>=1\n", "numpy\n", "a==1\nb\n", "a==1.*\n", "", "# none\n", "-e .\n"):
        requirements.write_text(text)
        assert not is_lock(requirements), text
        assert find_lock(tmp_path) == requirements
    for text in (
        "a==1\nb[x]==2 ; python_version > '3'\n",
        f"# made\n--no-binary :all:\na==1 \\\n    --hash=sha256:{'a' * 64}\n",
        f"a==1\n-e git+https://host.example/lab/b.git@{COMMIT}#egg=b\n",
    ):
        requirements.write_text(text)
        assert is_lock(requirements), text


@pytest.mark.parametrize(
    "line",
    [
        f"-e git+https://host.example/lab/b.git@{COMMIT}#egg=b&subdirectory=python",
        f"b @ git+ssh://git@host.example/lab/b.git@{COMMIT}#subdirectory=python",
        f"b@git+https://me:hunter2@host.example/lab/b.git@{COMMIT}#subdirectory=python",
    ],
)
def test_a_commit_is_a_commit_however_it_is_written(line: str) -> None:
    assert requirement_lines(line) == [f"b @ git+https://host.example/lab/b.git@{COMMIT}#subdirectory=python"]
    assert _require_packages(line) == []


def test_a_lock_of_other_versions_than_ran_is_seen() -> None:
    text = b"a==1.0\nb==2024.01\nc==1\nd==2\n"
    had = {"a": "1", "b": "2024.1", "c": "1.0.1", "e": "5"}
    assert differences(read_packages("requirements.txt", text), had) == ["c 1.0.1 (not 1)"]


@pytest.mark.parametrize(
    ("name", "tool"),
    [
        ("conda-lock.yml", "conda-lock"),
        ("conda-linux-64.lock", "conda"),
        ("environment.yml", "conda"),
        ("pixi.lock", "pixi"),
        ("renv.lock", "Rscript"),
        ("Manifest.toml", "julia"),
    ],
)
def test_a_lock_of_another_tool_is_one_and_names_it(name: str, tool: str, tmp_path: Path) -> None:
    lock = tmp_path / name
    lock.write_text("anything")
    assert is_lock(lock)
    assert find_lock(tmp_path) == (None if name == "environment.yml" else lock)
    assert unhashed(name, b"anything") is None
    with pytest.raises(InputError, match=f"{name} is a lock file of {tool}, which is"):
        requirements_from(lock)


@pytest.mark.parametrize("image", ["python:3.12", "python@sha256:abc", f"u:p@host.example/x@sha256:{DIGEST}"])
def test_an_image_is_named_by_its_digest(image: str) -> None:
    assert Request(image=f"host.example:5000/lab/x@sha256:{DIGEST}").image
    with pytest.raises(InputError, match="expected an image as name@sha256:DIGEST"):
        Request(image=image)
