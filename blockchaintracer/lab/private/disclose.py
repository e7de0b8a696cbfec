"""Private values of a run: committed to when it's recorded, shown one by one, and checked by those who see one."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from blockchaintracer.core.digest import digest_bytes
from blockchaintracer.core.errors import InputError, NotVerified, StoreError
from blockchaintracer.core.formats import UnknownVersion
from blockchaintracer.core.manifest import Artifact, Part, PrivateValues, RunPredicate, parse_manifest
from blockchaintracer.core.manifest.predicates import Address, Decimal, Digest, Hash, Line, plain_name
from blockchaintracer.core.plain_json import canonical, parse_json, read_strictly
from blockchaintracer.core.record import RecordKey
from blockchaintracer.core.verify import Check, Outcome, Report
from blockchaintracer.lab.files import write_kept
from blockchaintracer.lab.formats import DISCLOSURE
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.lookup import read_manifest, required_record
from blockchaintracer.lab.private.age import encrypt, written
from blockchaintracer.lab.private.field_tree import Context, FieldTree, Opening, require_own_salts, root_of
from blockchaintracer.lab.proof_file import damaged, read_proof
from blockchaintracer.lab.store.store import Store
from blockchaintracer.lab.verify_here import lab_verifier

_LIMIT = 4 << 20
_SHOWN = 200


class DisclosedField(Part):
    """One value, shown."""

    field: Line
    value: Any
    salt: Digest
    path: Annotated[tuple[Digest, ...], Field(strict=False, max_length=22)]


class Disclosure(Part):
    """A file that shows some private values of a run and proves them against its record."""

    type_: str = Field(default=str(DISCLOSURE), alias="type")
    algorithms: Annotated[tuple[str, ...], Field(strict=False)] = DISCLOSURE.algorithms
    chain_id: Decimal
    registry: Address
    record: Hash
    manifest: dict[str, Any]
    fields: Annotated[tuple[DisclosedField, ...], Field(strict=False, min_length=1)]


@dataclass(frozen=True)
class Disclosed:
    """A disclosure that was written."""

    record_id: str
    file: str
    shown: list[str]
    hidden: int


def keep_private(lab: Lab, tree: FieldTree, recipients: Sequence[str] = ()) -> PrivateValues:
    """Write private values and salts to the lab's folder, before their root is recorded anywhere."""
    data = canonical(tree.as_json())
    path = lab.home.private / f"{tree.root}.json"
    write_kept(path, data, problem=f"the private values can't be written to {path}")
    encrypted = None
    if recipients:
        hidden = encrypt(data, recipients)
        lab.store.put_bytes(hidden)
        encrypted = Artifact.of("private.age", digest_bytes(hidden))
    return PrivateValues(root=tree.root, leaves=tree.leaves, encrypted=encrypted)


def kept_private(home: Home, root: str) -> FieldTree:
    """Read the private values that lead to a root."""
    path = home.private / f"{root}.json"
    try:
        tree = FieldTree.from_json(parse_json(path.read_bytes(), "private values"))
    except FileNotFoundError:
        raise InputError(
            f"the private values of this run are not in {path.parent}",
            hint="They and their salts are only in the folder (--home) that recorded it, in its backups, and with those"
            " that they were encrypted to: `decrypt` shows them.",
        ) from None
    except UnknownVersion:
        raise
    except (OSError, InputError) as error:
        raise StoreError(f"expected private values in {path}: {getattr(error, 'message', error)}") from None
    if tree.root != root:
        raise StoreError(f"the private values in {path} are damaged: they do not lead to their root")
    return tree


def disclose(lab: Lab, record_id: str, fields: Sequence[str], target: Path) -> Disclosed:
    """Write a file that shows some private values of a run and nothing of the others.

    Args:
        fields: names: ``parameters.lr``, or ``lr`` where only one is called so.
    """
    record = required_record(lab, record_id)
    manifest = read_manifest(lab.store, record)
    private = manifest.predicate.private if isinstance(manifest.predicate, RunPredicate) else None
    if private is None:
        raise InputError(f"record {record.id} has no private values", hint="`record --private-param` makes some.")
    tree = kept_private(lab.home, private.root)
    names = dict.fromkeys(_whole_name(tree, name) for name in fields)
    if not names:
        raise InputError("expected at least one value to disclose, got none")
    disclosure = Disclosure(
        chain_id=str(lab.chain_id),
        registry=lab.domain.registry,
        record=record.id,
        manifest=parse_json(manifest.to_bytes(), "manifest"),
        fields=tuple(DisclosedField(**asdict(tree.opening(name)), path=tuple(tree.path(name))) for name in names),
    )
    for check in _checks(disclosure, record.key):
        if check.verdict is Outcome.FAIL:
            raise NotVerified(f"{check.name}: {check.detail}")
    with written(target) as file:
        file.write(canonical(_plain(disclosure)))
    return Disclosed(record.id, str(target), [*names], len(tree.openings) - len(names))


