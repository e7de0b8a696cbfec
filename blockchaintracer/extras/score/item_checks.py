"""The checks of the rubric's items: each looks at the evidence and gives a finding. None believes a record where it can
look for itself. What cannot be decided from here is unknown."""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack
from typing import Any

from blockchaintracer.core.digest import parse_listing
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.manifest import Artifact, ContentPredicate, RunPredicate
from blockchaintracer.core.manifest.metric_comparison import are_decisive
from blockchaintracer.core.record import Kind, Relation, SubjectType, counted
from blockchaintracer.extras.score.data_rows import Table, Unreadable, read_split
from blockchaintracer.extras.score.entry_point import (
    GENERATORS,
    STARTED,
    entry_file,
    generators,
    generators_of,
    is_inline,
)
from blockchaintracer.extras.score.evidence import (
    Finding,
    RunEvidence,
    data_digests,
    disagreement,
    failed,
    is_data,
    observed,
    passed,
    same_code,
    seeds_of,
    seeds_of_parameters,
    unknown,
)
from blockchaintracer.lab.capture.locks import unhashed
from blockchaintracer.lab.gather import GatheredInput
from blockchaintracer.lab.plain_text import named
from blockchaintracer.lab.recording.templates import load_template, validate_against_template

Check = Callable[[RunEvidence], Finding]

_LISTING_LIMIT = 64 << 20
_IMAGE = re.compile(r"(?:[^\s@]+@)?sha256:[0-9a-f]{64}")
_LICENCES = ("license", "licence", "copying", "unlicense")
_CITATIONS = ("citation.cff", "codemeta.json")
_SHOWN = 5
_RUNS = 3


# -- data


def inputs_hashed(evidence: RunEvidence) -> Finding:
    """Check that there are data or a model, and that the subject of every input is the digest of its bytes."""
    if not any(is_data(entry) or entry.read.record.key.kind == Kind.MODEL for entry in evidence.inputs):
        return failed("the run names no data and no model that it read")
    commitments = [
        _called(entry) for entry in evidence.inputs if entry.read.record.key.subject_type == SubjectType.COMMITMENT
    ]
    if commitments:
        return unknown(f"the digest is behind a salted commitment: {_some(commitments)}")
    if without := [_called(entry) for entry in evidence.inputs if not entry.read.is_hashed]:
        return failed(f"no digest of the bytes: {_some(without)}")
    reads = evidence.run.reads
    if reads and (missed := [*(name for name in reads.files if not name.endswith(".py")), *reads.addresses]):
        return failed(f"read but not recorded: {_some(missed)}")
    return passed(f"{counted(len(evidence.inputs), 'input')}, each by the SHA-256 of its recorded file or folder")


def data_described(evidence: RunEvidence) -> Finding:
    """Check that the record of every dataset states licence and source."""
    if not evidence.data:
        return failed("the run names no data")
    lacking = []
    for entry in evidence.data:
        if (content := entry.read.content) and (lacks := _missing(content, "license", "source")):
            lacking.append(f"{_called(entry)} ({' and '.join(lacks)})")
    if lacking:
        return failed(f"not stated: {_some(lacking)}")
    if unseen := [_called(entry) for entry in evidence.data if entry.read.content is None]:
        return unknown(f"the manifest is not here, or states no licence: {_some(unseen)}")
    return passed(f"record id, licence and source of {counted(len(evidence.data), 'dataset')}")


def split_hashed(evidence: RunEvidence) -> Finding:
    """Check that a digest holds how data were divided for training and for measuring."""
    if split := _outputs(evidence, "split"):
        return passed(f"{split[0].path}, SHA-256 {split[0].sha256}")
    train, test = _sides(evidence)
    if train and test:
        return passed("training and evaluation data are inputs of their own, each by its digest")
    return failed("the run names no split, and no separate data to evaluate on")


