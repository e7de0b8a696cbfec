"""Reading lock files: which packages they name by which digests, and as what uv or pip installs them.

Lock files are written by strangers: whatever could install something else than what is named is refused.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.formats import read_limited
from blockchaintracer.core.plain_json import MAX_DEPTH, nested, parse_json, plain
from blockchaintracer.lab.capture.local_packages import folder_line, local_package
from blockchaintracer.lab.capture.secret_masking import mask, public_remote

MAX_LOCK = 64 << 20
COMPLETE = "# made by blockchaintracer"
"""Begins a requirements file that names every package: nothing is added when it is installed."""
OF_COMMIT = re.compile(
    r"[A-Za-z0-9._-]+ ?@ ?git\+(https://[\w.~-]+(?::\d+)?/[^\s@#;]+)@([0-9a-f]{40}|[0-9a-f]{64})"
    r"(?:#subdirectory=([^\s;&]+))?(?: ?;.*)?"
)
OF_ADDRESS = re.compile(r"[A-Za-z0-9._-]+ ?@ ?(https://[\w.~-]+(?::\d+)?/[^\s@#;]+)#sha256=([0-9a-f]{64})(?: ?;.*)?")
_IN_GIT = re.compile(
    r"(?:-e |--editable[ =])?(?:([A-Za-z0-9._-]+) ?@ ?)?git\+(\S+)@([0-9a-f]{40}|[0-9a-f]{64})(?:#(\S*))?( ?;.*)?"
)
PINNED = re.compile(r"[A-Za-z0-9._-]+(\[[^\]]*\])?\s*===?\s*[^*\s;#]+(\s*;.*|\s+--hash=.*|\s+#.*)?")
HASHED = re.compile(r"--hash=sha256:[0-9a-f]{64}")
_ANY_HASH = re.compile(r"sha(?:256:[0-9a-f]{64}|384:[0-9a-f]{96}|512:[0-9a-f]{128})")
_NAME, _VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*"), re.compile(r"[A-Za-z0-9][A-Za-z0-9.!+_-]*")
_EXTRA = re.compile(r"extra\s*==\s*(\"[^\"]*\"|'[^']*')")
_USUAL_INDEX = re.compile(r"https://pypi\.[a-z]{3}/simple")
"""Whichever it is: packages are taken from the index of whoever repeats the run."""


@dataclass(frozen=True)
class LockedPackage:
    """A package of a lock file.

    Args:
        hashes: of its files, as ``sha256:…``.
        marker: where it is installed, as PEP 508 has it; empty for everywhere.
        source: the line that installs it, if it comes from no index.
        index: address of an index that is not the default; empty for the default.
        optional: whether the lock's own tool installs it only when it is asked for.
        entry: as `pylock.toml` has it, with the addresses of its files.
        is_own: whether it is a folder, of which the commit is the digest.
    """

    name: str
    version: str = ""
    hashes: tuple[str, ...] = ()
    marker: str = ""
    source: str = ""
    index: str = ""
    optional: bool = False
    entry: dict[str, Any] = field(default_factory=dict)
    is_own: bool = False

    @property
    def is_hashed(self) -> bool:
        """Whether every file of it is named by its digest."""
        return bool(self.hashes) and all(map(_ANY_HASH.fullmatch, self.hashes))

    @property
    def line(self) -> str:
        """The line of a requirements file."""
        marker = f" ; {self.marker}" if self.marker else ""
        if self.source:
            return f"{self.source}{marker}"
        return " \\\n    ".join((f"{self.name}=={self.version}{marker}", *(f"--hash={one}" for one in self.hashes)))


@dataclass(frozen=True)
class Requirements:
    """What a lock file installs: a requirements file, and a `pylock.toml` of what has an address for each file.

    Args:
        pins: ``name==version`` of what its author had, for what a requirements file leaves to its packages.
    """

    text: str
    pylock: str = ""
    pins: tuple[str, ...] = ()


@dataclass(frozen=True)
class OtherTool:
    """A tool whose lock files are recorded and not rebuilt from here."""

    name: str
    file: re.Pattern[str]
    command: str


OTHER_TOOLS = (
    OtherTool("conda-lock", re.compile(r"(?:.*[.-])?conda-lock\.ya?ml"), "conda-lock install --prefix PREFIX {}"),
    OtherTool(
        "conda", re.compile(r"conda-(?:linux|osx|win)-\w+\.lock|explicit\.txt"), "conda create -p PREFIX --file {}"
    ),
    OtherTool("conda", re.compile(r"environment\.ya?ml"), "conda env create -p PREFIX -f {}"),
    OtherTool("pixi", re.compile(r"pixi\.lock"), "pixi install --frozen"),
    OtherTool("Rscript", re.compile(r"renv\.lock"), "Rscript -e 'renv::restore()'"),
    OtherTool("Rscript", re.compile(r"sessionInfo\.txt"), "Rscript, with the packages that it lists"),
    OtherTool(
        "julia",
        re.compile(r"(?:Julia)?Manifest(?:-v[\d.]+)?\.toml"),
        "julia --project -e 'import Pkg; Pkg.instantiate()'",
    ),
)


def other_tool(name: str) -> OtherTool | None:
    """Return the tool that a lock file is of, by the file's name; None for one of Python packages alone."""
    return next((tool for tool in OTHER_TOOLS if tool.file.fullmatch(name)), None)


