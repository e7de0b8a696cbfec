"""Reads the metrics that a program left in files or printed, without its help.

Files, names and expressions may be a stranger's. So another process reads them (`in_another_process`), which has
`LIMIT_S` seconds and `MAX_MEMORY` bytes: an expression that backtracks for ever ends with it.
"""

from __future__ import annotations

import csv
import json
import math
import os
import re
import subprocess
import sys
import tomllib
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from glob import escape, glob
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

from blockchaintracer.core.errors import BlockchainTracerError, InputError
from blockchaintracer.core.formats import read_limited
from blockchaintracer.core.plain_json import loads_shallow

LIMIT_S = 20
MAX_MEMORY = 4 << 30
MAX_FILE = 16 << 20
"""The largest file of metrics in bytes; of text that is searched, its last bytes count."""
MAX_FILES = 1000
TABLES = (".json", ".jsonl", ".yaml", ".yml", ".toml", ".csv", ".tsv")
DATABASES = (".db", ".sqlite", ".sqlite3")
"""Names of files that are read as MLflow's database; a folder is read as MLflow's ``mlruns``."""

_COLOUR = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_CHILD = """
import json, resource, sys
sys.path.insert(0, sys.argv[1])
from blockchaintracer.lab.capture.metric_files import MAX_MEMORY, answer
resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
json.dump(answer(json.load(sys.stdin)), sys.stdout)
"""


def in_another_process(question: Mapping[str, Any]) -> dict[str, Any]:
    """Return `answer` of a question, from a process that ends after `LIMIT_S` seconds.

    Raises:
        InputError: if it takes longer, or more memory.
    """
    command = [sys.executable, "-I", "-c", _CHILD, str(Path(__file__).resolve().parents[3])]
    # the process that reads has no need of the keys
    from blockchaintracer.lab.keys import without_secrets

    more: dict[str, Any] = {"input": json.dumps(question).encode(), "env": without_secrets(os.environ)}
    try:
        done = subprocess.run(command, **more, capture_output=True, check=True, timeout=LIMIT_S)  # noqa: S603
    except subprocess.TimeoutExpired:
        raise InputError(
            f"the metrics could not be read within {LIMIT_S} s",
            hint="A regular expression may need for ever: nested repetitions such as (a+)+ do.",
        ) from None
    except subprocess.CalledProcessError as error:
        reason = error.stderr.decode(errors="replace").strip().rpartition("\n")[2][:200]
        raise InputError(f"the metrics could not be read: {reason}") from None
    answered: dict[str, Any] = json.loads(done.stdout)
    return answered


def answer(question: Mapping[str, Any]) -> dict[str, Any]:
    """Look for files, or read what changed since then.

    Args:
        question: ``root``, which nothing is read outside of, a path without links; ``files`` and ``texts``: patterns of
            paths, from the folder ``folder``; of texts each with a regular expression. ``streams``: paths by the names
            that texts have instead of a pattern. ``before``: what an earlier answer had in ``state``; None to look
            only. ``began``: when, in milliseconds since 1970.

    Returns:
        ``state``: mark and digest of each file that is there, to look only. ``tables``: for each pattern, path and
        metrics of each file that changed. ``numbers``: for each text the last match's first group. What can't be read
        is text that says why. Of a file that was only added to, what was added counts.
    """
    root, folder, before = question["root"], question["folder"], question["before"]
    patterns = {*question["files"], *(pattern for pattern, _ in question["texts"])} - {*question["streams"]}
    found = {pattern: sorted(_matching(root, folder, pattern)) for pattern in patterns}
    if before is None:
        paths = {path for files in found.values() for path in files}
        return {"state": {path: [*(mark := mark_of(path)), _digest(path, mark[1])] for path in paths}}
    changed = {
        pattern: {path: _kept(path, before.get(path)) for path in files if before.get(path, ())[:3] != mark_of(path)}
        for pattern, files in found.items()
    }
    began = question["began"]
    tables = [
        [[*table] for path, kept in changed[pattern].items() for table in _tables(path, folder, began, kept)]
        for pattern in question["files"]
    ]
    numbers = []
    for pattern, expression in question["texts"]:
        files = {question["streams"][pattern]: 0} if pattern in question["streams"] else changed[pattern]
        if len(files) == 1:
            [(path, kept)] = files.items()
            numbers.append(_number_in(path, expression, f"what was added to {pattern}" if kept else pattern, kept))
        else:
            numbers.append(f"expected one file that the program wrote at {pattern}, got {len(files)}")
    return {"tables": tables, "numbers": numbers}


