"""The checks of the rubric's items: each looks at a case and gives a finding. None takes a record's word for what it
can see for itself, and what can't be seen from here is unknown."""

from __future__ import annotations

import re
import statistics
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack
from typing import Any

from blockchaintracer.core.digest import parse_listing
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.manifest import Artifact, ContentPredicate
from blockchaintracer.core.record import Kind, Relation, SubjectType
from blockchaintracer.extras.score.data_rows import Table, Unreadable, read_split
from blockchaintracer.extras.score.entry_point import GENERATORS, entry_file, generators, is_inline
from blockchaintracer.extras.score.evidence import (
    Case,
    Finding,
    Input,
    Seen,
    data_digests,
    disagreement,
    observed,
    same_code,
    seeds_of,
)
from blockchaintracer.extras.score.locks import unhashed
from blockchaintracer.lab.recording.templates import load_template, validate_against_template

Check = Callable[[Case], Finding]

_LISTING_LIMIT = 64 << 20
_IMAGE = re.compile(r"(?:[^\s@]+@)?sha256:[0-9a-f]{64}")
_LICENCES = ("license", "licence", "copying", "unlicense")
_CITATIONS = ("citation.cff", "codemeta.json")
_SHOWN = 5
_RUNS = 3


# -- data


def inputs_hashed(case: Case) -> Finding:
    """There are data or a model, and every input is a record whose subject is the digest of its bytes."""
    if not any(entry.is_data or entry.kind == Kind.MODEL for entry in case.inputs):
        return failed("the run names no data and no model that it read")
    hidden = [_called(entry) for entry in case.inputs if entry.subject_type == SubjectType.COMMITMENT]
    if hidden:
        return unknown(f"the digest is behind a salted commitment: {_some(hidden)}")
    without = [_called(entry) for entry in case.inputs if not entry.is_hashed]
    if without:
        return failed(f"no digest of the bytes: {_some(without)}")
    return passed(f"{len(case.inputs)} inputs, each by the SHA-256 of its recorded file or folder")


def data_described(case: Case) -> Finding:
    """Every dataset's record tells licence and source."""
    if not case.data:
        return failed("the run names no data")
    lacking = []
    for entry in case.data:
        if isinstance(entry.content, ContentPredicate):
            lacks = [name for name in ("license", "source") if not getattr(entry.content, name)]
            lacking += [f"{_called(entry)} ({' and '.join(lacks)})"] if lacks else []
    if lacking:
        return failed(f"not stated: {_some(lacking)}")
    unseen = [_called(entry) for entry in case.data if entry.content is None]
    if unseen:
        return unknown(f"the manifest is not here, or states no licence: {_some(unseen)}")
    return passed(f"record id, licence and source of {len(case.data)} datasets")


def split_hashed(case: Case) -> Finding:
    """There is a digest of how data were divided for training and for measuring."""
    if split := _outputs(case, "split"):
        return passed(f"{split[0].path}, SHA-256 {split[0].sha256}")
    train, test = _sides(case)
    if train and test:
        return passed("training and evaluation data are inputs of their own, each by its digest")
    return failed("the run names no split, and no separate data to evaluate on")


def rows_apart(case: Case) -> Finding:
    """No row of the training data is among those that were measured on: rows are read and compared by digest."""
    train, test = _sides(case)
    try:
        with ExitStack() as opened:
            if split := _outputs(case, "split"):
                return _split_apart(case, split[0], opened)
            if not (train and test):
                return unknown("the run names no split, and no separate data to evaluate on")
            if shared := {entry.subject for entry in train} & {entry.subject for entry in test}:
                return failed(f"training and evaluation data are the same file: {min(shared)}")
            sides = [[*_tables(case, entries, opened)] for entries in (train, test)]
            return _sides_apart(*sides)
    except Unreadable as problem:
        return unknown(str(problem))