def rows_apart(evidence: RunEvidence) -> Finding:
    """Check that no row of the training data was measured on: rows are read and compared by digest."""
    train, test = _sides(evidence)
    try:
        with ExitStack() as opened:
            if split := _outputs(evidence, "split"):
                return _split_apart(evidence, split[0], opened)
            if not (train and test):
                return unknown("the run names no split, and no separate data to evaluate on")
            if shared := {entry.read.record.subject for entry in train} & {entry.read.record.subject for entry in test}:
                return failed(f"training and evaluation data are the same file: {min(shared)}")
            return _sides_apart([*_tables(evidence, train, opened)], [*_tables(evidence, test, opened)])
    except Unreadable as problem:
        return unknown(str(problem))


def _sides_apart(train: list[Table | bytes], test: list[Table | bytes]) -> Finding:
    layouts = {"whole files" if isinstance(file, bytes) else file.layout() for file in (*train, *test)}
    if len(layouts) > 1:
        raise Unreadable(f"rows of different layouts can't be compared: {', '.join(sorted(layouts))}")
    tables = [file for file in (*train, *test) if isinstance(file, Table)]
    first = {tuple(line) for line in (table.first_line() for table in tables) if line is not None}
    header = len(tables) > 1 and len(first) == 1
    known = set(_rows(train, header))
    count, shared = 0, 0
    for row in _rows(test, header):
        count += 1
        shared += row in known
    if shared:
        return failed(f"{shared} of {count} rows to evaluate on are among those trained on")
    if header and any(_is_number(cell) for cell in next(iter(first))):
        return unknown("all files begin with the same line, which may be a header or a shared row")
    return passed(f"none of {counted(count, 'row')} to evaluate on is among {len(known)} different ones trained on")


def _split_apart(evidence: RunEvidence, split: Artifact, opened: ExitStack) -> Finding:
    path = opened.enter_context(evidence.open(split.sha256))
    if path is None:
        raise Unreadable("the split is not here")
    sides = read_split(path)
    train, test = set(sides["train"]), set(sides["test"])
    if shared := train & test:
        return failed(f"{len(shared)} row numbers are on both sides of the split")
    if len(evidence.data) != 1:
        raise Unreadable(f"the row numbers are apart, but of which of {len(evidence.data)} datasets is not said")
    [table, *more] = _tables(evidence, evidence.data, opened)
    if more or not isinstance(table, Table):
        raise Unreadable("the row numbers are apart, but the data are no single CSV, NPY or Parquet file")
    rows = list(table.rows(header=sides["header"] and table.first_line() is not None))
    if max(train | test) >= len(rows):
        return failed(f"the split names row {max(train | test)}, the data have {len(rows)}")
    known = {rows[number] for number in train}
    if shared_rows := sum(rows[number] in known for number in test):
        return failed(f"{shared_rows} of {len(test)} rows to evaluate on equal one trained on")
    return passed(f"none of {counted(len(test), 'row')} to evaluate on equals one of {len(train)} trained on")


def _sides(evidence: RunEvidence) -> tuple[list[GatheredInput], list[GatheredInput]]:
    train = [entry for entry in evidence.data if entry.relation == Relation.TRAINED_ON]
    return train, [entry for entry in evidence.data if entry.relation == Relation.EVALUATED_ON]


def _tables(evidence: RunEvidence, entries: Sequence[GatheredInput], opened: ExitStack) -> Iterator[Table | bytes]:
    """The data files of inputs; of a folder each, what is no table by its digest as one row."""
    for entry in entries:
        path = opened.enter_context(evidence.open(entry.read.record.subject)) if entry.read.is_hashed else None
        if path is None:
            raise Unreadable(f"{_called(entry)} is not here")
        if entry.read.record.key.subject_type == SubjectType.FILE:
            yield Table(path, entry.name or "data")
            continue
        if path.stat().st_size > _LISTING_LIMIT:
            raise Unreadable(f"{_called(entry)} holds too many files")
        for name, digest in parse_listing(path.read_bytes()):
            if not name.lower().endswith((".csv", ".tsv", ".npy", ".parquet")):
                yield bytes.fromhex(digest)
            elif file := opened.enter_context(evidence.open(digest)):
                yield Table(file, name)
            else:
                raise Unreadable(f"{name} of {_called(entry)} is not here")


def _rows(side: list[Table | bytes], header: bool) -> Iterator[bytes]:
    for file in side:
        yield from [file] if isinstance(file, bytes) else file.rows(header=header)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


