"""People who record, seal and attest on a chain in this process, and what a stranger's verifier says of it as text."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from blockchaintracer.core.chain import Chain, Registry
from blockchaintracer.core.digest import cid_of_sha256, digest_bytes
from blockchaintracer.core.manifest import Artifact, Manifest
from blockchaintracer.core.record import Kind, Link, RecordKey, from_hex
from blockchaintracer.core.verify import Report
from blockchaintracer.core.verify.copies import FolderCopies, object_name
from blockchaintracer.core.verify.outcomes import Check
from blockchaintracer.core.verify.verifier import Verifier
from tests.model import eip712
from tests.model.registry import ALL_ROLES, NO_END

from .actors import Actor
from .evm import interface_of
from .revm_node import RevmNode, refused

ALICE, BOB, CAROL, MALLORY = (Actor.named(name) for name in ("alice", "bob", "carol", "mallory"))


_HASHES = re.compile(r"objects/[0-9a-f]{2}/[0-9a-f]{62}|baf[a-z2-7]{56}|(0x)?([0-9a-fA-F]{64}|[0-9a-fA-F]{40})")
_URL = re.compile(r"http://(127\.0\.0\.1:\d+|node)")


class RevmLab:
    """A registry of CAROL's with group 1 of ALICE's and group 2 of BOB's, and a published folder of what is recorded.

    Attributes:
        names: what texts call an id, an address or a digest, by its hex digits in lower case.
    """

    def __init__(self, folder: Path, chain_id: int = 31337) -> None:
        self.folder = folder
        self.node = RevmNode(chain_id)
        self.registry = self.node.deploy(CAROL, "LabRegistry", CAROL.address, True)
        self.interface = interface_of("LabRegistry")
        self.domain = eip712.Domain(chain_id, self.registry.address)
        self.keys: dict[str, RecordKey] = {}
        self.refused = self.elsewhere = self.impostor = ""
        self._known: dict[str, str] = {}
        self.names = {actor.address[2:]: actor.name.upper() for actor in (ALICE, BOB, CAROL, MALLORY)}
        self.names[self.registry.address[2:]] = "REGISTRY"
        for founder in (ALICE, BOB):
            self.do(founder, "createGroup", ALL_ROLES, bytes(32))

    # -- what people do

    def do(self, who: Actor, function: str, *arguments: Any, mine: bool = True, by: str = "") -> str:
        """Call the registry in a transaction that succeeds; its hash."""
        data = self.interface.encode_call(function, *arguments)
        done = self.node.send(who, self.registry.address, data, mine=mine, by=by)
        if mine and refused(self.node, done):
            raise AssertionError(f"{function} was refused")
        return done

    def join(self, account: Actor | str, roles: int, group: int = 1, by: Actor = ALICE, until: int = NO_END) -> str:
        address = account if isinstance(account, str) else account.address
        versions = [self.registry.read("membershipOf", group, each)[3] for each in (by.address, address)]
        invitation = eip712.Invitation(group, by.address, address, roles, until, *versions, NO_END)
        who, sender = (MALLORY, account) if isinstance(account, str) else (account, "")
        return self.do(who, "joinBySig", invitation, by.sign(self.domain.invitation(invitation)), by=sender)

    def put(self, data: bytes, name: str = "") -> str:
        """Publish an object; its digest."""
        digest = digest_bytes(data).sha256
        path = self.folder / object_name(digest)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        if name:
            self.names[digest] = name
        return digest

    def artifact(self, path: str, data: bytes) -> Artifact:
        """A published attachment."""
        self.put(data, f"<{path}>")
        return Artifact.of(path, digest_bytes(data))

    def key(self, name: str, predicate: Any, subject: str | None = None, **more: Any) -> RecordKey:
        """The key of a record with a published manifest. `name` is what texts call it."""
        given = {"group": 1, "author": ALICE.address, "kind": Kind.DATASET} | more
        manifest = Manifest.of(given["kind"], predicate, subject)
        self.put(manifest.to_bytes(), f"<manifest of {name}>")
        parents = tuple(Link(parent.record, parent.relation) for parent in getattr(predicate, "parents", ()))
        fields = {"subject_type": manifest.subject_type, "subject": manifest.subject_digest}
        key = RecordKey(**fields, manifest=manifest.digest(), parents=parents, **given)
        self.keys[name] = key
        self.names[self.id(key)[2:]] = f"<{name}>"
        self.names.setdefault(key.subject, f"<content of {name}>")
        return key

    def id(self, key: RecordKey | str) -> str:
        key = self.keys[key] if isinstance(key, str) else key
        return f"0x{self.domain.record_id(plain_key(key)).hex()}"

    def record(self, key: RecordKey, who: Actor = ALICE, **more: Any) -> str:
        return self.do(who, "record", key.as_abi(), **more)

    # -- what a stranger is told

    def text(self, told: Report | Iterable[Check] | str) -> str:
        """A report, or checks, line by line, with names for what differs from run to run."""
        text = told if isinstance(told, str) else "\n".join(_lines(told))
        text = _HASHES.sub(lambda match: self._name(match[0]), text)
        return _URL.sub("(the node)", text).replace(str(self.folder), "(published)")

    def _name(self, text: str) -> str:
        """What a hash, an address, the path of an object or a CID is called."""
        if self._known.get("") != f"{len(self.node.blocks)} {len(self.names)}":
            self._known = {"": f"{len(self.node.blocks)} {len(self.names)}"}
            names = dict(self.names)
            for number, block in enumerate(self.node.blocks):
                names[block["hash"].hex()] = f"(hash of block {number})"
            for identifier, transaction in self.node.transactions.items():
                place = f"{transaction['blockNumber']}.{transaction['transactionIndex']}"
                names[identifier.hex()] = f"(transaction {place})"
            for digits, name in names.items():
                self._known[digits] = self._known[digits.rjust(64, "0")] = name
                self._known[f"objects/{digits[:2]}/{digits[2:]}"] = f"objects/{name}"
                if len(digits) == 64:
                    self._known[cid_of_sha256(digits)] = f"(CID of {name})"
        return self._known.get(text.removeprefix("0x").lower(), text)


def plain_key(key: RecordKey) -> eip712.Key:
    links = tuple((from_hex(link.parent), int(link.relation)) for link in key.parents)
    subject, manifest = bytes.fromhex(key.subject), bytes.fromhex(key.manifest)
    return eip712.Key(key.group, key.author, int(key.subject_type), subject, int(key.kind), manifest, links)


def _lines(told: Report | Iterable[Check]) -> Iterable[str]:
    report = told if isinstance(told, Report) else None
    if report:
        yield f"{report.looked_up_as} {report.subject}: {report.conclusion}"
        for record in report.records:
            yield f"  RECORD {record.as_json()}"
    for check in report.checks if report else told:  # type: ignore[union-attr]
        of = f" of {check.record}" if check.record else ""
        values = f" {check.values}" if check.values else ""
        yield f"  {check.verdict.upper()} {check.name}{of}: {check.detail}{values}"
    for sentence in report.proves if report else ():
        yield f"  PROVES {sentence}"
    for sentence in report.does_not_prove if report else ():
        yield f"  NOT {sentence}"


class Stranger:
    """A verifier that knows an address of a node, an address of a registry, and a published folder."""

    def __init__(self, lab: RevmLab, url: str) -> None:
        self.lab = lab
        self.registry = Registry(Chain.connect(url), lab.registry.address)
        self.copies = FolderCopies([lab.folder])
        self.verifier = Verifier(self.registry, self.copies)


def expect(path: Path, text: str) -> None:
    """Compare a text with what a file says that it is to be; UPDATE_EXPECTED=1 writes it, for `git diff` to show."""
    if os.environ.get("UPDATE_EXPECTED"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"{text}\n")
    expected = path.read_text().rstrip("\n").split("\n")
    got = text.rstrip("\n").split("\n")
    if got != expected:
        at = next(
            (i for i, (a, b) in enumerate(zip(expected, got, strict=False)) if a != b), min(len(expected), len(got))
        )
        pytest.fail(
            f"{path.name}, line {at + 1}:\nexpected {expected[at : at + 1]}\ngot      {got[at : at + 1]}\n"
            "If that is better: UPDATE_EXPECTED=1, and read the change with git diff.",
            pytrace=False,
        )
