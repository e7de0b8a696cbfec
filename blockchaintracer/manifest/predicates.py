"""What a manifest says of each kind of record: one typed, versioned predicate a kind.

Datasets, models, software and environments hold content only: no time, no machine, no parents, so that equal content
has the equal manifest everywhere. Runs and everything else hold their context and name their parents.
"""

from __future__ import annotations

import re
import uuid
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from blockchaintracer.manifest.base import Part
from blockchaintracer.manifest.paths import normal_path
from blockchaintracer.model import Kind

_TIME = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z$"


def _uuid(text: str) -> str:
    try:
        if str(uuid.UUID(text)) == text:
            return text
    except ValueError:
        pass
    raise ValueError("a UUID in lower case, with dashes")


Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
"""A SHA-256 or a record id: 64 lower-case hex digits."""
Path = Annotated[str, AfterValidator(normal_path)]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Text = Annotated[str, Field(max_length=100_000)]
Time = Annotated[str, Field(pattern=_TIME)]
"""RFC 3339 in UTC, by some machine's clock: declared, not proven."""
Count = Annotated[int, Field(ge=0)]
ChainNumber = Annotated[str, Field(pattern=r"^(0|[1-9][0-9]{0,77})$")]
"""A chain's number (chain id, height) as decimal text: it may be larger than JSON numbers keep."""


class Artifact(Part):
    """A file by its digest.

    Args:
        path: relative, '/'-separated, NFC, inside its folder.
        size: bytes.
        sha256: of its bytes.
        cid: its IPFS address under `cid_profile`.
    """

    path: Path
    size: Count
    sha256: Digest
    cid: str
    cid_profile: str
    media_type: str | None = None


class Output(Part):
    """A file that a run wrote, and what it is to the run: ``model``, ``result``, …."""

    role: Name
    artifact: Artifact


class Input(Part):
    """Something that a run read.

    Args:
        record: id of its record.
        relation: number of the `Relation` by which the record is a parent of the run.
        sha256: the subject of that record.
        path: where the run found it, relative to its working folder.
    """

    record: Digest
    relation: Annotated[int, Field(ge=1, le=255)]
    sha256: Digest
    name: Name | None = None
    path: Path | None = None


class Parent(Part):
    """A parent as the record's key names it."""

    record: Digest
    relation: Annotated[int, Field(ge=1, le=255)]


class BlockReference(Part):
    """A block that was final when something began: it can't have begun earlier."""

    chain_id: ChainNumber
    block_number: ChainNumber
    block_hash: Digest
    timestamp: Count


class Content(Part):
    """Predicate of a dataset, model, software or environment.

    Args:
        subject_type: what the subject is: ``file``, ``folder`` or ``commitment``.
        size: bytes in all.
        cid: of a file.
        file_count: of a folder.
    """

    subject_type: Literal["file", "folder", "commitment"]
    size: Count | None = None
    cid: str | None = None
    cid_profile: str | None = None
    file_count: Count | None = None
    name: Name | None = None
    version: Name | None = None
    description: Text | None = None
    license: Name | None = None
    source: Annotated[str, Field(max_length=2000)] | None = None
    framework: Name | None = None
    schema_: Annotated[dict[str, Any] | None, Field(alias="schema")] = None


class Tolerance(Part):
    """How far a reproduced metric may lie from the recorded one: within either bound."""

    absolute: Annotated[float, Field(ge=0)] = 0.0
    relative: Annotated[float, Field(ge=0)] = 0.0


class Metric(Part):
    """A metric's value and, where it was said, its tolerance; without one, reproduction has to be exact."""

    value: float | int
    tolerance: Tolerance | None = None
    history: Artifact | None = None


class Code(Part):
    """The code of a run.

    Args:
        commit: git commit, 40 or 64 hex digits.
        remote: address of the repository without credentials.
        dirty: whether the files differed from the commit.
        diff: the difference by digest; its content stays with the lab unless published.
        pack: the commit's objects as a git pack, for whoever reproduces it.
        entry_point: program or script, relative to the top of the repository.
        arguments: after it, with secrets masked.
        working_folder: relative to the top of the repository.
    """

    commit: Annotated[str, Field(pattern=r"^([0-9a-f]{40}|[0-9a-f]{64})$")] | None = None
    branch: str | None = None
    remote: str | None = None
    dirty: bool = False
    diff: Artifact | None = None
    pack: Artifact | None = None
    entry_point: str | None = None
    arguments: list[str] | None = None
    working_folder: str | None = None


class Environment(Part):
    """The environment of a run: what was captured, and the lock file it can be rebuilt from."""

    captured: dict[str, Any]
    lock: Artifact | None = None


class Template(Part):
    """The template that the run was validated against."""

    name: Name
    version: Annotated[int, Field(ge=1)]


class Experiment(Part):
    """What the experimenter says beyond parameters and metrics."""

    model_config_: Annotated[dict[str, Any] | None, Field(alias="modelConfig")] = None
    dataset_info: dict[str, Any] | None = None
    additional_info: dict[str, Any] | None = None


class Run(Part):
    """Predicate of a run.

    Args:
        run_id: UUID chosen when the run starts; SHA-256 of its text is the record's subject.
        started_at: by the machine's clock, as `ended_at`: declared.
        declared_timestamp: a time that the experimenter gives; never a chain's time.
        not_before: a final block whose hash was known when the run started; None if no chain was asked.
        parents: of the record's key; every input is among them.
    """

    run_id: Annotated[str, AfterValidator(_uuid)]
    name: Name
    status: Literal["completed", "failed"]
    description: Text | None = None
    error: Annotated[str, Field(max_length=2000)] | None = None
    started_at: Time | None = None
    ended_at: Time | None = None
    declared_timestamp: str | None = None
    parameters: dict[str, Any] = {}
    metrics: dict[str, Metric] = {}
    seeds: dict[str, Any] = {}
    inputs: list[Input] = []
    outputs: list[Output] = []
    code: Code | None = None
    environment: Environment | None = None
    hardware: dict[str, Any] | None = None
    not_before: BlockReference | None = None
    experiment: Experiment | None = None
    template: Template | None = None
    parents: list[Parent] = []


class Document(Part):
    """Predicate of a result, plan, document, deployment, or one of the lab's own kinds."""

    name: Name
    version: Name | None = None
    description: Text | None = None
    subject_type: Literal["file", "folder", "commitment", "identifier"]
    size: Count | None = None
    cid: str | None = None
    cid_profile: str | None = None
    values: dict[str, Any] = {}
    attachments: list[Artifact] = []
    not_before: BlockReference | None = None
    parents: list[Parent] = []


class Reference(Part):
    """Predicate of a reference to a record of another registry or chain."""

    name: Name | None = None
    chain_id: ChainNumber
    registry: Annotated[str, Field(pattern=r"^0x[0-9a-f]{40}$")]
    record_id: Digest
    parents: list[Parent] = []


_CONTENT = (Kind.DATASET, Kind.MODEL, Kind.SOFTWARE, Kind.ENVIRONMENT)


def predicate_of(kind: int) -> type[Part]:
    """The model of a kind's predicate."""
    if kind in _CONTENT:
        return Content
    return {Kind.RUN: Run, Kind.REFERENCE: Reference}.get(kind, Document)  # type: ignore[call-overload, no-any-return]


def is_content_only(kind: int) -> bool:
    """Whether manifests of this kind hold content only, and so no parents."""
    return kind in _CONTENT


PREDICATE_TYPE = re.compile(r"urn:blockchaintracer:predicate:([a-z]+|1[2-9][0-9]|2[0-4][0-9]|25[0-5]):v1")
