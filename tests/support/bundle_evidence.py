"""Other evidence for a bundle that was made of nothing: receipts of witnesses, a renewal, a claim of its author."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import cache, partial
from hashlib import sha256
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory
from typing import Any

import rfc8785
from eth_account import Account
from eth_account.messages import encode_typed_data
from opentimestamps.core.notary import BitcoinBlockHeaderAttestation, PendingAttestation
from opentimestamps.core.op import OpAppend, OpPrepend, OpSHA256
from opentimestamps.core.timestamp import Timestamp

from blockchaintracer import Trust
from blockchaintracer.cli.bundle_renewals import bundle_with_renewals
from blockchaintracer.cli.holders_shown import bundle_with_holders
from blockchaintracer.cli.shown_times import bundle_with_times
from blockchaintracer.core.digest import digest_bytes
from blockchaintracer.core.manifest import Artifact, Manifest, Parent, RenewalPredicate, RenewalRoots
from blockchaintracer.core.manifest.predicates import IdentityClaimPredicate, IdentityStatement
from blockchaintracer.core.plain_json import canonical
from blockchaintracer.core.record import Domain, Kind, Link, RecordKey, Relation, SubjectType, checksummed
from blockchaintracer.core.record_key_file import KeyFile
from blockchaintracer.core.verify.bundle import read_bundle
from blockchaintracer.core.verify.published_proofs import published_keys
from blockchaintracer.core.verify.standing import BundleReport, stand
from blockchaintracer.extras.identity.holders import NEVER, REFUSED, REVOKED, UNDECIDED, Holder, of_names
from blockchaintracer.extras.identity.identity_claims import holder_of
from blockchaintracer.extras.renewal.hash_tree import HashTree, hashed
from blockchaintracer.extras.renewal.judge import Renewal
from blockchaintracer.extras.renewal.renewal_file import RenewalFile, key_bytes
from blockchaintracer.extras.witness.bitcoin_headers import BitcoinHeader
from blockchaintracer.extras.witness.witness_receipt import StampedSubject, WitnessKind, WitnessReceipt, stamped_tree
from blockchaintracer.extras.witness.witness_time import RecordTimes
from blockchaintracer.lab.formats import WITNESS_SETTINGS
from blockchaintracer.lab.kept_identities import IdentityEvidence, IdentityRecord, holder_name
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home
from tests.support.calendar_simulator import written
from tests.support.forged_bundles import Forged

MEMBER = Account.from_key(b"\1" * 32)
AUTHOR = MEMBER.address.lower()
HEIGHT = 800_000
PLACE = "0x" + "12" * 20
"""The registry whose evidence was mined."""
MINED = f"02000000{'00' * 32}f7d487a507d0622e7a703366f1a94838f890ccfa27bafdbfc84d120cfc80859101a5186affff001d08af2f6a"
"""A header with the work that Bitcoin asked for at its start, mined for the evidence of `with_mined`: what changes that
evidence needs another (2**32 hashes)."""
MINED_HASH = BitcoinHeader(bytes.fromhex(MINED)).hash


def claim(domain: Domain, key: RecordKey, signer: Any = MEMBER, **fields: Any) -> IdentityRecord:
    """A claim of the member, in the record of a key's group; `fields` are of the statement."""
    given = {"chainId": str(domain.chain_id), "registry": domain.registry.lower(), "account": AUTHOR}
    given |= {
        "scheme": "orcid",
        "identifier": "0000-0002-1825-0097",
        "signedAt": "1438270000",
        "nonce": "0x" + "ab" * 32,
    }
    said = IdentityStatement.from_plain(given | fields)
    signature = Account.sign_message(encode_typed_data(full_message=said.typed_data()), signer.key).signature
    predicate = IdentityClaimPredicate(
        name="it", subject_type="statement", statement=said, signature=f"0x{bytes(signature).hex()}"
    )
    manifest = Manifest.of(Kind.IDENTITY_CLAIM, predicate)
    shared = (key.group, AUTHOR, SubjectType.STATEMENT, manifest.subject_digest, Kind.IDENTITY_CLAIM, manifest.digest())
    return IdentityRecord(RecordKey(*shared), manifest)


def identities(domain: Domain, key: RecordKey, *entries: IdentityRecord) -> dict[str, Any]:
    """The file of identities of the key's author."""
    return IdentityEvidence(domain, holder_name(domain, account=key.author), entries or (claim(domain, key),)).as_json()