def find_lock(folder: Path, root: Path | None = None) -> Path | None:
    """Find the lock file of a folder, or of the next one above it that has any, up to `root`.

    A `requirements.txt` that leaves versions open is returned if there is no lock file.

    Raises:
        InputError: if there are several.
    """
    folder, top = folder.absolute(), (root or folder).absolute()
    for place in (folder, *(one for one in folder.parents if one.is_relative_to(top))):
        listed = sorted(file.name for file in place.iterdir())
        names = [name for name in listed if name in _FOUND or _NAMED.fullmatch(name)]
        paths = [path for name in names if (path := place / name).is_file()]
        locks = [path for path in paths if is_lock(path)]
        if len(locks) > 1:
            raise InputError(
                f"expected one lock file in {place}, got {', '.join(path.name for path in locks)}",
                hint="Say which one the environment is of: --lock FILE.",
            )
        if locks or paths:
            return (locks or paths)[0]
    return None


_FOUND = (
    "requirements.lock",
    "uv.lock",
    "poetry.lock",
    "pdm.lock",
    "Pipfile.lock",
    "requirements.txt",
    "conda-lock.yml",
)
_NAMED = re.compile(r"pylock(?:\.[^.]+)?\.toml|pixi\.lock|renv\.lock|Manifest\.toml|conda-(?:linux|osx|win)-\w+\.lock")


def is_lock(path: Path) -> bool:
    """Return whether a file names a version of each package; requirements may leave versions open."""
    if is_structured(path.name) or path.name == "requirements.lock":
        return True
    lines = requirement_lines(read_lock(path).decode(errors="replace"))
    pinned = [line for line in lines if not line.startswith("--") and not local_package(line)]
    forms = (PINNED, OF_COMMIT, OF_ADDRESS)
    return bool(pinned) and all(any(form.fullmatch(line) for form in forms) for line in pinned)


def differences(packages: Iterable[LockedPackage], installed: Mapping[str, str]) -> list[str]:
    """List the packages that were installed in another version than the lock names."""
    locked: dict[str, set[str]] = {}
    for package in packages:
        if package.version:
            locked.setdefault(package.name, set()).add(package.version)
    return [
        f"{name} {installed[name]} (not {', '.join(sorted(versions))})"
        for name, versions in sorted(locked.items())
        if name in installed and _release(installed[name]) not in map(_release, versions)
    ]


def _release(version: str) -> str:
    """A version as another tool may write it: 1.0 is 1.0.0, and 2024.01 is 2024.1."""
    return re.sub(r"(\.0)+(?=$|\+)", "", re.sub(r"(?<![0-9a-z])0+(?=[0-9])", "", version.lower().replace("_", ".")))


def read_packages(name: str, data: bytes) -> list[LockedPackage]:
    """Read the packages of a lock file; `name` says which kind it is, and is of requirements if it says nothing.

    Raises:
        InputError: if it can't be read as one.
    """
    if tool := other_tool(name):
        raise InputError(f"expected a lock file of Python packages, got {name} of {tool.name}")
    try:
        reader = next((one for suffix, one in _READERS.items() if name.endswith(suffix)), _of_requirements)
        packages = list(reader(data.decode(), name))
        for package in packages if is_structured(name) else ():
            _check(package)
        return packages
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{name}: expected packages in a lock, got something else") from error


