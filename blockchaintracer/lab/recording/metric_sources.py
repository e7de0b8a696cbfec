"""Metrics that a program tells by what it prints and by files of its own, instead of a run document."""

from __future__ import annotations

import os
import re
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.formats import read_limited
from blockchaintracer.core.manifest import Tolerance
from blockchaintracer.core.manifest.predicates import MetricSource, plain_name
from blockchaintracer.lab.capture.metric_files import TABLES, in_another_process
from blockchaintracer.lab.recording.experiment import GivenMetric

MAX_METRICS = 500
STREAMS = ("stdout", "stderr")
_ASSIGNED = re.compile(r"([^=]+)=(stdout|stderr|[^:]+):(.+)", re.DOTALL)
_MAGIC = re.compile(r"[*?[]")
_TIME = re.compile(
    r"(?<![a-z])(date|duration|elapsed|fps|hours|latency|mem|memory|minutes|ms|ns|pid|rss|runtime|secs?|seconds?|speed"
    r"|throughput|times?|timestamp|timing|uptime|walltime)(?![a-z])"
)


@dataclass
class MetricReader:
    """Reads metrics of one run of a program: what it prints, and files that it writes after `begin`.

    Args:
        folder: its working folder; nothing outside of `root` is read.
        sources: of single metrics, by name.
        tables: patterns of paths from `folder`, of files that hold metrics by name.

    Attributes:
        missing: why there is no number for a metric, or for a file of metrics, once it was read.
        files: the files of `tables` that the program wrote, once they were read; none of MLflow's.
    """

    folder: Path
    root: Path
    sources: Mapping[str, MetricSource]
    tables: Sequence[str] = ()
    missing: dict[str, str] = field(default_factory=dict)
    files: list[Path] = field(default_factory=list)
    _question: dict[str, Any] | None = None

    @property
    def streams(self) -> set[str]:
        """Which of ``stdout`` and ``stderr`` are to be kept while the program runs."""
        return {source.kind for source in self.sources.values() if source.kind in STREAMS}

    def begin(self, streams: Mapping[str, Path]) -> None:
        """Note which files are there: what the program leaves as it is was not told by it.

        Args:
            streams: the files with what it is going to print.
        """
        keyed = [place_of(source) for source in self.sources.values() if source.key]
        question: dict[str, Any] = {
            # followed before the program runs, which may put a link there
            "root": os.path.realpath(self.root),
            "folder": str(self.folder),
            "files": list(dict.fromkeys((*self.tables, *keyed))),
            "texts": [(place_of(source), source.pattern) for source in self.sources.values() if source.pattern],
            "streams": {f"<{name}>": str(path) for name, path in streams.items()},
            "began": time.time_ns() // 1_000_000,
            "before": None,
        }
        if question["files"] or question["texts"]:
            self._question = question
            question["before"] = in_another_process(question)["state"]

    def read(self) -> dict[str, tuple[float, MetricSource]]:
        """Return the number and the source of each metric that the program told."""
        if self._question is None:
            return {}
        try:
            answer = in_another_process(self._question)
        except InputError as error:
            why = f"{error.message}. {error.hint or ''}".rstrip()
            self.missing = dict.fromkeys((*self.sources, *self.tables), why)
            return {}
        texts = iter(answer["numbers"])
        tables = {
            pattern: _merged(files) for pattern, files in zip(self._question["files"], answer["tables"], strict=True)
        }
        wanted = [tables[pattern] for pattern in self.tables]
        paths = {path for files in wanted for path, values in files.items() if isinstance(values, dict)}
        self.files = [self.folder / path for path in sorted(paths) if os.path.splitext(path)[1] in TABLES]
        told: dict[str, tuple[float, MetricSource]] = {}
        missing = self.missing
        for name, source in self.sources.items():
            number = next(texts) if source.pattern else _one(tables[place_of(source)], source)
            if isinstance(number, str):
                missing[name] = number
            else:
                told[name] = number, source
        for pattern in self.tables:
            problems = [f"{path}: {values}" for path, values in tables[pattern].items() if isinstance(values, str)]
            if problems or not any(tables[pattern].values()):
                missing[pattern] = problems[0] if problems else "the program wrote no number there"
        read, several = _named({pattern: tables[pattern] for pattern in self.tables})
        missing |= dict.fromkeys(several, "several MLflow runs of the program have it")
        if len(read) > MAX_METRICS:
            missing["metrics"] = f"expected at most {MAX_METRICS} metrics, got {len(read)}"
        return {**read, **told}


def _named(tables: Mapping[str, Mapping[str, Any]]) -> tuple[dict[str, tuple[float, MetricSource]], set[str]]:
    """Name the numbers of files. What several files have is named by the file, too; MLflow's runs have no such name."""
    found = [
        (key, number, path, pattern)
        for pattern, files in tables.items()
        for path, values in files.items()
        for key, number in (values.items() if isinstance(values, dict) else ())
        if _is_name(key)
    ]
    count = Counter(key for key, _ in {(key, path) for key, _, path, _ in found})
    named: dict[str, tuple[float, MetricSource]] = {}
    several = set()
    for key, number, path, pattern in found:
        stem, suffix = os.path.splitext(path)
        if count[key] == 1:
            named[key] = number, table_source(pattern, key)
        elif suffix in TABLES:
            named[f"{stem}.{key}"] = number, table_source(path, key)
        else:
            several.add(key)
    return named, several


def _is_name(key: str) -> bool:
    try:
        return plain_name(key) == key
    except ValueError:
        # no record can hold it
        return False