def renewal(domain: Domain, key: RecordKey, manifest: Any, *more: str, group: int = 0) -> RenewalFile:
    """A renewal of a record: of its key, its manifest if it is here, and other contents. Nobody recorded it."""
    leaves = {f"key/{domain.record_id(key)}": hashed([key_bytes(domain, key)])}
    if manifest is not None:
        leaves[f"object/{key.manifest}"] = hashed([rfc8785.dumps(manifest)])
    leaves |= {f"object/{sha256(text.encode()).hexdigest()}": hashed([text.encode()]) for text in more}
    tree = HashTree(leaves, (f"object/{'77' * 32}",))
    return renewal_of(domain, tree, [domain.record_id(key)], group or key.group, key.author)


def renewal_of(domain: Domain, tree: HashTree, records: Sequence[str], group: int, author: str) -> RenewalFile:
    """The file of a renewal of records by a tree. Nobody recorded it."""
    links = tuple(Link(record, Relation.RENEWS) for record in sorted(records))
    predicate = RenewalPredicate(
        name="renewal",
        roots=RenewalRoots(sha512=tree.roots[0].hex(), sha3_256=tree.roots[1].hex()),
        count=len(tree.leaves),
        missing=len(tree.missing),
        tree=Artifact.of("tree.txt", digest_bytes(tree.to_bytes())),
        parents=tuple(Parent(record=link.parent, relation=link.relation) for link in links),
    )
    made = Manifest.of(Kind.RENEWAL, predicate, tree.roots[1].hex())
    fields = (group, author, SubjectType.TREE, tree.roots[1].hex(), Kind.RENEWAL, made.digest())
    return RenewalFile(domain.chain_id, domain.registry, RecordKey(*fields, parents=links), made, tree)


def calendar(subject: StampedSubject, *others: StampedSubject) -> WitnessReceipt:
    """A receipt of calendars, with a promise and a block; `others` were stamped by the same tree."""
    root, branches = stamped_tree([it.sha256 for it in (subject, *others)])
    stamp = Timestamp(bytes.fromhex(root))
    stamp.ops.add(OpAppend(b"\7" * 8)).attestations.add(PendingAttestation("https://calendar.example/"))
    end = stamp.ops.add(OpPrepend(b"\5" * 32)).ops.add(OpSHA256()).ops.add(OpAppend(b"\6")).ops.add(OpSHA256())
    end.attestations.add(BitcoinBlockHeaderAttestation(HEIGHT))
    return WitnessReceipt(WitnessKind.OPENTIMESTAMPS, subject, written(stamp), branches[0], source="calendar.example")


def with_mined() -> tuple[dict[str, Any], dict[str, Any]]:
    """Bundles of a record and of a batch with it, and a renewal, all of which a block of Bitcoin holds."""
    alone, batched = (
        Forged(author=AUTHOR, registry=PLACE, is_genuine=False, batched=it, count=3 if it else 1).plain()
        for it in (False, True)
    )
    domain, record = Domain(1, PLACE), alone["records"][0]
    renewed = renewal(domain, RecordKey.from_json(record["key"]), record["manifest"])
    subjects = [
        StampedSubject.of_record(domain, record["id"]),
        StampedSubject.of_root(domain, batched["records"][0]["batched"]["root"]),
        StampedSubject.of_text(renewed.root_text),
    ]
    root, branches = stamped_tree([it.sha256 for it in subjects])
    stamp = Timestamp(bytes.fromhex(root))
    stamp.ops.add(OpAppend(b"\6")).ops.add(OpSHA256()).attestations.add(BitcoinBlockHeaderAttestation(HEIGHT))
    receipts = [
        WitnessReceipt(WitnessKind.OPENTIMESTAMPS, it, written(stamp), branch, headers=(MINED,)).as_json()
        for it, branch in zip(subjects, branches, strict=True)
    ]
    more = {"renewals": [renewed.as_json()]}
    return alone | more | {"witnesses": receipts[::2]}, batched | more | {"witnesses": receipts}


def elsewhere(subject: StampedSubject, chain_id: int = 8453) -> WitnessReceipt:
    """The receipt of a record on a second chain."""
    key = RecordKey(1, "0x" + "22" * 20, SubjectType.IDENTIFIER, subject.sha256, Kind.REFERENCE, "bb" * 32)
    file = KeyFile(chain_id, checksummed("0x" + "ab" * 20), key)
    return WitnessReceipt(WitnessKind.REGISTRY, subject, canonical(file.as_json()))