def pins_of(installed: Collection[str] | None) -> tuple[str, ...]:
    """Return ``name==version`` of each package that an author had. Where a version with a plus is from is not known."""
    versions = installed if isinstance(installed, Mapping) else {}
    known = [(name, str(version)) for name, version in sorted(versions.items()) if "+" not in str(version)]
    return tuple(f"{name}=={it}" for name, it in known if _NAME.fullmatch(name) and _VERSION.fullmatch(it))


def unhashed(name: str, data: bytes) -> tuple[int, list[str]] | None:
    """Count the packages that a lock file names, and list those without a digest; None if it can't be read."""
    try:
        foreign = [package for package in read_packages(name, data) if not package.is_own]
    except InputError:
        return None
    return len(foreign), [package.name for package in foreign if not package.is_hashed]


def is_structured(name: str) -> bool:
    """Return whether a lock file is of another kind than requirements."""
    return other_tool(name) is not None or name.endswith(tuple(_READERS))


def requirements_of(
    name: str, packages: Iterable[LockedPackage], installed: Collection[str] | None = None
) -> Requirements:
    """Return what is installed of the packages of a lock: those that its author had.

    Args:
        installed: what the author had; None if not known: then what the lock's own tool installs unasked.
    """
    chosen = [one for one in packages if (one.name in installed if installed is not None else not one.optional)]
    entries = [one.entry for one in chosen if one.entry and not one.source]
    lines = [one.line for one in chosen if one.source or not one.entry]
    indexes = sorted({one.index for one in chosen if one.index and not one.source})
    options = [f"--extra-index-url {index}" for index in indexes]
    pylock = "".join(f"[[packages]]\n{''.join(_toml_lines(entry))}" for entry in entries)
    head = f'lock-version = "1.0"\ncreated-by = "blockchaintracer"\n{pylock}' if pylock else ""
    return Requirements("\n".join((f"{COMPLETE} from {name}", *options, *lines, "")), head)


def requirement_lines(text: str) -> list[str]:
    """Return what a requirements file says, a line each. A commit of git is named as in `OF_COMMIT`, if it can be."""
    lines = (line.strip() for line in re.sub(r"\\\r?\n\s*", "", text).splitlines())
    return [_commit_line(line) for line in lines if line and not line.startswith("#")]


def _commit_line(line: str) -> str:
    match = _IN_GIT.fullmatch(line)
    if not match:
        return line
    named, url, commit, told, marker = match.groups(default="")
    values = dict(part.partition("=")[::2] for part in told.split("&"))
    found = git_line(named or values.get("egg", ""), url, commit, values.get("subdirectory", ""))
    return f"{found}{marker}" if found else line


_TOML_TEXT = re.compile(
    rb'"""(?:\\.|[^\\])*?(?:"""|\Z)|\'\'\'.*?(?:\'\'\'|\Z)|"(?:\\.|[^"\\\n]++)*+"?|\'[^\'\n]*+\'?|#[^\n]*+', re.DOTALL
)
_TOML_PARTS = re.compile(rb"(?<![\w-])(?:[\w-]++[ \t]*+\.[ \t]*+){%d}" % MAX_DEPTH)


def read_lock(path: Path) -> bytes:
    """Read a lock file of a bounded size."""
    return read_limited(path, MAX_LOCK, "a lock")


def parse_toml(data: bytes, what: str) -> dict[str, Any]:
    """Read TOML as plain values, and refuse what `plain` refuses. Depth is looked at before: a key of 30,000 parts
    takes Python's reader 3 GB, and its own limit on nesting may have been raised."""
    try:
        outline = _TOML_TEXT.sub(b"_", data)
        if nested(outline) > MAX_DEPTH or _TOML_PARTS.search(outline):
            raise ValueError("nested too deeply")
        return dict(plain(tomllib.loads(data.decode())))
    except (ValueError, RecursionError) as error:
        reason = ": it is nested too deeply" if "nested" in str(error) else ""
        raise InputError(f"{what}: expected TOML in UTF-8, got something else{reason}") from None


