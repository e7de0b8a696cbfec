"""Builds packages that exist as source alone: what was locked is fetched without running any of it, then unpacked and
built in the sandbox, without a network unless a person allowed it. What comes of it is a wheel."""

from __future__ import annotations

import os
import re
import shutil
import stat
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from blockchaintracer.core.digest import sha256_file
from blockchaintracer.core.errors import ChainUnavailable, InputError, NotVerified
from blockchaintracer.core.fetch import FetchError
from blockchaintracer.core.plain_json import parse_json
from blockchaintracer.lab.capture.locks import OF_ADDRESS, OF_COMMIT
from blockchaintracer.lab.capture.secret_masking import mask
from blockchaintracer.lab.sandbox import (
    SEARCHED,
    Limits,
    OverLimitError,
    Sandbox,
    folders_of,
    python_folders,
    run_program,
)
from blockchaintracer.lab.store.redirects import followed

_LARGEST = 2 << 30
_SECONDS = 3600.0
_REACHES = re.compile(r"SSL_CERT_(?:FILE|DIR)|CURL_CA_BUNDLE|(?i:https?|all|no)_(?i:proxy)")
_REQUIRED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\s*(\[[\w\s,.-]*\])?\s*\(?[\w\s.,<>=!~*+-]*\)?\s*(;[^@/]*)?")
_WHEEL = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9_.]*-[A-Za-z0-9][A-Za-z0-9_.!+]*(-[0-9][A-Za-z0-9_.]*)?(-[A-Za-z0-9_.]+){3}\.whl"
)
# of the package: what it says that builds it. Its archive is unpacked here, too
_READ = """
import json, os, shutil, sys, tarfile, tomllib
archive, folder = sys.argv[1:]
if archive:
    # Python before 3.11.4 has no filter: what the archive may write is what the sandbox and its own build may
    has_filter = hasattr(tarfile, "data_filter") and not archive.endswith(".zip")
    shutil.unpack_archive(archive, folder, **({"filter": "data"} if has_filter else {}))
    folder = os.path.join(folder, *os.listdir(folder))
file = os.path.join(folder, "pyproject.toml")
said = tomllib.load(open(file, "rb")).get("build-system", {}) if os.path.exists(file) else {}
legacy = {"requires": ["setuptools"], "build-backend": "setuptools.build_meta:__legacy__"}
print("\\n" + json.dumps({"folder": folder} | legacy | said))
"""
_HOOK = """
import importlib, json, os, sys
folder, backend, hook, *rest = sys.argv[1:]
out, paths = rest[0], rest[1:]
os.chdir(folder)
sys.path[:0] = [os.path.join(folder, path) for path in paths]
module, _, names = backend.partition(":")
found = importlib.import_module(module)
for name in filter(None, names.split(".")):
    found = getattr(found, name)
given = [out] if out else []
print("\\n" + json.dumps({"answer": getattr(found, hook, lambda *_: [])(*given)}))
"""


@contextmanager
def _usable() -> Iterator[None]:
    """What a build says or leaves is a stranger's: if it is of no use, the package can't be built."""
    try:
        yield
    except (KeyError, TypeError, ValueError, OSError) as problem:
        raise InputError(
            f"a package can't be built here: {type(problem).__name__} {mask(str(problem))[:200]}"
        ) from None