def _sides_apart(train: list[Table | bytes], test: list[Table | bytes]) -> Finding:
    tables = [one for one in (*train, *test) if isinstance(one, Table)]
    layouts = {table.layout() for table in tables} | {
        "whole files" for one in (*train, *test) if isinstance(one, bytes)
    }
    if len(layouts) > 1:
        raise Unreadable(f"rows of different layouts can't be compared: {', '.join(sorted(layouts))}")
    first = {tuple(line) for line in (table.first_line() for table in tables) if line is not None}
    header = len(tables) > 1 and len(first) == 1
    known = set(_rows(train, header))
    shared = count = 0
    for row in _rows(test, header):
        count += 1
        shared += row in known
    if shared:
        return failed(f"{shared} of {count} rows to evaluate on are among those trained on")
    if header and any(_is_number(cell) for cell in next(iter(first))):
        return unknown("all files begin with the same line, which may be a header or a shared row")
    return passed(f"none of {count} rows to evaluate on is among {len(known)} different ones trained on")


def _split_apart(case: Case, split: Artifact, opened: ExitStack) -> Finding:
    path = opened.enter_context(case.open(split.sha256))
    if path is None:
        raise Unreadable("the split is not here")
    sides = read_split(path)
    train, test = set(sides["train"]), set(sides["test"])
    if shared := train & test:
        return failed(f"{len(shared)} row numbers are on both sides of the split")
    if len(case.data) != 1:
        raise Unreadable(f"the row numbers are apart, but of which of {len(case.data)} datasets is not said")
    [table, *more] = _tables(case, case.data, opened)
    if more or not isinstance(table, Table):
        raise Unreadable("the row numbers are apart, but the data are no single CSV, NPY or Parquet file")
    rows = list(table.rows(header=sides["header"] and table.first_line() is not None))
    if max(train | test) >= len(rows):
        return failed(f"the split names row {max(train | test)}, the data have {len(rows)}")
    known = {rows[number] for number in train}
    shared_rows = sum(rows[number] in known for number in test)
    if shared_rows:
        return failed(f"{shared_rows} of {len(test)} rows to evaluate on equal one trained on")
    return passed(f"none of {len(test)} rows to evaluate on equals one of {len(train)} trained on")


def _sides(case: Case) -> tuple[list[Input], list[Input]]:
    train = [entry for entry in case.data if entry.relation == Relation.TRAINED_ON]
    return train, [entry for entry in case.data if entry.relation == Relation.EVALUATED_ON]


def _tables(case: Case, entries: Sequence[Input], opened: ExitStack) -> Iterator[Table | bytes]:
    """The data files of inputs; of a folder each, what is no table by its digest as one row."""
    for entry in entries:
        path = opened.enter_context(case.open(entry.subject)) if entry.is_hashed else None
        if path is None:
            raise Unreadable(f"{_called(entry)} is not here")
        if entry.subject_type == SubjectType.FILE:
            yield Table(path, entry.name or "data")
            continue
        if path.stat().st_size > _LISTING_LIMIT:
            raise Unreadable(f"{_called(entry)} holds too many files")
        for name, digest in parse_listing(path.read_bytes()):
            if not name.lower().endswith((".csv", ".tsv", ".npy", ".parquet")):
                yield bytes.fromhex(digest)
            elif file := opened.enter_context(case.open(digest)):
                yield Table(file, name)
            else:
                raise Unreadable(f"{name} of {_called(entry)} is not here")


def _rows(side: list[Table | bytes], header: bool) -> Iterator[bytes]:
    for one in side:
        if isinstance(one, bytes):
            yield one
        else:
            yield from one.rows(header=header)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


# -- code


def commit(case: Case) -> Finding:
    """The recorded code could be restored here."""
    return case.code


def training_entry(case: Case) -> Finding:
    """The recorded command starts a file of the recorded code."""
    command = _command(case)
    if not command:
        return failed("the run names no command")
    if is_inline(command):
        return passed("the command holds the program itself")
    if not (case.tree and case.folder):
        return _without_code(case)
    if found := entry_file(command, case.folder, case.tree):
        return passed(f"{found.relative_to(case.tree.resolve()).as_posix()} of the recorded code")
    return failed("the command names no file of the recorded code")


def evaluation_entry(case: Case) -> Finding:
    """The script that measures is named and there, or the run's own command was seen to measure."""
    if not case.run.metrics:
        return unknown("its metrics may be private") if case.run.private else failed("the run states no metric")
    said = _declared(case, "evaluation_entry_point")
    if said is not None:
        if not (case.tree and case.folder):
            return _without_code(case)
        found = entry_file([said], case.folder, case.tree) if isinstance(said, str) else None
        if found is None:
            return failed("the evaluation script that is named is not in the recorded code")
        return passed(f"{found.relative_to(case.tree.resolve()).as_posix()} of the recorded code")
    if by := _reproduced(case):
        return passed(f"the recorded command measures by itself: group {by.group} found its metrics with it")
    return unknown("whether the command of the training also measures is not told")