# -- code


def commit(evidence: RunEvidence) -> Finding:
    """Check that the recorded code could be restored here, and that the run was not seen to load other code."""
    files = evidence.run.reads.files if evidence.run.reads else ()
    if evidence.code.status == "pass" and (other := [name for name in files if name.endswith(".py")]):
        return failed(f"code was loaded that the commit does not hold: {_some(other)}")
    return evidence.code


def training_entry(evidence: RunEvidence) -> Finding:
    """Check that the recorded command starts a file of the recorded code."""
    if not (command := _command(evidence)):
        return failed("the run names no command")
    if is_inline(command):
        return passed("the command holds the program itself")
    if not evidence.tree:
        return _without_code(evidence)
    if file := _entry(command, evidence):
        return passed(f"{file} of the recorded code")
    return failed("the command names no file of the recorded code")


def evaluation_entry(evidence: RunEvidence) -> Finding:
    """Check that the script that measures is named and there, or that the run's own command was seen to measure."""
    if not evidence.run.metrics:
        return unknown("its metrics may be private") if evidence.run.private else failed("the run states no metric")
    script = _declared(evidence, "evaluation_entry_point")
    if script is not None:
        if not evidence.tree:
            return _without_code(evidence)
        if isinstance(script, str) and (file := _entry([script], evidence)):
            return passed(f"{file} of the recorded code")
        return failed("the evaluation script that is named is not in the recorded code")
    if group := _reproducing_group(evidence):
        return passed(f"the recorded command measures by itself: group {group} found its metrics with it")
    return unknown("whether the command of the training also measures is not told")


def code_licence(evidence: RunEvidence) -> Finding:
    """Check that licence and citation are in the root of the recorded code."""
    if evidence.tree is None:
        return _without_code(evidence)
    names = {path.name.lower() for path in evidence.tree.iterdir() if path.is_file()}
    lacks = [] if any(name.startswith(_LICENCES) for name in names) else ["LICENSE"]
    lacks += [] if names & {*_CITATIONS} else ["CITATION.cff"]
    if lacks:
        return failed(f"not in the root of the code: {' and '.join(lacks)}")
    return passed("licence and citation are in the root of the code")


# -- environment


def lock(evidence: RunEvidence) -> Finding:
    """Check that the lock file names every package by digest."""
    artifact = evidence.run.environment.lock
    if artifact is None:
        return failed("the run names no lock file")
    with evidence.open(artifact.sha256) as path:
        read = unhashed(artifact.path, path.read_bytes()) if path and path.stat().st_size <= _LISTING_LIMIT else None
    if read is None:
        return unknown("the lock file is not here, or can't be read")
    count, without = read
    reads = evidence.run.reads
    used_none = reads and reads.processes and not (reads.packages or reads.programs)
    if not count and (used_none or (evidence.run.environment.model_extra or {}).get("packages") == {}):
        return passed(f"{artifact.path} names no package, and the run used none")
    if not count:
        return failed(f"{artifact.path} names no package")
    if without:
        return failed(f"without a digest in {artifact.path}: {_some(without)}")
    return passed(f"{artifact.path} names {counted(count, 'package')} by digest")


def machine(evidence: RunEvidence) -> Finding:
    """Check that interpreter, system, processors and numerical libraries were captured."""
    environment, hardware = evidence.run.environment.model_extra or {}, evidence.run.hardware
    if not environment and not hardware:
        return failed("nothing of the machine was captured")
    packages = environment.get("packages") or {}
    captured = {
        "Python": _within(environment, "python", "version"),
        "OS": _within(hardware, "os", "system"),
        "CPU": _within(hardware, "cpu", "model"),
        "GPU": isinstance(hardware.get("gpus"), list),
        "driver": all(_within(gpu, "driver") for gpu in hardware.get("gpus") or ()),
        # only numerical packages load one
        "BLAS": bool(environment.get("blas")) or "numpy" not in packages,
    }
    if lacks := [name for name, value in captured.items() if not value]:
        return failed(f"not captured: {', '.join(lacks)}")
    return passed("captured: " + ", ".join(captured))


