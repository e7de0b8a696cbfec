"""The predicates of the in-toto statement, one for each kind of record. docs/manifest.md lists their fields."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PlainSerializer,
    PositiveInt,
    ValidationInfo,
    field_validator,
)

from blockchaintracer.core.digest import PROFILES, FileDigest, check_distinct
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.manifest.base import Part
from blockchaintracer.core.manifest.paths import escaped_path, normal_path
from blockchaintracer.core.plain_json import number_text, rfc3339
from blockchaintracer.core.record import FIRST_OWN_NUMBER, Domain, GlobalId, Kind, Link, Relation, label

CONTENT_KINDS = frozenset({Kind.DATASET, Kind.MODEL, Kind.SOFTWARE, Kind.ENVIRONMENT})
"""Kinds whose manifest holds content only: equal content gives equal bytes at any place and time."""

MAX_EXECUTABLE = 4096
"""How many paths of executable files a manifest lists at most."""
MAX_EXECUTABLE_BYTES = 256 << 10
"""UTF-8 bytes that these paths have together at most: the manifest has room for the rest beside them."""

_HIDDEN = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_COMMIT = r"[0-9a-f]{40}([0-9a-f]{24})?"
_CID = r"b[a-z2-7]{58,110}|Qm[1-9A-HJ-NP-Za-km-z]{44}"
_MEDIA_TYPE = r"[a-z0-9][a-z0-9!#$&^_.+-]*/[a-z0-9][a-z0-9!#$&^_.+-]*"


def _matching(pattern: str | re.Pattern[str], expected: str) -> AfterValidator:
    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(expected)
        return text

    return AfterValidator(check)


def _line(text: str) -> str:
    if not 0 < len(text) <= 256 or _CONTROL.search(text) or text != text.strip():
        raise ValueError("a line of 1 to 256 characters, without control characters or spaces around it")
    return text


def plain_name(text: str) -> str:
    """Return the name of a value as it is; ValueError if it could look like another name."""
    is_hidden = _HIDDEN.search(text) or any(unicodedata.category(character) == "Cf" for character in text)
    if text != unicodedata.normalize("NFC", _line(text)) or is_hidden:
        raise ValueError("a name in composed letters (Unicode NFC), without characters that nobody sees")
    return text


def _utc(text: str) -> str:
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo and "T" in text:
            return rfc3339(moment)
    except (ValueError, OverflowError):
        pass
    raise ValueError("a time as RFC 3339 writes it, with its zone, such as 2015-09-14T09:50:45Z")


def _number(value: Any) -> Any:
    is_text = isinstance(value, str) and value.lower().lstrip("+-") in ("nan", "inf", "infinity")
    return float(value) if is_text else value


def _digits(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _bare(value: Any) -> Any:
    return value.lower().removeprefix("0x") if isinstance(value, str) else value


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _with_0x(value: Any) -> Any:
    return "0x" + _bare(value) if isinstance(value, str) else value


def _relation(number: int) -> int:
    if number not in list(Relation) and not FIRST_OWN_NUMBER <= number <= 255:
        raise ValueError("the number of a relation, 1 to 14, or the lab's own, 128 to 255")
    return number


def _uuid(text: str) -> str:
    try:
        if str(UUID(text, version=4)) == text:
            return text
    except ValueError:
        pass
    raise ValueError("a random UUID (version 4) in lower case")


def _remote(text: str) -> str:
    try:
        url = urlsplit(text)
        secret = url.password or (url.username and url.scheme in {"http", "https"}) or url.query or url.fragment
    except ValueError:
        raise ValueError("the address of a git remote") from None
    if secret:
        raise ValueError("a git remote without user name, password or query")
    return text


def _profile(name: str) -> str:
    if name not in PROFILES:
        raise ValueError(f"a CID profile of {', '.join(PROFILES)}")
    return name


Line = Annotated[str, AfterValidator(_line)]
Prose = Annotated[str, Field(min_length=1, max_length=10_000)]
IMAGE = re.compile(r"[a-z0-9][a-z0-9._:/-]{0,254}@sha256:[0-9a-f]{64}")
RecordedPath = Annotated[str, AfterValidator(normal_path)]
Utc = Annotated[str, AfterValidator(_utc)]
Digest = Annotated[str, BeforeValidator(_bare), _matching(r"[0-9a-f]{64}", "a SHA-256 of 64 hex digits")]
Hash = Annotated[str, BeforeValidator(_with_0x), _matching(r"0x[0-9a-f]{64}", "0x and 64 hex digits")]
"""A record id, or another hash of the chain: of a block, a batch's root, a seal's commitment."""
Commit = Annotated[str, BeforeValidator(_bare), _matching(_COMMIT, "a git commit of 40 or 64 hex digits")]
Decimal = Annotated[str, BeforeValidator(_digits), _matching(r"0|[1-9][0-9]{0,77}", "a decimal number as text")]
Address = Annotated[str, BeforeValidator(_lower), _matching(r"0x[0-9a-f]{40}", "an address of 0x and 40 hex digits")]
Cid = Annotated[str, _matching(_CID, "a CID in base32 (b…) or version 0 (Qm…)")]
Profile = Annotated[str, AfterValidator(_profile)]
RelationNumber = Annotated[int, AfterValidator(_relation)]
MediaType = Annotated[str, _matching(_MEDIA_TYPE, "a media type in lower case, such as text/csv")]
Uuid = Annotated[str, AfterValidator(_uuid)]
Number = Annotated[
    float, Field(allow_inf_nan=True), BeforeValidator(_number), PlainSerializer(number_text, when_used="json")
]
"""NaN and infinity, too: in JSON as the texts ``NaN``, ``Infinity`` and ``-Infinity``."""
Name = Annotated[str, AfterValidator(plain_name)]
"""The name of one value among others: no two look alike by how their letters are composed, or by what is not seen."""
Names = dict[Name, Any]
"""Named values of any plain type."""


ParameterSources = dict[Name, Annotated[str, Field(pattern=r"^(argument|file:[^\x00-\x1f]{1,512})$")]] | None
"""Where parameters are from that were read off a program: its arguments, or a file that it was given."""


class Artifact(Part):
    """A file that belongs to the record and is kept outside of the manifest."""

    path: RecordedPath
    size: NonNegativeInt
    sha256: Digest
    cid: Cid
    cid_profile: Profile
    media_type: MediaType | None = None

    @classmethod
    def of(cls, path: str, digest: FileDigest) -> Artifact:
        """Name a file of this digest as a manifest does."""
        return cls(path=escaped_path(path), **asdict(digest))


class Encrypted(Part):
    """That an artifact is a file or folder encrypted with age, and what its content is bound to."""

    subject_type: Literal["file", "folder"]
    commitment: Digest
    opening: Artifact


def _fits_artifact(value: Encrypted | None, info: ValidationInfo) -> Encrypted | None:
    if "artifact" in info.data and (value is None) != (info.data["artifact"] is None):
        raise ValueError("an artifact and what it is the ciphertext of, or neither")
    if value is not None and info.data.get("subject_type", "commitment") != "commitment":
        raise ValueError("nothing encrypted unless the subject type is 'commitment'")
    return value


EncryptedArtifact = Annotated[Encrypted | None, AfterValidator(_fits_artifact), Field(validate_default=True)]
"""What the field ``artifact`` before it is the ciphertext of; None, as that, of what is in the open."""


class Parent(Part):
    """An edge of the lineage, as in the record's key."""

    record: Hash
    relation: RelationNumber