def _matching(root: str, folder: str, pattern: str) -> Iterator[str]:
    """The files at a path or a pattern, none outside of `root`; of a folder, the metrics in it as MLflow has them."""
    seen: set[str] = set()
    named = [escape(pattern), pattern, *(f"{path}/*/*/metrics/**" for path in (escape(pattern), pattern))]
    for one in named:
        for path in glob(os.path.join(escape(folder), one), recursive=True, include_hidden=True):
            real = os.path.realpath(path)
            if os.path.isfile(real) and real.startswith(root + os.sep) and path not in seen:
                seen.add(path)
                yield path
            if len(seen) > MAX_FILES:
                raise InputError(f"expected at most {MAX_FILES} files of metrics at {pattern}, got more")


def mark_of(path: str | Path) -> list[int]:
    """Return what changes with a file's content."""
    state = os.stat(path)
    return [state.st_ino, state.st_size, state.st_ctime_ns]


def _digest(path: str, size: int) -> str:
    """The digest of the first `size` bytes of a file; of many, of their end."""
    with suppress(OSError), open(path, "rb") as file:
        file.seek(max(0, size - MAX_FILE))
        return sha256(file.read(min(size, MAX_FILE))).hexdigest()
    return ""


def _kept(path: str, before: Sequence[Any] | None) -> int:
    """How many bytes were there before, if a file was only added to: the program did not tell them."""
    _, size, _, digest = before or (0, 0, 0, "")
    return size if os.stat(path).st_size > size and _digest(path, size) == digest else 0


def _added(data: bytes, suffix: str, kept: int) -> bytes:
    """The whole lines behind the first `kept` bytes, below the names of columns."""
    rest = data[kept:]
    if not kept or (suffix == ".json" and not rest.strip()):
        # nothing is added to a JSON document: it was written anew, with another end
        return data
    if data[kept - 1] not in b"\r\n":
        rest = rest.partition(b"\n")[2]
    if suffix in (".csv", ".tsv"):
        head = next(filter(str.strip, data[:kept].decode("utf-8-sig").splitlines()), "")
        [cells] = csv.reader([head], delimiter="\t" if suffix == ".tsv" else ",")
        if all(_cell(cell) is None for cell in cells):
            rest = f"{head}\n".encode() + rest
    return rest


def _tables(path: str, folder: str, began: int, kept: int) -> Iterator[tuple[str, dict[str, float] | str]]:
    """The metrics of a file by the name of the file or, in MLflow's database, by the id of each run."""
    name = os.path.relpath(path, folder)
    suffix = os.path.splitext(path)[1].lower()
    try:
        if suffix in DATABASES:
            yield from _mlflow_runs(path, began).items()
        elif (run := re.fullmatch(r"(.*)/metrics/(.+)", name)) and suffix not in TABLES:
            # a line of MLflow's files is time, value and step; its own system metrics are none of the program's
            last = _added(read_limited(Path(path), MAX_FILE, "metrics"), "", kept).split(b"\n")
            values = [line.split() for line in last if line.strip()]
            if values and not run[2].startswith("system/"):
                yield run[1], {run[2]: float(values[-1][1])}
        elif suffix not in TABLES:
            yield name, f"expected a file of metrics named *{', *'.join((*TABLES, *DATABASES))}"
        else:
            yield name, numbers_of(_added(read_limited(Path(path), MAX_FILE, "metrics"), suffix, kept), suffix)
    except BlockchainTracerError as error:
        yield name, error.message
    except (ValueError, LookupError, RecursionError, OSError, csv.Error) as error:
        yield name, f"it can't be read as {suffix[1:] or 'metrics'}: {type(error).__name__} {error}"[:300]