def code_licence(case: Case) -> Finding:
    """Licence and citation lie in the root of the recorded code."""
    if case.tree is None:
        return _without_code(case)
    names = {path.name.lower() for path in case.tree.iterdir() if path.is_file()}
    lacks = [] if any(name.startswith(_LICENCES) for name in names) else ["LICENSE"]
    lacks += [] if names & {*_CITATIONS} else ["CITATION.cff"]
    if lacks:
        return failed(f"not in the root of the code: {' and '.join(lacks)}")
    return passed("licence and citation are in the root of the code")


# -- environment


def lock(case: Case) -> Finding:
    """The lock file names every package by digest."""
    artifact = case.run.environment.lock
    if artifact is None:
        return failed("the run names no lock file")
    with case.open(artifact.sha256) as path:
        read = unhashed(artifact.path, path.read_bytes()) if path else None
    if read is None:
        return unknown("the lock file is not here, or can't be read")
    count, without = read
    if not count or without:
        return failed(f"without a digest in {artifact.path}: {_some(without) or 'all'}")
    return passed(f"{artifact.path} names {count} packages by digest")


def machine(case: Case) -> Finding:
    """Interpreter, system, processors and numerical libraries were captured."""
    environment, hardware = case.run.environment.model_extra or {}, case.run.hardware
    if not environment and not hardware:
        return failed("nothing of the machine was captured")
    packages = environment.get("packages") or {}
    told = {
        "Python": _within(environment, "python", "version"),
        "OS": _within(hardware, "os", "system"),
        "CPU": _within(hardware, "cpu", "model"),
        "GPU": isinstance(hardware.get("gpus"), list),
        "driver": all(_within(gpu, "driver") for gpu in hardware.get("gpus") or ()),
        # only numerical packages load one
        "BLAS": bool(environment.get("blas")) or "numpy" not in packages,
    }
    if lacks := [name for name, value in told.items() if not value]:
        return failed(f"not captured: {', '.join(lacks)}")
    return passed("captured: " + ", ".join(told))


def container(case: Case) -> Finding:
    """An image is named by its digest, or recorded."""
    images = [entry for entry in case.inputs if entry.kind == Kind.ENVIRONMENT and entry.is_hashed]
    if images:
        return passed(f"a recorded environment, SHA-256 {images[0].subject}")
    said = _declared(case, "container_digest")
    if said is None:
        return failed("no container is named")
    if not isinstance(said, str) or not _IMAGE.fullmatch(said):
        return failed("the container is not named by its SHA-256")
    return passed(said)


def rebuild(case: Case) -> Finding:
    """The environment was installed anew from its lock: now, or by a group that repeated the run."""
    artifact = case.run.environment.lock
    if artifact is None:
        return failed("the run names no lock file to rebuild from")
    if case.rebuilt:
        return case.rebuilt
    for said in case.verdicts:
        seen = said.evidence
        if not (said.holds and seen and seen.stands and seen.run):
            continue
        theirs = seen.run.environment
        if theirs.lock and theirs.lock.sha256 == artifact.sha256 and observed(seen.run):
            return passed(f"by group {said.group}, whose run {seen.record} ran in it")
    return unknown("nobody is seen to have rebuilt it")


# -- method


def parameters(case: Case) -> Finding:
    """All that the run's template asks for is stated."""
    given = case.run.parameters or case.run.experiment.model_configuration
    if case.run.private:
        return unknown("some values are private: nothing tells which parameters are among them")
    if not given:
        return failed("the run states no parameter")
    template = case.run.template
    if template is None:
        return unknown(f"{len(given)} parameters are stated; without a template nothing says what is complete")
    try:
        load_template(template.name, template.version)
    except InputError:
        return unknown(f"the template {template.name} {template.version} is not known here")
    try:
        validate_against_template(case.run, template.name, template.version)
    except InputError as problem:
        return failed(f"lacks what {template.name} {template.version} asks for: {problem.values.get('field')}")
    return passed(f"all that {template.name} {template.version} asks for")