def container(evidence: RunEvidence) -> Finding:
    """Check that a container image is recorded, or named by its digest."""
    for entry in evidence.inputs:
        if entry.read.record.key.kind == Kind.ENVIRONMENT and entry.read.is_hashed:
            return passed(f"a recorded environment, SHA-256 {entry.read.record.subject}")
    image = evidence.run.environment.image or _declared(evidence, "container_digest")
    if image is None:
        return failed("no container is named")
    if not isinstance(image, str) or not _IMAGE.fullmatch(image):
        return failed("the container is not named by its SHA-256")
    return passed(image)


def rebuild(evidence: RunEvidence) -> Finding:
    """Check that the environment was installed anew from its lock: now, or by a group that repeated the run."""
    artifact = evidence.run.environment.lock
    if artifact is None:
        return failed("the run names no lock file to rebuild from")
    if evidence.rebuilt:
        return evidence.rebuilt
    for verdict in evidence.verdicts:
        repeated = verdict.standing_run
        theirs = repeated.run.environment.lock if repeated and repeated.run and observed(repeated.run) else None
        if repeated and theirs and theirs.sha256 == artifact.sha256:
            return passed(f"by group {verdict.group}, whose run {repeated.id} ran in it")
    return unknown("nobody is seen to have rebuilt it")


# -- method


def parameters(evidence: RunEvidence) -> Finding:
    """Check that all that the run's template asks for is stated."""
    given = evidence.run.parameters or evidence.run.experiment.model_configuration
    if evidence.run.private:
        return unknown("some values are private: nothing tells which parameters are among them")
    if not given:
        return failed("the run states no parameter")
    template = evidence.run.template
    if template is None:
        return unknown(f"{counted(len(given), 'parameter')} stated; without a template nothing says what is complete")
    try:
        load_template(template.name, template.version)
    except InputError:
        return unknown(f"the template {template.name} {template.version} is not known here")
    try:
        validate_against_template(evidence.run, template.name, template.version)
    except InputError as problem:
        return failed(f"lacks what {template.name} {template.version} asks for: {problem.values.get('field')}")
    return passed(f"all that {template.name} {template.version} asks for")


def seeds(evidence: RunEvidence) -> Finding:
    """Check that each generator that the code imports has a seed of its name, or was seeded by `seed_everything`. The
    code is what the run was seen to load, or else what its command starts and that imports. A seed without the name of
    a generator, such as an argument, counts for code that imports one alone."""
    stated, declared = evidence.run.seeds, seeds_of_parameters(evidence.run)
    used, reads = None, evidence.run.reads
    if evidence.tree and reads and reads.code:
        used = generators_of([evidence.tree / path for path in reads.code if path.endswith(".py")])
        if used and not reads.programs:
            # each Python that it started was seen
            used.discard(STARTED)
    elif (
        evidence.tree and evidence.folder and (entry := entry_file(_command(evidence), evidence.folder, evidence.tree))
    ):
        used = generators(entry, evidence.folder, evidence.tree)
    if used is not None and not used:
        return passed("the code imports no generator of random numbers")
    seeded = stated.get("seeded")
    named = {*stated, *(seeded if isinstance(seeded, list) and stated.get("seed") is not None else ())} & {*GENERATORS}
    if not (stated or declared) or (stated.get("seed", "") is None and not declared):
        return failed("the run states no seed")
    sources = evidence.run.parameter_sources or {}
    by = "; ".join(
        f"{name}={value} is declared by {'an argument' if sources.get(name) == 'argument' else 'a parameter'}"
        for name, value in declared.items()
    )
    if used is None:
        return unknown(f"seeds are stated{by and f' ({by})'}; the code can't be asked which generators it uses")
    if declared and len(used) == 1 and not used & {STARTED}:
        named |= used
    if missing := used - named:
        which = f"not said to be seeded: {', '.join(sorted(missing))}, which the code imports"
        return unknown(f"{by}; {which}" if by else which)
    shown = f"seeded, all that the code imports: {', '.join(sorted(used))}"
    return passed(f"{shown} ({by}; that the program uses it is the author's word)" if by else shown)