def with_evidence(plain: dict[str, Any]) -> dict[str, Any]:
    """A bundle of `AUTHOR` with evidence of every kind of its first record."""
    domain, record = Domain(int(plain["chainId"]), plain["registry"]), plain["records"][0]
    key, subject = RecordKey.from_json(record["key"]), StampedSubject.of_record(domain, record["id"])
    root = [calendar(StampedSubject.of_root(domain, record["batched"]["root"]))] if record["batched"] else []
    receipts = [calendar(subject), calendar(subject, StampedSubject.of_text("other")), elsewhere(subject), *root]
    return plain | {
        "identities": [identities(domain, key)],
        "renewals": [renewal(domain, key, record["manifest"]).as_json()],
        "witnesses": [it.as_json() for it in receipts],
    }


def bundle_report(
    data: bytes, trust: Trust | None, bitcoin_blocks: Iterable[str] = (), authorities: Iterable[str] = ()
) -> tuple[BundleReport, Sequence[RecordTimes], Sequence[Renewal], Sequence[Holder]]:
    """What `blockchaintracer verify --proof` finds of a bundle and of its witnesses, renewals and claims, by Bitcoin
    blocks and authorities (root certificates in PEM) that are trusted."""
    chosen = tuple(bitcoin_blocks), tuple(authorities)
    settings = Path(_settings(*chosen).name) if any(chosen) else None
    options = {"witness_settings": settings, "check_witness": False, "broken": ()}
    report, times = bundle_with_times(stand(read_bundle(data), trust), data, options, None)
    report, renewals = bundle_with_renewals(report, (), options, None)
    report, holders = bundle_with_holders(report)
    return report, times, renewals, holders


def told(
    data: bytes, trust: Trust | None, bitcoin_blocks: Iterable[str] = (), authorities: Iterable[str] = ()
) -> dict[str, Any]:
    """All that a report says, in the words that both implementations have (packages/sdk/test/told.js)."""
    report, times, renewals, holders = bundle_report(data, trust, bitcoin_blocks, authorities)
    rows: dict[str, list[Any]] = {
        "checks": [[it.name, it.verdict, it.record or ""] for it in report.checks],
        "witnesses": [[of.subject, it.standing, it.not_after or 0] for of in times for it in of.witnesses],
        "renewals": [
            [it.record, it.id, times, [*it.same], [*it.different], [*it.left_out], it.retracted_at]
            for it in renewals
            for times in [sorted(time.time for time in it.times)]
        ],
        "claims": [[it.account.lower(), it.group or 0, it.scheme, it.identifier] for it in holders],
    }
    written = {
        name: sorted(items, key=lambda it: json.dumps(it, ensure_ascii=False, separators=(",", ":")))
        for name, items in rows.items()
    }
    return {"outcome": report.conclusion.value, **written}


def stands(trust: dict[str, Any], entry: IdentityRecord, copies: Path) -> dict[str, Any]:
    """How a claim stands by the registry of a node at `http://table/`, which is asked about by a stranger."""
    domain = Domain(int(trust["chainId"]), trust["registry"])
    said = entry.manifest.predicate
    assert isinstance(said, IdentityClaimPredicate)
    name = holder_of(domain, said.statement)
    with TemporaryDirectory() as folder:
        lab = Lab(Home(Path(folder)), rpc="http://table/", registry_address=domain.registry)
        lab.keys = [partial(published_keys, sources=[str(copies)])]
        handed = [IdentityEvidence(domain, name, (entry,))]
        [holder] = of_names(lab, [name], sources=[str(copies)], handed=handed)
    words = {NEVER: "stands", REVOKED: "revoked", REFUSED: "refused", UNDECIDED: "unknown"}
    return {"state": words[holder.state], "revokedAt": holder.revoked_at or 0, "isOpen": holder.unknown != ""}


@cache
def _settings(blocks: tuple[str, ...], authorities: tuple[str, ...]) -> Any:
    """A file of settings that trusts Bitcoin blocks and authorities. It is there as long as this process."""
    roots = [_kept(pem) for pem in authorities]
    trusted = {"authorities": [{"certificate": it.name} for it in roots], "bitcoin": {"blocks": blocks}}
    return _kept(json.dumps(WITNESS_SETTINGS.header() | trusted))


@cache
def _kept(text: str) -> Any:
    file = NamedTemporaryFile("w")  # noqa: SIM115 -- closed when the process ends
    file.write(text)
    file.flush()
    return file