class SourceBuilder:
    """Builds the packages of one environment.

    Args:
        uv: the path of uv, and `install` what runs it, in the folder `scratch`.
        python: the interpreter to build for.
        sandboxed: False builds with the rights of this user.
        network: whether a build may use the network; or who is asked once one failed without it.
        say: told what is built.
    """

    def __init__(
        self,
        uv: str,
        install: Callable[[list[str]], None],
        python: Path,
        scratch: Path,
        sandboxed: bool,
        network: bool | Callable[[], bool],
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._uv, self._install, self._python, self._scratch = uv, install, python, scratch
        self._sandboxed, self._say = sandboxed, say
        self._network = network is True
        self._ask: Callable[[], bool] = network if callable(network) else lambda: False

    def without_wheel(self, lines: Sequence[str]) -> tuple[list[str], list[str]] | None:
        """Build those lines of a requirements file that have no wheel for this interpreter.

        Returns:
            The other lines, and the wheels that were built; None if each has one.
        """
        options = [line for line in lines if line.startswith("-")]
        sources = [line for line in lines if line not in options and not self._has_wheel(line, options)]
        wheels = [str(self._package(line, options)) for line in sources]
        return ([line for line in lines if line not in sources], wheels) if sources else None

    def _has_wheel(self, line: str, options: Sequence[str]) -> bool:
        file = self._file("\n".join((*options, line)))
        command = [self._uv, "pip", "install", "--quiet", "--python", str(self._python), "--no-build", "--no-deps"]
        try:
            self._install([*command, "--dry-run", "-r", str(file)])
        except InputError:
            return False
        return True

    @_usable()
    def _package(self, line: str, options: Sequence[str]) -> Path:
        if commit := OF_COMMIT.fullmatch(line):
            work = Path(tempfile.mkdtemp(dir=self._scratch))
            steps = 'git init -q . && git fetch -q --depth 1 "$1" "$2" && git checkout -q "$2" && '
            steps += "git submodule -q update --init --recursive --depth 1"
            command = ["sh", "-c", f"{steps} >&2; ok=$?; echo; echo '{{}}'; exit $ok", "sh", commit[1], commit[2]]
            self._run(command, work, [], [], network=True)
            folder = (work / (commit[3] or ".")).resolve()
            if not folder.is_relative_to(work.resolve()):
                raise NotVerified(f"expected a folder of the repository, got {commit[3]}")
            return self.folder(folder, editable=False)
        return self._built(self._fetched(line, options), None, "build_wheel")

    @_usable()
    def folder(self, folder: Path, editable: bool) -> Path:
        """Build a folder of the restored code; its wheel."""
        return self._built(None, folder, "build_editable" if editable else "build_wheel")

    def _file(self, text: str, name: str = "requirements.txt") -> Path:
        path = Path(tempfile.mkdtemp(dir=self._scratch), name)
        path.write_text(text + "\n")
        return path

    def _fetched(self, line: str, options: Sequence[str]) -> Path:
        """Fetch the source of a requirement, and check it against the lock."""
        if address := OF_ADDRESS.fullmatch(line):
            target = Path(tempfile.mkdtemp(dir=self._scratch), os.path.basename(urlsplit(address[1]).path))
            return _downloaded(address[1], target, [address[2]])
        name, _, version = line.partition(";")[0].partition(" --hash")[0].strip().partition("==")
        name = name.partition("[")[0].strip()
        described = f'[[dependency-metadata]]\nname = "{name}"\nversion = "{version.strip("= ")}"\nrequires-dist = []\n'
        settings, file = self._scratch / "uv.toml", self._file("\n".join((*options, line)))
        found = file.with_name("pylock.toml")
        # uv need not build the package to know what it depends on
        settings.write_text(described)
        try:
            command = [self._uv, "pip", "compile", "--quiet", "--no-deps", "--python", str(self._python)]
            self._install([*command, "--format", "pylock.toml", str(file), "-o", str(found)])
        finally:
            settings.write_text("")
        try:
            [package] = tomllib.loads(found.read_text())["packages"]
            source, digest = package["sdist"], package["sdist"]["hashes"]["sha256"]
            place = str(source.get("url") or found.parent / source["path"])
        except (KeyError, ValueError, TypeError):
            raise InputError(f"expected a source of {name} with a SHA-256 where packages are found, got none") from None
        locked = re.findall(r"--hash=sha256:([0-9a-f]{64})", line)
        target = found.with_name(os.path.basename(urlsplit(place).path))
        return _downloaded(place, target, [one for one in locked or [digest] if one == digest])

    def _built(self, archive: Path | None, folder: Path | None, hook: str) -> Path:
        work = Path(tempfile.mkdtemp(dir=self._scratch))
        out = work / "wheel"
        for part in (out, work / "source", work / "home"):
            part.mkdir()
        place = folder or work / "source"
        self._say(f"building {archive.name if archive else 'the project of the recorded code'}")
        own = Path(sys.executable)
        readable = [*folders_of(own), *([archive] if archive else [])]
        said = self._run([str(own), "-I", "-c", _READ, str(archive or ""), str(place)], work, [place], readable)
        backend, paths = str(said["build-backend"]), [str(path) for path in said.get("backend-path") or ()]
        builder = work / "venv"
        self._install([self._uv, "venv", "--quiet", "--python", str(self._python), str(builder)])
        python, source = builder / "bin" / "python", str(said["folder"])

        def ask(hook: str, out: str = "") -> object:
            command = [str(python), "-I", "-c", _HOOK, source, backend, hook, out, *paths]
            shown = [builder, *python_folders(python)]
            try:
                return self._run(command, work, [place], shown, network=self._network)["answer"]
            except InputError as problem:
                if self._network:
                    raise
                self._say(problem.message)
                if not self._ask():
                    raise
                self._network = True
                return self._run(command, work, [place], shown, network=True)["answer"]

        self._provide(builder, said["requires"])
        self._provide(builder, ask(hook.replace("build_", "get_requires_for_build_")))
        ask(hook, str(out))
        return _wheel_in(out)

    def _provide(self, builder: Path, required: object) -> None:
        """Install what a build needs, wheels alone. uv asks a Python about itself: another one, where none of it is."""
        lines: list[Any] = required if isinstance(required, list) else [required]
        for line in lines:
            if not (isinstance(line, str) and _REQUIRED.fullmatch(line)):
                raise InputError(f"expected a build that needs packages by name and version, got {line!r:.100}")
        if lines:
            file = self._file("\n".join(lines))
            command = [self._uv, "pip", "install", "--quiet", "--python", str(self._python), "--no-build"]
            self._install([*command, "--prefix", str(builder), "-r", str(file)])

    def _run(
        self, command: list[str], work: Path, writable: list[Path], readable: list[Path], network: bool = False
    ) -> dict[str, Any]:
        """Run a part of a build; the JSON of its last line."""
        box = Sandbox([work, *writable], readable, network=network) if self._sandboxed else None
        path = f"{os.path.dirname(command[0])}:{SEARCHED}".lstrip(":")
        variables = {"PATH": path, "HOME": str(work / "home"), "LANG": "C.UTF-8", "GIT_TERMINAL_PROMPT": "0"}
        if network:
            # where a proxy asks for a password, a build gets none
            variables |= {name: it for name, it in os.environ.items() if _REACHES.fullmatch(name) and "@" not in it}
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            try:
                code = run_program(command, work, variables, output, box, Limits(seconds=_SECONDS), errors=errors)
            except OverLimitError as problem:
                raise InputError(f"a package can't be built here: {problem}") from None
            for file in (output, errors):
                file.seek(max(0, file.seek(0, os.SEEK_END) - (1 << 20)))
            printed = output.read()
            if code == 0:
                said: dict[str, Any] = parse_json(printed.strip().rpartition(b"\n")[2], "what a build says")
                return said
            shown = f"{printed.decode(errors='replace')}\n{errors.read().decode(errors='replace')}"
        tail = "\n".join(map(mask, shown.strip().splitlines()[-15:]))
        hint = None if network else "It had no network: if it needs one, --allow-build-network gives it one."
        raise InputError(f"a package can't be built here:\n{tail}", hint=hint)


def _wheel_in(folder: Path) -> Path:
    """The wheel that a build left. A link would lead uv, outside of the sandbox, to a file of this user's."""
    if folder.is_symlink() or len(names := [name for name in os.listdir(folder) if name.endswith(".whl")]) != 1:
        raise InputError("expected a build that makes one wheel")
    status = os.lstat(wheel := folder / names[0])
    if not (_WHEEL.fullmatch(wheel.name) and stat.S_ISREG(status.st_mode) and status.st_size <= _LARGEST):
        raise InputError(f"expected a build that makes a wheel, got {wheel.name[:100]!r}")
    return wheel


def _downloaded(place: str, target: Path, digests: Sequence[str]) -> Path:
    """Fetch a file from an address, or from a folder of this machine that its settings name, and check its digest."""
    parts = urlsplit(place)
    if parts.scheme in ("", "file"):
        shutil.copy(url2pathname(parts.path), target)
    else:
        plain = {"Accept-Encoding": "identity"}
        try:
            with followed(place, seconds=60, most=5, headers=plain) as answer, target.open("wb") as file:
                if answer.status != 200:
                    raise FetchError(f"answered {answer.status}")
                for piece in answer.pieces():
                    file.write(piece)
                    if file.tell() > _LARGEST:
                        raise FetchError("gives too much")
        except FetchError as error:
            raise ChainUnavailable(f"the source of a package can't be fetched: {parts.hostname} {error}") from None
    if sha256_file(target) not in digests:
        raise NotVerified(f"the source {target.name} is not the one that was locked")
    return target