def seeds(case: Case) -> Finding:
    """Every generator that the code imports has a seed of its name, or was seeded by `seed_everything`."""
    stated = case.run.seeds
    command = _command(case)
    entry = entry_file(command, case.folder, case.tree) if case.tree and case.folder else None
    used = generators(entry, case.folder, case.tree) if entry and case.tree and case.folder else None
    if used is not None and not used:
        return passed("the code imports no generator of random numbers")
    seeded = stated.get("seeded")
    named = {*stated, *(seeded if isinstance(seeded, list) and stated.get("seed") is not None else ())} & {*GENERATORS}
    if not stated or stated.get("seed", "") is None:
        return failed("the run states no seed")
    if used is None:
        return unknown("seeds are stated; the code can't be asked which generators it uses")
    if missing := used - named:
        return unknown(f"not said to be seeded: {', '.join(sorted(missing))}, which the code imports")
    return passed(f"seeded, all that the code imports: {', '.join(sorted(used))}")


def determinism(case: Case) -> Finding:
    """Variables that make equal runs equal were set."""
    environment = case.run.environment.model_extra or {}
    if "python" not in environment:
        return unknown("the environment was not captured")
    variables, packages = environment.get("variables") or {}, environment.get("packages") or {}
    wanted = ["PYTHONHASHSEED"]
    if case.run.hardware.get("gpus"):
        wanted += ["CUBLAS_WORKSPACE_CONFIG"] if "torch" in packages else []
        wanted += ["TF_DETERMINISTIC_OPS"] if "tensorflow" in packages else []
    missing = [name for name in wanted if variables.get(name) in (None, "", "random")]
    if missing:
        return failed(f"not set: {', '.join(missing)}")
    return passed(", ".join(f"{name}={variables[name]}" for name in wanted))


def search(case: Case) -> Finding:
    """How many settings were tried, and out of which."""
    trials, space = _declared(case, "trials"), _declared(case, "search_space")
    if type(trials) is not int or trials < 1:
        return failed("the number of trials is not stated")
    if trials == 1:
        return passed("one trial: nothing was searched")
    if not isinstance(space, dict | list) or not space:
        return failed(f"{trials} trials, but no search space is stated")
    return passed(f"{trials} trials over {len(space)} dimensions")


# -- results


def runs(case: Case) -> Finding:
    """Runs of the same code, data and parameters with other seeds show how far the metrics scatter."""
    ours = case.run
    if not ours.metrics or ours.code.commit is None or not ours.inputs:
        return failed("without a commit, inputs and a metric no other run can be compared")
    alike = [
        seen.run
        for seen in case.others
        if seen.run
        and seen.stands
        and seen.run.status == "completed"
        and same_code(ours, seen.run)
        and data_digests(seen.run) == data_digests(ours)
        and seen.run.parameters == ours.parameters
    ]
    different = {seeds_of(run) or run.run_id.encode(): run for run in (ours, *alike)}
    found = [different[key] for key in sorted(different)]
    common = [name for name in ours.metrics if all(name in run.metrics for run in found)]
    if len(found) < _RUNS or not common:
        return failed(f"{len(found)} runs of the same code, data and parameters with seeds of their own")
    told = []
    for name in common[:_SHOWN]:
        values = [run.metrics[name].value for run in found]
        told.append(f"{name} {statistics.fmean(values):.6g} ± {statistics.stdev(values):.2g}")
    return passed(f"{len(found)} runs, mean and standard deviation: {', '.join(told)}")


def predictions(case: Case) -> Finding:
    """What was predicted is an output of the run."""
    if found := _outputs(case, "predictions"):
        return passed(f"{found[0].path}, SHA-256 {found[0].sha256}")
    return failed("no output has the role predictions")


def weights(case: Case) -> Finding:
    """The model was fetched from a place that isn't the lab's own store."""
    models = _outputs(case, "model")
    if not models:
        return failed("no output has the role model")
    if any(output.encrypted for output in case.run.outputs if output.role == "model"):
        return unknown("it is encrypted: whether its recipients can read it isn't seen from outside")
    if len(case.places) == 1:
        return unknown("no published place was named to fetch it from")
    of_models = tuple(f"output {model.path}" for model in models)
    wanted = {one.sha256 for one in case.needed if one.what.startswith(of_models)}
    for place in case.places[1:]:
        if all(place in case.copies.get(digest, ()) for digest in wanted):
            return passed(f"fetched from {place} and re-hashed")
    return unknown(case.away[0]) if case.away else failed("no place that was named has all of it")