def _merged(files: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for path, values in files:
        before = merged.get(path)
        merged[path] = {**before, **values} if isinstance(before, dict) and isinstance(values, dict) else values
    return merged


def _one(files: Mapping[str, Any], source: MetricSource) -> float | str:
    """The number of a key in the one file that has it, or why there is none."""
    if not files:
        return f"the program wrote no file {source.path}"
    having = [values[source.key] for values in files.values() if isinstance(values, dict) and source.key in values]
    if len(having) == 1:
        return float(having[0])
    problem = next((f"{path}: {values}" for path, values in files.items() if isinstance(values, str)), None)
    return problem or f"{len(having)} files that the program wrote at {source.path} have {source.key}"


def place_of(source: MetricSource) -> str:
    """Return what a source reads: a stream, or a pattern of paths from the working folder."""
    return f"<{source.kind}>" if source.path is None else "/".join([*[".."] * (source.up or 0), source.path])


def table_source(pattern: str, key: str) -> MetricSource:
    """Return the source of one number in files of numbers."""
    return MetricSource(kind="file", key=key, **_place(pattern))


def _place(path: str) -> dict[str, Any]:
    parts = path.split("/")
    up = parts.count("..")
    return {"path": "/".join(parts[up:]), "up": up or None}


def portable_pattern(given: str, folder: Path, root: Path) -> str:
    """Return a path or pattern as counted from the working folder of a program.

    Raises:
        InputError: if it leads out of the repository: others have no such place.
    """
    path = os.path.normpath(os.path.join(folder, given))
    if not Path(os.path.realpath(_MAGIC.split(path)[0])).is_relative_to(root.resolve()):
        raise InputError(
            f"expected a file of metrics inside of {root}, got {given!r}",
            hint="Others who repeat the run have no such place: let the program write its metrics beside its code.",
        )
    return os.path.relpath(path, folder)


def given_sources(texts: Sequence[str], folder: Path, root: Path) -> dict[str, MetricSource]:
    """Read ``name=stdout:REGEX``, with ``stderr``, a file, or ``cell`` of a notebook in the place of stdout."""
    sources: dict[str, MetricSource] = {}
    for text in texts:
        match = _ASSIGNED.fullmatch(text)
        if not match:
            raise InputError(
                f"expected a metric as name=stdout:REGEX, name=stderr:REGEX or name=FILE:REGEX, got {text!r}"
            )
        # a notebook prints what its cells show
        name, place, pattern = match[1].strip(), "stdout" if match[2] == "cell" else match[2], match[3]
        try:
            groups = re.compile(pattern, re.MULTILINE).groups
        except (re.error, RecursionError, OverflowError) as error:
            raise InputError(f"{name}: expected a regular expression, got {pattern!r}: {error}") from None
        if not groups:
            raise InputError(f"{name}: expected a group around the number, such as acc=(\\S+), got {pattern!r}")
        if name in sources:
            raise InputError(f"expected one --metric-from for {name}, got two")
        kind = place if place in STREAMS else "file"
        where = {} if kind in STREAMS else _place(portable_pattern(place, folder, root))
        sources[name] = MetricSource.from_plain({"kind": kind, "pattern": pattern, **where}, f"metric-from {name}")
    return sources


def given_tables(paths: Sequence[str], folder: Path, root: Path) -> list[str]:
    """Return the patterns of ``--metrics``. A ``dvc.yaml`` stands for the files that it names as metrics."""
    patterns: list[str] = []
    for given in paths:
        if Path(given).name == "dvc.yaml":
            base = os.path.dirname(given)
            patterns += [os.path.join(base, path) for path in _dvc_metrics(Path(folder, given))]
        else:
            patterns.append(given)
    return list(dict.fromkeys(portable_pattern(pattern, folder, root) for pattern in patterns))


def _dvc_metrics(file: Path) -> list[str]:
    from blockchaintracer.lab.recording.run_document import parse_yaml

    data = parse_yaml(read_limited(file, 1 << 20, "a dvc.yaml"))
    data = data if isinstance(data, dict) else {}
    stages = data.get("stages")
    described = [data, *(stages.values() if isinstance(stages, dict) else ())]
    listed = [each.get("metrics") for each in described if isinstance(each, dict)]
    entries = [entry for each in listed if isinstance(each, list) for entry in each]
    paths = [entry if isinstance(entry, str) else next(iter(entry), "") for entry in entries if entry]
    if not paths:
        raise InputError(f"expected metrics in {file}, got none", hint="Name the files themselves by --metrics.")
    return paths


def with_tolerance(name: str, metric: GivenMetric, given: Mapping[str, str]) -> GivenMetric:
    """Return a metric with the tolerance that is given for its name, or for a pattern of names."""
    text = next((text for pattern, text in given.items() if fnmatchcase(name, pattern)), None)
    if text is None:
        return metric
    return GivenMetric(**{name: getattr(metric, name) for name in metric.model_fields_set} | parse_tolerance(text))


def parse_tolerance(text: str) -> dict[str, Any]:
    """Read ``0.01`` (absolute), ``1%`` (relative), ``count`` (exactly) or ``none`` (never compared)."""
    if text in ("count", "none"):
        return {"count": True} if text == "count" else {"tolerance": None}
    try:
        number = float(text.removesuffix("%"))
    except ValueError:
        number = -1.0
    if not 0 <= number < float("inf"):
        raise InputError(f"expected a tolerance as 0.01, 1%, count or none, got {text!r}")
    return {"tolerance": Tolerance(relative=number / 100) if text.endswith("%") else Tolerance(absolute=number)}


def is_a_time(name: str) -> bool:
    """Return whether a metric is by its name a time, a speed or the like, which no other machine finds again."""
    return _TIME.search(name.lower()) is not None