def read_disclosure(path: Path) -> Disclosure:
    """Read the disclosure in a file. Nothing in it is checked yet."""
    _, data = read_proof(path)
    if len(data) > _LIMIT:
        raise NotVerified(f"{path.name}: expected a disclosure of at most {_LIMIT} bytes, got more")
    return damaged(path, lambda: read_strictly(data, DISCLOSURE, path.name, Disclosure.from_plain, _plain))


def _plain(disclosure: Disclosure) -> dict[str, Any]:
    return disclosure.model_dump(mode="json", by_alias=True)


def verify_disclosure(lab: Lab, path: Path, sources: Sequence[str] = ()) -> Report:
    """Verify a disclosure: the record it names on the lab's chain and registry, and each value against it."""
    disclosure = read_disclosure(path)
    here = (str(lab.chain_id), lab.registry.address.lower())
    if (disclosure.chain_id, disclosure.registry) != here:
        raise NotVerified(
            f"the disclosure is of registry {disclosure.registry} on chain {disclosure.chain_id}, "
            f"and {here[1]} on chain {here[0]} was asked",
            hint="Name the registry that you trust with --registry, and its chain with --network or --rpc.",
        )
    manifest = canonical(disclosure.manifest)
    with tempfile.TemporaryDirectory(prefix="blockchaintracer-") as scratch:
        # the manifest that came along is a copy like any other: it counts by its digest
        Store(scratch).put_bytes(manifest)
        report = lab_verifier(lab.registry, lab.store, [scratch, *sources]).hash(disclosure.record)
    found = lab.registry.find_records([disclosure.record]).get(disclosure.record)
    if found is None:
        detail = f"{disclosure.record} is no record of {lab.registry.address}"
        return replace(report, checks=(*report.checks, Check("disclosure", Outcome.FAIL, detail)), proves=())
    checks = [replace(check, record=disclosure.record) for check in _checks(disclosure, found.key)]
    checks = [check for check in report.checks if check.name != "private"] + checks
    proves = report.proves
    if proves and all(check.verdict is not Outcome.FAIL for check in checks):
        shown = "; ".join(f"{field.field} = {_shown(field.value)}" for field in disclosure.fields)
        proves = (*proves, f"In that record its author had committed to {shown}, and to no other value by these names.")
    limits = (*report.does_not_prove, "It tells nothing of the run's other private values, nor how many there are.")
    return replace(report, checks=tuple(checks), proves=proves, does_not_prove=limits, private=lab.on_devnet)


def _checks(disclosure: Disclosure, key: RecordKey) -> list[Check]:
    def failure(detail: str) -> list[Check]:
        return [Check("disclosure", Outcome.FAIL, detail)]

    data = canonical(disclosure.manifest)
    if sha256(data).hexdigest() != key.manifest:
        return failure("the manifest in it is not the record's")
    try:
        predicate = parse_manifest(data).predicate
    except InputError as error:
        return failure(f"the record's manifest can't be read: {error.message}")
    private = predicate.private if isinstance(predicate, RunPredicate) else None
    if private is None:
        return failure("the record commits to no private values")
    openings = [Opening(field.field, field.value, field.salt) for field in disclosure.fields]
    try:
        require_own_salts(openings)
    except InputError as error:
        return failure(error.message)
    try:
        names = {plain_name(opening.field) for opening in openings}
    except ValueError as error:
        return failure(f"expected {error}")
    if len(names) < len(openings):
        return failure("it shows one value twice")
    open_ = {f"{what}.{name}" for what in ("parameters", "metrics") for name in getattr(predicate, what)}
    if twice := sorted(names & open_):
        return failure(f"the record shows a value of its own as {twice[0]}: it commits to two by this name")
    context = Context(disclosure.chain_id, disclosure.registry, key.group, key.author.lower())
    checks = []
    for opening, field in zip(openings, disclosure.fields, strict=True):
        fits = 1 << len(field.path) == private.leaves
        fits = fits and root_of(context, key.subject, opening, field.path) == private.root
        detail = f"name, value or salt is not what this record commits to: {_shown(field.value)}"
        if fits:
            detail = f"{_shown(field.value)}: it leads to the root {private.root} of the record's private values"
        verdict = Outcome.PASS if fits else Outcome.FAIL
        checks.append(Check(f"private {field.field}", verdict, detail, {"field": field.field, "value": field.value}))
    return checks


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def _whole_name(tree: FieldTree, name: str) -> str:
    known = [opening.field for opening in tree.openings]
    if name in known:
        return name
    matches = [field for field in known if field.partition(".")[2] == name]
    if len(matches) == 1:
        return matches[0]
    raise InputError(
        f"expected the name of one private value, got {name!r}, which {len(matches)} have",
        hint=f"There are: {', '.join(sorted(known))}.",
    )