class NotBefore(Part):
    """A finalised block that was already there: the record's content is not older. Numbers as decimal text."""

    chain_id: Decimal
    block_number: Decimal
    block_hash: Hash
    timestamp: Decimal


class Tolerance(Part):
    """How far a reproduced metric may be off: ``|found - recorded| <= absolute + relative * |recorded|``."""

    absolute: NonNegativeFloat = 0.0
    relative: NonNegativeFloat = 0.0

    def width(self, recorded: float) -> float:
        """Return how far a value may be off from `recorded`."""
        return self.absolute + self.relative * abs(recorded)

    def allows(self, recorded: float, found: float) -> bool:
        """Return whether `found` reproduces `recorded`. NaN equals NaN, and infinity itself alone."""
        if not (math.isfinite(recorded) and math.isfinite(found)):
            return repr(float(recorded)) == repr(float(found))
        return abs(found - recorded) <= self.width(recorded)


class MetricSource(Part):
    """How a metric was read, and is read again; a metric without it is told in a run document by the program.

    Args:
        kind: ``declared``: by a person; the program told it to nobody.
        path: of a file, or a pattern of such paths, from so many folders `up` from the working folder.
        key: name of the number in a file of named numbers.
        pattern: a regular expression (Python's ``re``, MULTILINE): the first group of its last match is the number.
    """

    kind: Literal["declared", "stdout", "stderr", "file"]
    path: RecordedPath | None = None
    up: Annotated[int, Field(ge=1, le=16)] | None = None
    key: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    pattern: Annotated[str, Field(min_length=1, max_length=500)] | None = Field(default=None, validate_default=True)

    @field_validator("pattern")
    @classmethod
    def _of_the_kind(cls, pattern: str | None, info: ValidationInfo) -> str | None:
        kind, given = info.data.get("kind"), {name for name in ("path", "key") if info.data.get(name)}
        given |= {"pattern"} if pattern else set()
        expected = [set()] if kind == "declared" else [{"pattern"}]
        if kind == "file":
            expected = [{"path", "key"}, {"path", "pattern"}]
        if given not in expected:
            words = " or ".join(" and ".join(sorted(names)) or "nothing else" for names in expected)
            raise ValueError(f"{words} of a metric whose kind of source is {kind}")
        return pattern