def model_card(case: Case) -> Finding:
    """The record of the model says what it is."""
    if not _outputs(case, "model"):
        return failed("no output has the role model")
    if not case.weights:
        return failed("the group has no record of the model, or its manifest is not here")
    wanted = ("name", "description", "license")
    best = max(case.weights, key=lambda card: sum(bool(getattr(card, name)) for name in wanted))
    if lacks := [name for name in wanted if not getattr(best, name)]:
        return failed(f"the record of the model states no {', no '.join(lacks)}")
    return passed("the record of the model states name, description and licence")


# -- the record


def signed(case: Case) -> Finding:
    """The author's own signature covers the record."""
    return case.signed


def anchored(case: Case) -> Finding:
    """The record is in a final block."""
    return case.anchored


def fetched(case: Case) -> Finding:
    """Every object of the run was read and re-hashed."""
    missing = [one.what for one in case.needed if not case.copies.get(one.sha256)]
    if not missing:
        return passed(f"{len(case.needed)} objects, every byte")
    told = f"{len(missing)} of {len(case.needed)} objects are not to be had: {_some(missing)}"
    return unknown(told) if case.away or len(case.places) == 1 else failed(told)


def second_copy(case: Case) -> Finding:
    """Every object of the run is whole in two places."""
    if len(case.places) == 1:
        return unknown("no other place was named")
    single = [one.what for one in case.needed if len(case.copies.get(one.sha256, ())) < 2]
    if not single:
        return passed(f"each of {len(case.needed)} objects in two of: {', '.join(case.places)}")
    told = f"{len(single)} of {len(case.needed)} objects without a second copy: {_some(single)}"
    return unknown(told) if case.away else failed(told)


CHECKS: dict[str, Check] = {
    check.__name__.replace("_", "-"): check
    for check in (
        *(inputs_hashed, data_described, split_hashed, rows_apart),
        *(commit, training_entry, evaluation_entry, code_licence),
        *(lock, machine, container, rebuild),
        *(parameters, seeds, determinism, search),
        *(runs, predictions, weights, model_card),
        *(signed, anchored, fetched, second_copy),
    )
}
"""The check of each item of the rubric, by its id."""

CAPS: dict[str, Callable[[Case], bool]] = {
    "no-data-digest": lambda case: not any(entry.is_hashed for entry in case.data),
    "no-commit": lambda case: case.run.code.commit is None,
}
"""Whether a cap applies."""


def _reproduced(case: Case) -> Seen | None:
    """A run of another group that found the metrics again with the recorded code and command."""
    for said in case.verdicts:
        seen = said.evidence
        if said.holds and said.verdict == "reproduced" and seen and seen.stands and seen.run:
            same = same_code(case.run, seen.run) and _of_command(seen.run.code) == _of_command(case.run.code)
            if same and disagreement(case.run, seen.run) is None:
                return seen
    return None


def _of_command(code: Any) -> tuple[Any, ...]:
    return code.entry_point, code.arguments


def _without_code(case: Case) -> Finding:
    return unknown("the code is not here") if case.run.code.commit else failed("no code is recorded")


def _command(case: Case) -> list[str]:
    code = case.run.code
    return [code.entry_point, *code.arguments] if code.entry_point else []


def _declared(case: Case, name: str) -> Any:
    """A value that the author states by this name, wherever a run document or the tracer can hold it."""
    told = case.run.experiment
    for place in (case.run.parameters, told.additional_info, told.model_configuration):
        if place and name in place:
            return place[name]
    return None


def _outputs(case: Case, role: str) -> list[Artifact]:
    return [output.artifact for output in case.run.outputs if output.role == role]


def _within(values: Any, *path: str) -> Any:
    for name in path:
        values = values.get(name) if isinstance(values, dict) else None
    return values


def _called(entry: Input) -> str:
    return entry.name or entry.record


def _some(names: Collection[str]) -> str:
    shown = sorted(names)
    return ", ".join(shown[:_SHOWN]) + (f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else "")
