"""What programs may have read that can't be observed, as far as the recorded text tells: commands, scripts, makefiles.

Only what is known to read nothing but what it is told counts. Of everything else nothing is known, and so it is said.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from fnmatch import translate
from itertools import islice, takewhile
from pathlib import Path

from blockchaintracer.core.digest import open_regular, sha256_file
from blockchaintracer.core.errors import InputError
from blockchaintracer.lab.capture.workflows import split_launcher

_BLIND = re.compile(r"-[a-zA-Z]*[IES][a-zA-Z]*")
"""Options with which Python imports no observer."""
PYTHON = re.compile(r"(?:python|pypy)[0-9.]*")
_PLATFORM = "file gcc getconf ld ldconfig lsb_release lscpu nvidia-smi objdump uname"
_TOOLS = """
[ awk basename bash bc bunzip2 bzcat bzip2 c++ cat cc chmod clang cmp comm cp cut dash date diff dirname echo egrep env
expand expr false fgrep fold g++ gawk gfortran git grep gunzip gzip head install join ksh ln make mawk mkdir mktemp mv
nice nl nohup od paste pdm pipenv poetry print printf pwd realpath rev rm rmdir rye sed seq sh sleep sort split sum tac
tail tar tee test time timeout touch tr true uniq unzip uv wc xargs xz xzcat zcat zip zsh
"""
OF_PLATFORM = frozenset(_PLATFORM.split())
"""Programs that libraries ask about the machine."""
_TOLD = OF_PLATFORM | frozenset(_TOOLS.split())
"""Programs that read what their arguments, their input or a script names, and nothing else that changes a result."""
_SHELLS = ("bash", "dash", "ksh", "sh", "zsh")
_WRAPPERS = ("env", "nice", "nohup", "pdm", "pipenv", "poetry", "rye", "time", "timeout", "uv", "xargs")
_FETCHES = {"annex", "archive", "clone", "fetch", "lfs", "pull", "submodule"}
"""What git does beyond telling the state of the code."""
_BEFORE = (
    r"(?:then|do|else|elif|if|while|until|exec|command|time|nohup|env|xargs|timeout\s+\S+|nice(?:\s+-n\s*\S+)?"
    r"|(?:pdm|pipenv|poetry|rye|uv)\s+run|\w+=[^\s(`]*)\s+"
)
_COMMAND = re.compile(
    rf"(?:^|[;|&(){{`!])(?:[\s@\"'\\-]*{_BEFORE}){{0,50}}[\s@\"'\\-]*"
    r"(\$\{?[A-Za-z_]\w*\}?|[A-Za-z_.~/\[][\w./+~-]*)",
    re.M,
)
_UNTOLD = re.compile(r"PYTHONPATH=(?!.*\$\{?PYTHONPATH).*|\bpython[\d.]* +-[a-zA-Z]*[IES]|\benv +-.*")
"""What starts a Python that does not tell what it reads."""
_GIVEN = re.compile(r"=\s*([A-Za-z][\w.+-]*)")
_PLACE = re.compile(r"(?:(?<=[\s\"'=:(,<>@])|^)((?:~|\$\{?HOME\}?|\.\.)?/?[^\s\"'`;|&<>(),:$={}]+)", re.M)
_SCRIPTS = (".sh", ".bash", ".mk", "Makefile", "makefile")
_SOURCES = (*_SCRIPTS, ".awk", ".c", ".cc", ".cpp", ".f", ".f90", ".h", ".hpp", ".sed")
_LARGEST, _MOST_FILES, _MOST_ENTRIES = 1 << 20, 1000, 20_000
_LONGEST_LINE = 4096


@dataclass
class Told:
    """What is told of programs that can't be observed.

    Args:
        paths: files and folders that the text names, and that are here.
        unknown: programs of which nothing is known.
        tools: SHA-256 of the system's programs that the text starts, by name.
        texts: what was read.
    """

    paths: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)
    tools: dict[str, str] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)


def is_observed(command: Sequence[str]) -> bool:
    """Return whether a command starts a Python that tells what it reads."""
    if PYTHON.fullmatch(os.path.basename(command[0])):
        options = takewhile(lambda one: one.startswith("-") and one not in ("-c", "-m"), command[1:])
        return not any(map(_BLIND.fullmatch, options))
    return "python" in first_line(shutil.which(command[0]))


def told_of(commands: Iterable[Sequence[str]], folder: Path, root: Path, held: Collection[str]) -> Told:
    """Read what the text of commands tells, and that of the recorded scripts and sources that they name.

    Args:
        folder: where they were started; `root` of the repository, of which the files `held` are recorded.
    """
    told = Told()
    todo: list[tuple[str, bool, str]] = []
    for command in (split_launcher(one)[1] for one in commands):
        name = os.path.basename(command[0])
        if is_observed(command) or (name == "git" and not _FETCHES & {*command}):
            continue
        if PYTHON.fullmatch(name):
            told.unknown.add(name)
        texts = [" ".join(command)] if name in _WRAPPERS else command
        todo += ((text, text is command[0] or name in (*_WRAPPERS, *_SHELLS), name) for text in texts)
        todo += [("Makefile makefile GNUmakefile", False, name)] if name == "make" else []
    known: set[str] = set()
    while todo:
        text, is_shell, name = todo.pop()
        text = re.sub(
            r"(?m)^\s*#(?!include).*$|(?:\bsource|(?:^|[;&|])\s*\.)\s+\S*bin/activate\b", "", _single_spaced(text)
        )
        lines = _single_spaced(text.replace("\\\n", " ")).split("\n")
        text = "\n".join(line[:_LONGEST_LINE] for line in lines)
        told.unknown |= {name} if any(len(line) > _LONGEST_LINE for line in lines) else set()
        told.texts.append(text)
        bases = [folder, *(folder / name for name in re.findall(r"(?:\b(?:cd|pushd)|-C)\s+[\"']?([\w./-]+)", text))]
        for word in {*_PLACE.findall(text)}:
            _place(told, word, bases, root)
        if is_shell:
            words = {*_COMMAND.findall(text), *_GIVEN.findall(text)}
            # as of a variable, nothing is known of a Python that is started so that it can't tell
            for name in words | ({"$python"} if _UNTOLD.search(text) else set()):
                _program(told, name, folder, root, held)
        for path in sorted(path for path in told.paths - known if path.startswith(f"{root}/")):
            first = first_line(path)
            is_script = path.endswith(_SCRIPTS) or bool(first and "python" not in first)
            if os.path.relpath(path, root) in held and (is_script or path.endswith(_SOURCES)):
                name = os.path.basename(path)
                todo.append((text_of(path, _LARGEST), is_script, name))
                told.unknown |= {name} if os.path.getsize(path) > _LARGEST else set()
        known |= told.paths
    return told


def _program(told: Told, name: str, folder: Path, root: Path, held: Collection[str]) -> None:
    """Judge a word that may be a program."""
    if name.startswith("$") or name in ("eval", ".", "source"):
        told.unknown.add(name.removeprefix("$"))
        return
    beside, tool = os.path.normpath(folder / os.path.expanduser(name)), os.path.basename(name)
    path = shutil.which(beside if "/" in name else name)
    if path and path.startswith(f"{root}/"):
        told.paths.add(path)
        # what was built from the code is the run's own; of what was committed built, nothing is known
        told.unknown |= {tool} if os.path.relpath(path, root) in held and not first_line(path) else set()
    elif path and not is_observed([path]):
        told.unknown |= {tool} - _TOLD
        if tool in _TOLD - OF_PLATFORM and tool not in told.tools:
            told.tools[tool] = sha256_file(Path(path))


def _place(told: Told, word: str, bases: Sequence[Path], root: Path) -> None:
    """Add what a word of a text names, if it is here."""
    word = os.path.expanduser(re.sub(r"^\$\{?HOME\}?", "~", word))
    if not re.search(r"\w", word) and ".." not in word:
        return
    for path in {os.path.normpath(base / word) for base in bases}:
        if re.search(r"[*?\[]", word):
            told.paths |= {*islice(_matches(path), _MOST_FILES)}
        elif os.path.isdir(path) and path.startswith(f"{root}/"):
            files = (os.path.join(place, name) for place, _, names in os.walk(path) for name in names)
            told.paths |= {*islice(files, _MOST_FILES)}
        elif path not in (str(root), os.sep) and os.path.exists(path):
            told.paths.add(path)


def _matches(pattern: str) -> Iterator[str]:
    """Yield the paths that a shell would put in a pattern's place, after a look at so many entries of folders."""
    places, looked = [os.sep], 0
    for part in pattern.split(os.sep)[1:]:
        if not re.search(r"[*?\[]", part):
            places = [os.path.join(place, part) for place in places]
            continue
        fits, matched = re.compile(translate(part)).match, []
        for place in places:
            with suppress(OSError), os.scandir(place) as entries:
                for entry in islice(entries, _MOST_ENTRIES - looked):
                    looked += 1
                    if fits(entry.name) and (part.startswith(".") or not entry.name.startswith(".")):
                        matched.append(entry.path)
        places = matched
    return filter(os.path.lexists, places)


def first_line(path: str | os.PathLike[str] | None) -> str:
    """Return the line of a script that names its interpreter; empty if there is none."""
    line = text_of(path, 4096).partition("\n")[0] if path else ""
    return line if line.startswith("#!") else ""


def text_of(path: str | os.PathLike[str], most: int) -> str:
    """Return the first `most` bytes of a file as text; empty of what is no regular file or can't be read."""
    with suppress(OSError, InputError), open_regular(path) as (descriptor, _):
        return os.read(descriptor, most).decode(errors="replace")
    return ""


def _single_spaced(text: str) -> str:
    """The lines that are not empty, each with single spaces: runs of them would make the expressions try for hours."""
    return "\n".join(filter(None, (" ".join(line.split()) for line in text.split("\n"))))