class Metric(Part):
    """A number that a run found."""

    value: Number
    tolerance: Tolerance | None = None
    history: Artifact | None = None
    source: MetricSource | None = None

    @field_validator("source")
    @classmethod
    def _declared_is_not_compared(cls, source: MetricSource | None, info: ValidationInfo) -> MetricSource | None:
        if source is not None and source.kind == "declared" and info.data.get("tolerance") is not None:
            raise ValueError("no tolerance of a declared metric, which nobody can compare")
        return source

    @property
    def is_declared(self) -> bool:
        """Whether a person says so and no program told it: wherever its value is shown, that is said."""
        return self.source is not None and self.source.kind == "declared"

    @property
    def accepts_nearly_anything(self) -> bool:
        """Whether the tolerance is wider than the value (than 1e-6 for 0): finding the metric again shows nothing."""
        return self.tolerance is not None and self.tolerance.width(self.value) > (abs(self.value) or 1e-6)


class Template(Part):
    """The experiment template that a run says to follow."""

    name: Line
    version: PositiveInt


def _sorted_links(parents: Iterable[Parent]) -> tuple[Parent, ...]:
    links = {(parent.record, parent.relation): parent for parent in parents}
    return tuple(links[link] for link in sorted(links))


Parents = Annotated[tuple[Parent, ...], Field(strict=False), AfterValidator(_sorted_links)]
"""Strictly ascending by (record, relation), whatever order they were given in."""


class Lineage(Part):
    """What every predicate that states parents shares."""

    parents: Parents = ()
    not_before: NotBefore | None = None

    def links(self) -> tuple[Link, ...]:
        """Return the parents as the record key holds them."""
        return tuple(Link(parent.record, parent.relation) for parent in self.parents)