def normal(name: str) -> str:
    """Return the name of a package as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _check(package: LockedPackage) -> None:
    """Refuse what would be something else in a line of a requirements file."""
    texts = (package.marker, package.index, package.source)
    is_plain = not any(re.search(r"[\n\r\\]|\s-|#(?!subdirectory=|sha256=)", text) for text in texts)
    fits = _NAME.fullmatch(package.name) and (
        package.source or not package.version or _VERSION.fullmatch(package.version)
    )
    if not (is_plain and fits):
        raise InputError(f"expected a package in a lock, got {mask(package.name)[:100]!r} with something else in it")


# -- the kinds


def _of_pylock(text: str, name: str) -> Iterator[LockedPackage]:
    for entry in parse_toml(text.encode(), name).get("packages", []):
        files = [*entry.get("wheels", ()), *([entry["sdist"]] if "sdist" in entry else [])]
        folder, vcs, archive = (entry.get(kind) for kind in ("directory", "vcs", "archive"))
        if folder is not None:
            source = folder_line(folder["path"], bool(folder.get("editable")))
        elif vcs is not None:
            source = _git(entry["name"], str(vcs.get("url")), str(vcs.get("commit-id")), vcs.get("subdirectory", ""))
        elif archive is not None:
            source = _address(entry["name"], archive.get("url", ""), archive.get("hashes", {}).get("sha256"))
        else:
            source = ""
        kept = {key: entry[key] for key in ("name", "version", "marker", "requires-python", "index") if key in entry}
        kept |= {"wheels": list(map(_file, entry["wheels"]))} if "wheels" in entry else {}
        kept |= {"sdist": _file(entry["sdist"])} if "sdist" in entry else {}
        yield LockedPackage(
            normal(entry["name"]),
            str(entry.get("version", "")),
            tuple(_best(file.get("hashes", {})) for file in ([archive] if archive else files)),
            entry.get("marker", ""),
            source,
            entry=kept if files else {},
            is_own=folder is not None,
        )


def _file(file: Mapping[str, Any]) -> dict[str, Any]:
    return {key: file[key] for key in ("name", "url", "path", "hashes", "size") if key in file}


def _best(hashes: Mapping[str, str]) -> str:
    return next((f"{kind}:{hashes[kind]}" for kind in ("sha256", "sha384", "sha512") if kind in hashes), "")


def _of_uv(text: str, name: str) -> Iterator[LockedPackage]:
    for entry in parse_toml(text.encode(), name).get("package", []):
        files = [*entry.get("wheels", []), *([entry["sdist"]] if "sdist" in entry else [])]
        is_own = any(kind in entry.get("source", {}) for kind in ("editable", "virtual", "directory", "path"))
        hashes = tuple(str(file.get("hash", "")) for file in files)
        yield LockedPackage(normal(entry["name"]), str(entry.get("version", "")), hashes, is_own=is_own)


def _of_poetry(text: str, name: str) -> Iterator[LockedPackage]:
    for entry in parse_toml(text.encode(), name).get("package", []):
        source, line, index = entry.get("source", {}), "", ""
        kind, url = source.get("type"), str(source.get("url", ""))
        if kind == "git":
            line = _git(entry["name"], url, source["resolved_reference"], source.get("subdirectory", ""))
        elif kind == "directory":
            line = folder_line(url, bool(entry.get("develop")))
        elif kind == "url":
            line = _address(entry["name"], url, _digest(entry.get("files", [])))
        elif kind == "legacy":
            index = url
        elif kind is not None:
            line = f"{entry['name']} @ {kind}"
        markers = entry.get("markers", "")
        if isinstance(markers, dict):
            markers = " or ".join(f"({marker})" for marker in markers.values())
        yield _locked(entry, _hashes(entry), markers, line, index, optional=bool(entry.get("optional")))


def _of_pdm(text: str, name: str) -> Iterator[LockedPackage]:
    for entry in parse_toml(text.encode(), name).get("package", []):
        line = ""
        if entry.get("extras"):
            # its files and what the extras need have entries of their own
            continue
        if "git" in entry:
            line = _git(entry["name"], entry["git"], entry["revision"], entry.get("subdirectory", ""))
        elif "path" in entry:
            line = folder_line(entry["path"], bool(entry.get("editable")))
        elif "url" in entry:
            line = _address(entry["name"], entry["url"], _digest(entry.get("files", [])))
        groups = entry.get("groups", ["default"])
        optional = not {"default", "dev"} & {*groups}
        yield _locked(entry, _hashes(entry), entry.get("marker", ""), line, optional=optional)


def _of_pipenv(text: str, name: str) -> Iterator[LockedPackage]:
    lock = parse_json(text.encode(), name)
    indexes = {source["name"]: source["url"] for source in lock["_meta"].get("sources", [])}
    found = set()
    for section in ("default", "develop"):
        for package, entry in lock.get(section, {}).items():
            version = str(entry.get("version", ""))
            if normal(package) in found or version == "*":
                # of a platform that the author did not have
                continue
            found.add(normal(package))
            line = ""
            if "git" in entry:
                line = _git(package, entry["git"], entry["ref"], entry.get("subdirectory", ""))
            elif "path" in entry:
                line = folder_line(entry["path"], bool(entry.get("editable")))
            elif "file" in entry:
                line = _address(package, entry["file"], _digest(entry.get("hashes", [])))
            index = indexes.get(entry.get("index"), "")
            described = {"name": package, "version": version.removeprefix("==")}
            hashes = tuple(entry.get("hashes", ()))
            yield _locked(described, hashes, entry.get("markers", ""), line, index, optional=section == "develop")


def _of_requirements(text: str, _: str) -> Iterator[LockedPackage]:
    for line in requirement_lines(text):
        if line.startswith("--"):
            continue
        name = re.split(r"[\s=<>~!@;\[]", line)[0]
        version = re.match(r"[^\s=;]+\s*===?\s*([^*\s;#]+)", line)
        hashes = [*re.findall(r"--hash=(\S+)", line), *(f"sha256:{one}" for one in re.findall(r"#sha256=(\w+)", line))]
        yield LockedPackage(
            normal(name), version[1] if version else "", tuple(hashes), is_own=bool(local_package(line))
        )


_READERS: dict[str, Callable[[str, str], Iterator[LockedPackage]]] = {
    "uv.lock": _of_uv,
    "poetry.lock": _of_poetry,
    "pdm.lock": _of_pdm,
    "Pipfile.lock": _of_pipenv,
    ".toml": _of_pylock,
}
"""By the end of a file's name."""