def numbers_of(data: bytes, suffix: str) -> dict[str, float]:
    """Return the numbers in a file by their names, with dots between nested ones. Of rows each column's last counts."""
    text = data.decode("utf-8-sig")
    if suffix in (".csv", ".tsv"):
        return _columns(text, "\t" if suffix == ".tsv" else ",")
    if suffix == ".toml":
        value: Any = tomllib.loads(text)
    elif suffix in (".yaml", ".yml"):
        import yaml

        from blockchaintracer.lab.recording.yaml_core import CoreLoader

        try:
            value = yaml.load(text, Loader=CoreLoader)  # noqa: S506 - a SafeLoader with fewer tags
        except yaml.YAMLError as error:
            raise ValueError(str(error)) from None
    elif suffix == ".jsonl":
        rows = [dict(_flat(loads_shallow(line.encode()), "")) for line in text.splitlines() if line.strip()]
        return {name: number for row in rows for name, number in row.items()}
    else:
        value = loads_shallow(text.encode())
    return dict(_flat(value, ""))


def _flat(value: Any, name: str) -> Iterator[tuple[str, float]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _flat(item, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _flat(item, f"{name}.{index}" if name else str(index))
    elif (number := _number(value)) is not None and name:
        yield name, number


def _number(value: Any) -> float | None:
    """A number, or text that stands for one where JSON has none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str) and value.lower().lstrip("+-") not in ("nan", "inf", "infinity"):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def _cell(text: str | None) -> float | None:
    try:
        return float(text or "")
    except ValueError:
        return None


def _columns(text: str, delimiter: str) -> dict[str, float]:
    """The last number of each column; if each row has a name of its own in front, every number by row and column."""
    rows = [row for row in csv.reader(text.splitlines(), delimiter=delimiter) if any(cell.strip() for cell in row)]
    head = rows[0] if rows else []
    if len(head) == 2 and _cell(head[1]) is not None:
        # name and value in each line, without a header
        head = ["", ""]
    elif any(_cell(cell) is not None for cell in head):
        raise ValueError("expected a first line with the names of the columns")
    else:
        rows = rows[1:]
    labels = [row[0].strip() for row in rows]
    named = len(set(labels)) == len(labels) and all(label and not label[0].isdigit() for label in labels)
    numbers = {}
    for label, row in zip(labels, rows, strict=True):
        for column, cell in list(zip(head, row, strict=False))[1 if named else 0 :]:
            name = column.strip() if not named else label if len(head) == 2 else f"{label}.{column.strip()}"
            if name and (number := _cell(cell)) is not None:
                numbers[name] = number
    return numbers


def _mlflow_runs(path: str, began: int) -> dict[str, dict[str, float]]:
    """The last metrics of each run that was started since `began` in MLflow's database."""
    import sqlite3

    runs: dict[str, dict[str, float]] = {}
    query = (
        "SELECT run_uuid, key, value, is_nan FROM latest_metrics JOIN runs USING (run_uuid) "
        "WHERE start_time >= ? AND lifecycle_stage = 'active' AND key NOT LIKE 'system/%'"
    )
    connection = sqlite3.connect(f"file:{quote(os.path.abspath(path))}?mode=ro", uri=True)
    try:
        connection.execute("PRAGMA trusted_schema = OFF")
        for run, key, value, is_nan in connection.execute(query, (began,)):
            # MLflow writes infinity as the largest double
            number = math.nan if is_nan else math.copysign(math.inf, value) if abs(value) > 1.79e308 else float(value)
            runs.setdefault(str(run), {})[str(key)] = number
    except (sqlite3.Error, TypeError) as error:
        raise ValueError(str(error)) from None
    finally:
        connection.close()
    return runs


def _number_in(path: str, expression: str, where: str, kept: int) -> float | str:
    """The number in the first group of the last match in a text, behind its first `kept` bytes."""
    with open(path, "rb") as file:
        file.seek(max(kept, os.stat(path).st_size - MAX_FILE))
        text = _COLOUR.sub("", file.read(MAX_FILE).decode(errors="replace").replace("\r", "\n"))
    try:
        matches = deque(re.finditer(expression, text, re.MULTILINE), maxlen=1)
        group = matches[0][1] if matches else None
    except (re.error, IndexError, RecursionError) as error:
        return f"the expression {expression[:80]!r} can't be used: {error}"
    if group is None:
        return f"nothing in {where} matches {expression[:80]!r}"
    number = _cell(group.strip())
    return f"expected a number in group 1 of {expression[:80]!r}, got {group[:40]!r}" if number is None else number