class ContentPredicate(Part):
    """A dataset, model, software or environment: its content, no time, no machine, no parents."""

    subject_type: Literal["file", "folder", "commitment"]
    digest_from: Line | None = None
    size: NonNegativeInt | None = Field(default=None, validate_default=True)
    cid: Cid | None = Field(default=None, validate_default=True)
    cid_profile: Profile | None = Field(default=None, validate_default=True)
    file_count: PositiveInt | None = Field(default=None, validate_default=True)
    name: Line | None = None
    file_name: RecordedPath | None = None
    version: Line | None = None
    description: Prose | None = None
    license: Line | None = None
    source: Line | None = None
    citation: Prose | None = None
    data_schema: Names | None = Field(default=None, alias="schema")
    framework: Line | None = None
    executable: Annotated[tuple[RecordedPath, ...], Field(strict=False)] | None = None
    artifact: Artifact | None = None
    encrypted: EncryptedArtifact = None

    @field_validator("digest_from")
    @classmethod
    def _of_a_file(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and info.data.get("subject_type", "file") != "file":
            raise ValueError("whose word the digest of a file is")
        return value

    @field_validator("executable")
    @classmethod
    def _executable_fits(cls, paths: tuple[str, ...] | None, info: ValidationInfo) -> tuple[str, ...] | None:
        if paths is None:
            return None
        if info.data.get("subject_type", "folder") != "folder":
            raise ValueError("a list for folders alone")
        if not paths or not can_list(paths):
            raise ValueError(f"1 to {MAX_EXECUTABLE} paths of at most {MAX_EXECUTABLE_BYTES} bytes in all, or no list")
        _distinct(paths)
        return tuple(sorted(paths))

    @field_validator("size", "cid", "cid_profile", "file_count")
    @classmethod
    def _fits_subject(cls, value: Any, info: ValidationInfo) -> Any:
        subject_type = info.data.get("subject_type")
        unmeasured = {"cid", "cid_profile"} if info.data.get("digest_from") else set()
        needed = subject_type == "folder" or (
            subject_type == "file" and info.field_name not in {"file_count"} | unmeasured
        )
        if subject_type and needed != (value is not None):
            raise ValueError(
                "a value for files and folders alone" if value is not None else f"a value for a {subject_type}"
            )
        return value


class RunInput(Part):
    """A record that a run read, and where: `path` counts from so many folders `up` from the working folder."""

    record: Hash
    relation: RelationNumber
    name: Line | None = None
    path: RecordedPath | None = None
    up: Annotated[int, Field(ge=1, le=16)] | None = None
    sha256: Digest


class PrivateValues(Part):
    """Values of a run that are not shown, by a Merkle root over salted commitments to them."""

    root: Digest
    leaves: Annotated[int, Field(ge=1024, le=1 << 22)]
    encrypted: Artifact | None = None

    @field_validator("leaves")
    @classmethod
    def _power_of_two(cls, leaves: int) -> int:
        if leaves & (leaves - 1):
            raise ValueError("a power of two")
        return leaves


class RunOutput(Part):
    """A file that a run wrote, such as a model."""

    role: Line
    artifact: Artifact
    encrypted: Encrypted | None = None

    @property
    def subject(self) -> str:
        """Subject that a record of the output has, 64 hex digits."""
        return self.encrypted.commitment if self.encrypted else self.artifact.sha256


class WholeFile(Part):
    """A file that differs from the commit and is kept whole, apart from the difference; no artifact: it was gone."""

    path: RecordedPath
    executable: bool = False
    artifact: Artifact | None = None


class CodeState(Part):
    """The state of a repository: its commit, and what its files differed by when the run started."""

    commit: Commit | None = None
    branch: Line | None = None
    remote: Annotated[Line, AfterValidator(_remote)] | None = None
    dirty: bool = False
    diff: Artifact | None = None
    pack: Artifact | None = None
    whole: Annotated[tuple[WholeFile, ...], Field(strict=False)] | None = None


class NestedCode(CodeState):
    """A repository inside of the run's: a submodule, or a clone. Without a commit, `diff` has all of its files."""

    path: RecordedPath


class Code(CodeState):
    """What was run.

    Args:
        given: by position in the command, each argument that was changed, as it had been given.
        leftovers: new files that the run wrote over and was not seen to read: they are no part of `diff` and `dirty`.
    """

    nested: Annotated[tuple[NestedCode, ...], Field(strict=False)] | None = None
    leftovers: Annotated[tuple[RecordedPath, ...], Field(strict=False)] | None = None
    entry_point: Line | None = None
    arguments: Annotated[tuple[str, ...], Field(strict=False)] = ()
    given: dict[Line, str] | None = None
    working_folder: RecordedPath | None = None

    def states(self) -> tuple[tuple[str, CodeState], ...]:
        """Return the run's repository and those inside, each after the one that it lies in, with their folders."""
        return (("", self), *((nested.path, nested) for nested in self.nested or ()))

    @property
    def diffs(self) -> tuple[Artifact, ...]:
        """The recorded differences, and the files that are kept whole beside them."""
        states = [state for _, state in self.states()]
        whole = [entry.artifact for state in states for entry in state.whole or () if entry.artifact]
        return (*(state.diff for state in states if state.diff), *whole)

    @property
    def lacks_diff(self) -> bool:
        """Whether files differed and the difference was not recorded."""
        return any(state.dirty and state.diff is None and not state.whole for _, state in self.states())


class RunEnvironment(Part):
    """What the run ran in: whatever was captured by allow-list, and the lock file to rebuild it from.

    Args:
        lock_from: where the lock file is from: named by the user, found beside the code, made from the packages that
            were installed, or resolved by them from requirements that left versions open, which are `requirements`.
        image: of the container that it ran in, as its author says: ``name@sha256:…``.
        lock_folder: where in the repository it lay, from where the folders count that it names.
    """

    model_config = ConfigDict(extra="allow")

    lock: Artifact | None = None
    lock_from: Literal["given", "found", "made", "resolved"] | None = None
    lock_folder: RecordedPath | None = None
    image: Annotated[str, _matching(IMAGE, "an image as name@sha256:DIGEST")] | None = None
    requirements: Artifact | None = None
    observed: Literal["program", "process"] | None = None


class Experiment(Part):
    """What `MLTracer.update_experiment` was told, beyond parameters and metrics."""

    model_configuration: Names | None = Field(default=None, alias="modelConfig")
    dataset_info: Names | None = None
    additional_info: Names | None = None
    declared_commit: Annotated[str, _matching(r"[0-9a-f]{4,64}", "a git commit")] | None = None


class State(Part):
    """A file or folder of a training, such as weights, by its digest."""

    subject_type: Literal["file", "folder"]
    sha256: Digest
    size: NonNegativeInt


class CheckpointAnchor(Part):
    """A batch of checkpoints that was anchored while the run went on."""

    root: Hash
    count: PositiveInt
    description: Artifact


class Checkpoints(Part):
    """The checkpoints of a run: the list as an attachment, and what fixes it."""

    series: Uuid
    count: NonNegativeInt
    head: Digest
    root: Hash | None = None
    initial_state: State | None = None
    listing: Artifact
    anchors: Annotated[tuple[CheckpointAnchor, ...], Field(strict=False)] = ()


class SeedDerivation(Part):
    """How seeds were derived from a block that was unknown when a plan was sealed (`core.seed_derivation`)."""

    chain_id: Decimal
    group: PositiveInt
    author: Address
    commitment: Hash
    rule: Literal["first-after-seal", "named-by-plan"]
    block_number: Decimal
    block_hash: Hash
    seeds: dict[Name, Annotated[int, Field(ge=0, lt=2**32)]]


class Reads(Part):
    """What a run was seen to read that its record does not hold, and the code of the commit that it loaded.

    Args:
        processes: of Python that could be seen; of what others read nothing is known.
        files: paths from the root of the repository, or ``…/name`` of what lies elsewhere; some name a folder.
        file_count: all of them, named or not.
        addresses: without query; or hosts.
        programs: that were started and can't be seen.
        unknown: those of them of which the recorded text does not tell, either, what they read.
        variables: of the environment, by name: they were set, the code names them, and no record holds their values.
        tools: SHA-256 of the system's programs that the recorded text starts, by name.
        packages: that it loaded, as far as that was seen.
        code: paths from the root of the repository; None if there were too many to name.
    """

    processes: NonNegativeInt
    files: Annotated[tuple[Line, ...], Field(strict=False)] = ()
    file_count: NonNegativeInt = 0
    addresses: Annotated[tuple[Line, ...], Field(strict=False)] = ()
    programs: Annotated[tuple[Line, ...], Field(strict=False)] = ()
    unknown: Annotated[tuple[Line, ...], Field(strict=False)] = ()
    variables: Annotated[tuple[Line, ...], Field(strict=False)] = ()
    tools: dict[Name, Digest] = Field(default_factory=dict)
    packages: Annotated[tuple[Name, ...], Field(strict=False)] = ()
    code: Annotated[tuple[RecordedPath, ...], Field(strict=False)] | None = None


class RunPredicate(Lineage):
    """A run: it has an id of its own from its start, and holds its context."""

    run_id: Uuid
    name: Line
    description: Prose | None = None
    status: Literal["completed", "failed", "running"]
    error: Prose | None = Field(default=None, validate_default=True)
    started_at: Utc | None = None
    ended_at: Utc | None = None
    declared_timestamp: Utc | None = None
    parameters: Names = Field(default_factory=dict)
    parameter_sources: ParameterSources = None
    metrics: dict[Name, Metric] = Field(default_factory=dict)
    seeds: Names = Field(default_factory=dict)
    inputs: Annotated[tuple[RunInput, ...], Field(strict=False)] = ()
    outputs: Annotated[tuple[RunOutput, ...], Field(strict=False)] = ()
    code: Code = Field(default_factory=Code)
    reads: Reads | None = None
    environment: RunEnvironment = Field(default_factory=RunEnvironment)
    hardware: Names = Field(default_factory=dict)
    experiment: Experiment = Field(default_factory=Experiment)
    template: Template | None = None
    private: PrivateValues | None = None
    checkpoints: Checkpoints | None = None
    seed_derivation: SeedDerivation | None = None

    @field_validator("error")
    @classmethod
    def _error_if_failed(cls, value: str | None, info: ValidationInfo) -> str | None:
        if info.data.get("status") in {"completed", "running"} and value is not None:
            raise ValueError("no error unless the status is 'failed'")
        if info.data.get("status") == "failed" and value is None:
            raise ValueError("why the run failed")
        return value

    @field_validator("inputs")
    @classmethod
    def _inputs_are_parents(cls, inputs: tuple[RunInput, ...], info: ValidationInfo) -> tuple[RunInput, ...]:
        parents = {(parent.record, parent.relation) for parent in info.data.get("parents", ())}
        for index, entry in enumerate(inputs):
            if "parents" in info.data and (entry.record, entry.relation) not in parents:
                raise ValueError(f"every input among the parents, which number {index} is not")
        files = {(entry.path, entry.sha256) for entry in inputs if entry.path is not None}
        _distinct(path for path, _ in files)
        return inputs

    @field_validator("outputs")
    @classmethod
    def _outputs_differ(cls, outputs: tuple[RunOutput, ...]) -> tuple[RunOutput, ...]:
        openings = [output.encrypted.opening for output in outputs if output.encrypted]
        _distinct(artifact.path for artifact in (*(output.artifact for output in outputs), *openings))
        return outputs


class RecordPredicate(Lineage):
    """A result, plan, document or deployment, or one of the lab's own kinds."""

    name: Line
    file_name: RecordedPath | None = None
    description: Prose | None = None
    subject_type: Literal["file", "folder", "commitment", "identifier"]
    identifier: Annotated[str, Field(pattern=r"^[!-~]{1,256}$")] | None = Field(default=None, validate_default=True)
    values: Names = Field(default_factory=dict)
    attachments: Annotated[tuple[Artifact, ...], Field(strict=False)] = ()
    artifact: Artifact | None = None
    encrypted: EncryptedArtifact = None

    @field_validator("identifier")
    @classmethod
    def _identifier_fits(cls, value: str | None, info: ValidationInfo) -> str | None:
        if "subject_type" in info.data and (info.data["subject_type"] == "identifier") != (value is not None):
            raise ValueError("an identifier exactly if the subject type is 'identifier'")
        return value

    @field_validator("attachments")
    @classmethod
    def _attachments_differ(cls, attachments: tuple[Artifact, ...]) -> tuple[Artifact, ...]:
        _distinct(artifact.path for artifact in attachments)
        return tuple(sorted(attachments, key=lambda artifact: artifact.path))


class ReferencePredicate(Lineage):
    """A record of another registry or chain."""

    name: Line
    description: Prose | None = None
    chain_id: Decimal
    registry: Address
    record_id: Hash

    @property
    def identifier(self) -> str:
        """The text that the subject is the SHA-256 of: the record's `GlobalId`."""
        return str(GlobalId(int(self.chain_id), self.registry, self.record_id))


class RenewalRoots(Part):
    """The roots of one hash tree by two hashes, as `hashlib` names them."""

    sha512: Annotated[str, _matching(r"[0-9a-f]{128}", "a SHA-512 of 128 hex digits")]
    sha3_256: Digest = Field(alias="sha3-256")


class RenewalPredicate(Lineage):
    """A hash tree over all that older records commit to, by other hashes than theirs (RFC 4998). Its subject is the
    root by SHA3-256.

    Args:
        count: of its leaves.
        missing: of what the records name and nobody could hash: the renewal does not cover it.
        tree: names and hashes of all leaves, and the names of what is missing.
    """

    name: Line
    subject_type: Literal["tree"] = "tree"
    roots: RenewalRoots
    count: PositiveInt
    missing: NonNegativeInt = 0
    tree: Artifact


class WitnessPredicate(Lineage):
    """A receipt of a witness of time (docs/formats.md). Its subject is the SHA-256 of the receipt's file.

    Args:
        witness: who gave it: opentimestamps, rfc3161 or registry.
        stamped: the text that was stamped, or ``sha256:`` and the SHA-256 of a file.
    """

    name: Line
    subject_type: Literal["file"] = "file"
    witness: Annotated[str, Field(pattern=r"^[a-z0-9]{1,32}$")]
    stamped: Annotated[str, Field(pattern=r"^[!-~]{1,512}$")]
    receipt: Artifact


class IdentityStatement(Part):
    """That an account, or a group of its, is known elsewhere by an identifier. The account signs it by EIP-712, in the
    domain of the registry.

    Args:
        group: whose identifier it is; None for the account's own.
        identifier: in the one form that its scheme has (docs/identity.md).
        signed_at: Unix seconds, by the clock of who signs.
        nonce: 32 random bytes: no two statements are equal.
    """

    chain_id: Decimal
    registry: Address
    account: Address
    group: Annotated[int, Field(ge=1, lt=1 << 32)] | None = None
    scheme: Literal["orcid", "domain", "github", "ens"]
    identifier: Line
    signed_at: Decimal
    nonce: Hash

    def typed_data(self) -> dict[str, Any]:
        """Return the EIP-712 document that the account signs."""
        names = {"account", "scheme", "identifier", "nonce"}
        message = {**self.model_dump(include=names), "group": self.group or 0, "signedAt": int(self.signed_at)}
        return Domain(int(self.chain_id), self.registry).typed_data("IdentityClaim", message)

    def digest(self) -> str:
        """Return the EIP-712 digest of the statement, 64 hex digits: the claim's id, and the subject of its record."""
        document = self.typed_data()
        domain = Domain(int(self.chain_id), self.registry)
        return domain.typed_digest(document["primaryType"], document["message"]).hex()


class IdentityClaimPredicate(Lineage):
    """A statement of who an account or a group is, with the signature of the account (65 bytes, r, s and v)."""

    name: Line
    description: Prose | None = None
    subject_type: Literal["statement"]
    statement: IdentityStatement
    signature: Annotated[str, _matching(r"0x[0-9a-f]{130}", "a signature of 0x and 130 hex digits")]


Predicate = (
    ContentPredicate
    | RunPredicate
    | RecordPredicate
    | ReferencePredicate
    | RenewalPredicate
    | IdentityClaimPredicate
    | WitnessPredicate
)
_PREDICATES: dict[int, type[Predicate]] = {
    **dict.fromkeys(CONTENT_KINDS, ContentPredicate),
    Kind.RUN: RunPredicate,
    Kind.REFERENCE: ReferencePredicate,
    Kind.IDENTITY_CLAIM: IdentityClaimPredicate,
    Kind.WITNESS: WitnessPredicate,
    Kind.RENEWAL: RenewalPredicate,
}
_WITHOUT_PREDICATE = frozenset({Kind.EVALUATION})


def predicate_class(kind: int) -> type[Predicate]:
    """Return the class of predicate of a kind.

    Raises:
        InputError: if this version has none for the kind.
    """
    if kind in _WITHOUT_PREDICATE:
        raise InputError(
            f"expected a kind that this version can describe, got {label(kind, Kind)}: it has no predicate for it",
            hint="The registry takes such records; a newer version of this package reads and writes them.",
        )
    return _PREDICATES.get(kind, RecordPredicate)


def identifier_of(predicate: Predicate) -> str | None:
    """Return the text that the subject is the SHA-256 of, or None if the subject is not an identifier."""
    if isinstance(predicate, RunPredicate):
        return predicate.run_id
    return predicate.identifier if isinstance(predicate, RecordPredicate | ReferencePredicate) else None


def artifacts_of(predicate: Predicate) -> tuple[Artifact, ...]:
    """List every file that the predicate names, in the order of its fields. The record is whole only with all of
    them."""
    artifacts: list[Artifact] = []

    def collect(value: Any) -> None:
        if isinstance(value, Artifact):
            artifacts.append(value)
        elif isinstance(value, Mapping):
            for item in value.values():
                collect(item)
        elif isinstance(value, Part | tuple):  # a part gives its fields as pairs of name and value
            for item in value:
                collect(item)

    collect(predicate)
    return tuple(artifacts)


def can_list(executable: Sequence[str]) -> bool:
    """Return whether a manifest has room for the paths of executable files."""
    size = sum(len(path.encode()) for path in executable)
    return len(executable) <= MAX_EXECUTABLE and size <= MAX_EXECUTABLE_BYTES


def _distinct(paths: Iterable[str]) -> None:
    try:
        check_distinct(paths)
    except InputError as error:
        raise ValueError(error.message.removeprefix("expected ")) from None