def determinism(evidence: RunEvidence) -> Finding:
    """Check that the variables were set that make equal runs equal."""
    environment = evidence.run.environment.model_extra or {}
    if "python" not in environment:
        return unknown("the environment was not captured")
    variables, packages = environment.get("variables") or {}, environment.get("packages") or {}
    needed = ["PYTHONHASHSEED"]
    if evidence.run.hardware.get("gpus"):
        needed += ["CUBLAS_WORKSPACE_CONFIG"] if "torch" in packages else []
        needed += ["TF_DETERMINISTIC_OPS"] if "tensorflow" in packages else []
    if missing := [name for name in needed if variables.get(name) in (None, "", "random")]:
        return failed(f"not set: {', '.join(missing)}")
    return passed(", ".join(f"{name}={variables[name]}" for name in needed))


def search(evidence: RunEvidence) -> Finding:
    """Check that the run states how many settings were tried, and out of which."""
    trials, space = _declared(evidence, "trials"), _declared(evidence, "search_space")
    if type(trials) is not int or trials < 1:
        return failed("the number of trials is not stated")
    if trials == 1:
        return passed("one trial: nothing was searched")
    if not isinstance(space, dict | list) or not space:
        return failed(f"{trials} trials, but no search space is stated")
    return passed(f"{trials} trials over {counted(len(space), 'dimension')}")


# -- results


def runs(evidence: RunEvidence) -> Finding:
    """Check that runs of the same code, data and parameters with other seeds show how far the metrics scatter."""
    ours = evidence.run
    if not ours.metrics or ours.code.commit is None or not ours.inputs:
        return failed("without a commit, inputs and a metric no other run can be compared")
    alike = [
        run
        for other in evidence.others
        if (run := other.run)
        and other.stands
        and run.status == "completed"
        and same_code(ours, run)
        and data_digests(run) == data_digests(ours)
        and _without_seeds(run) == _without_seeds(ours)
    ]
    by_seed = {seeds: run for run in (ours, *alike) if (seeds := seeds_of(run))}
    different = [by_seed[seeds] for seeds in sorted(by_seed)]
    common = [name for name in ours.metrics if all(name in run.metrics for run in different)]
    if len(different) < _RUNS or not common:
        return failed(f"{counted(len(different), 'run')} of the same code, data and parameters with seeds of their own")
    scatter = []
    for name in common[:_SHOWN]:
        values = [run.metrics[name].value for run in different]
        if not all(map(math.isfinite, values)):
            scatter.append(f"{name} {', '.join(f'{value:.6g}' for value in values)}")
            continue
        scatter.append(f"{name} {statistics.fmean(values):.6g} ± {statistics.stdev(values):.2g}")
    return passed(f"{len(different)} runs, mean and standard deviation: {', '.join(scatter)}")


def predictions(evidence: RunEvidence) -> Finding:
    """Check that the predictions are an output of the run."""
    if outputs := _outputs(evidence, "predictions"):
        return passed(f"{outputs[0].path}, SHA-256 {outputs[0].sha256}")
    return failed("no output has the role predictions")


def weights(evidence: RunEvidence) -> Finding:
    """Check that the model was fetched from another place than the lab's own store."""
    if not (models := _outputs(evidence, "model")):
        return failed("no output has the role model")
    if any(output.encrypted for output in evidence.run.outputs if output.role == "model"):
        return unknown("it is encrypted: whether its recipients can read it isn't seen from outside")
    if len(evidence.places) == 1:
        return unknown("no published place was named to fetch it from")
    of_models = tuple(f"output {model.path}" for model in models)
    digests = {needed.sha256 for needed in evidence.needed if needed.what.startswith(of_models)}
    for place in evidence.places[1:]:
        if all(place in evidence.copies.get(digest, ()) for digest in digests):
            return passed(f"fetched from {place} and re-hashed")
    return unknown(evidence.away[0]) if evidence.away else failed("no place that was named has all of it")


def model_card(evidence: RunEvidence) -> Finding:
    """Check that the record of the model states name, description and licence."""
    if not _outputs(evidence, "model"):
        return failed("no output has the role model")
    if not evidence.weights:
        return failed("the group has no record of the model, or its manifest is not here")
    if lacks := min((_missing(card, "name", "description", "license") for card in evidence.weights), key=len):
        return failed(f"the record of the model states no {', no '.join(lacks)}")
    return passed("the record of the model states name, description and licence")