def _locked(
    entry: Mapping[str, Any], hashes: tuple[str, ...], marker: str, line: str, index: str = "", *, optional: bool
) -> LockedPackage:
    index = "" if _USUAL_INDEX.fullmatch(index.rstrip("/")) else index.rstrip("/")
    if index and public_remote(index) != index:
        raise InputError(f"expected the address of an index without credentials in a lock, got {mask(index)!r}")
    # which extras were asked for is known by what was installed
    marker = _EXTRA.sub("python_version >= '3'", marker)
    version = str(entry.get("version", "") if line else entry["version"])
    is_own = line.startswith(("-e ", ".", "file:"))
    return LockedPackage(normal(entry["name"]), version, hashes, marker, line, index, optional, is_own=is_own)


def _hashes(entry: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(file.get("hash", "")) for file in entry.get("files", []))


def _digest(files: Iterable[Any]) -> str:
    hashes = [str(file.get("hash") if isinstance(file, dict) else file) for file in files]
    return hashes[0].removeprefix("sha256:") if len(hashes) == 1 else ""


def _git(name: str, url: str, commit: str, folder: str) -> str:
    return git_line(name, url, commit, folder) or f"{name} @ git+{public_remote(url) or 'an address that is not shown'}"


def git_line(name: str, url: str, commit: str, folder: str) -> str | None:
    """Return the requirement of one commit, by HTTPS, for an SSH key is one person's; None if there can't be one."""
    remote = public_remote(url.removeprefix("git+")) or ""
    if "://" not in remote:
        remote = f"ssh://{remote.replace(':', '/', 1)}"
    address = re.sub(r"^(?:ssh|git)://", "https://", remote)
    line = f"{name} @ git+{address}@{commit}{f'#subdirectory={folder}' if folder else ''}"
    return line if OF_COMMIT.fullmatch(line) else None


def _address(name: str, url: str, digest: str | None) -> str:
    return f"{name} @ {public_remote(url) or 'an address that is not shown'}#sha256={digest}"


def _toml_lines(entry: Mapping[str, Any]) -> Iterator[str]:
    for key, value in entry.items():
        yield f"{key} = {_toml(value)}\n"


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {_toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    # a string of JSON is one of TOML, but for what JSON writes as two halves
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")


def file_problem(packages: Iterable[LockedPackage]) -> str | None:
    """Name a package with a file that others don't have, or that could be another one; None if there's none."""
    for package in packages:
        files = [*package.entry.get("wheels", ()), *([package.entry["sdist"]] if "sdist" in package.entry else [])]
        for file in files:
            is_here = "path" in file or urlsplit(file.get("url", "")).scheme != "https"
            if not package.is_hashed or (is_here and "sha256" not in file.get("hashes", ())):
                return package.name
    return None