# -- the record


def signed(evidence: RunEvidence) -> Finding:
    """Check that the author's own signature covers the record."""
    return evidence.signed


def anchored(evidence: RunEvidence) -> Finding:
    """Check that the record is in a final block."""
    return evidence.anchored


def fetched(evidence: RunEvidence) -> Finding:
    """Check that every object of the run was read and hashed."""
    if not (missing := _with_fewer_copies_than(1, evidence)):
        return passed(f"{counted(len(evidence.needed), 'object')}, every byte")
    reason = f"{len(missing)} of {len(evidence.needed)} objects are not to be had: {_some(missing)}"
    return unknown(reason) if evidence.away or len(evidence.places) == 1 else failed(reason)


def second_copy(evidence: RunEvidence) -> Finding:
    """Check that every object of the run is whole in two places."""
    if len(evidence.places) == 1:
        return unknown("no other place was named")
    if not (single := _with_fewer_copies_than(2, evidence)):
        return passed(f"each of {counted(len(evidence.needed), 'object')} in two of: {', '.join(evidence.places)}")
    reason = f"{len(single)} of {len(evidence.needed)} objects without a second copy: {_some(single)}"
    return unknown(reason) if evidence.away else failed(reason)


def _with_fewer_copies_than(number: int, evidence: RunEvidence) -> list[str]:
    return [needed.what for needed in evidence.needed if len(evidence.copies.get(needed.sha256, ())) < number]


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

CAPS: dict[str, Callable[[RunEvidence], bool]] = {
    "no-data-digest": lambda evidence: not any(entry.read.is_hashed for entry in evidence.data),
    "no-commit": lambda evidence: evidence.run.code.commit is None,
}
"""Whether a cap applies."""


def _without_seeds(run: RunPredicate) -> dict[str, Any]:
    return {name: value for name, value in run.parameters.items() if name not in seeds_of_parameters(run)}


def _reproducing_group(evidence: RunEvidence) -> int | None:
    """A group that found the metrics again with the recorded code and command."""
    ours = evidence.run
    if not are_decisive(ours.metrics.values()):
        return None
    for verdict in evidence.verdicts:
        repeated = verdict.standing_run
        if verdict.verdict == "reproduced" and repeated and (run := repeated.run) and same_code(ours, run):
            same_command = (run.code.entry_point, run.code.arguments) == (ours.code.entry_point, ours.code.arguments)
            if same_command and disagreement(ours, run) is None:
                return verdict.group
    return None


def _without_code(evidence: RunEvidence) -> Finding:
    return unknown("the code is not here") if evidence.run.code.commit else failed("no code is recorded")


def _entry(command: Sequence[str], evidence: RunEvidence) -> str | None:
    """The file of the recorded code that a command starts, relative to the root of the code."""
    if not (evidence.tree and evidence.folder):
        return None
    file = entry_file(command, evidence.folder, evidence.tree)
    return file.relative_to(evidence.tree.resolve()).as_posix() if file else None


def _command(evidence: RunEvidence) -> list[str]:
    code = evidence.run.code
    return [code.entry_point, *code.arguments] if code.entry_point else []


def _declared(evidence: RunEvidence, name: str) -> Any:
    """A value that the author states by this name, wherever a run document or the tracer can hold it."""
    experiment = evidence.run.experiment
    for place in (evidence.run.parameters, experiment.additional_info, experiment.model_configuration):
        if place and name in place:
            return place[name]
    return None


def _outputs(evidence: RunEvidence, role: str) -> list[Artifact]:
    return [output.artifact for output in evidence.run.outputs if output.role == role]


def _missing(content: ContentPredicate, *names: str) -> list[str]:
    return [name for name in names if not getattr(content, name)]


def _within(values: Any, *path: str) -> Any:
    for name in path:
        values = values.get(name) if isinstance(values, dict) else None
    return values


def _called(entry: GatheredInput) -> str:
    return entry.name or entry.read.id


def _some(names: Collection[str]) -> str:
    return named(sorted(names), _SHOWN)
