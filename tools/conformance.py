"""Write the conformance vectors: `python -m tools.conformance` writes conformance/*.json, `--check` compares them.

What a vector expects is what this package computes. That it is right is shown by those who share no code with it and
run the same vectors: the contracts, the TypeScript SDK, and the independent reference of each file where there is one
(eth_account for EIP-712, `sha256sum` for listings, the OpenZeppelin tree).
"""

from __future__ import annotations

import base64
import hashlib
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest.mock import patch

import rfc8785
import rlp
from asn1crypto import parser
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID
from eth_account import Account
from opentimestamps.core.notary import BitcoinBlockHeaderAttestation
from opentimestamps.core.op import OpSHA256
from opentimestamps.core.timestamp import Timestamp

from blockchaintracer import Trust, verify, verify_bundle
from blockchaintracer.core.chain import Chain, Registry
from blockchaintracer.core.chain.abi import interface
from blockchaintracer.core.digest import PROFILES, digest_bytes, format_listing, parse_listing
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.formats import UnknownVersion
from blockchaintracer.core.manifest import Manifest, check_against_key, parse_manifest
from blockchaintracer.core.manifest.predicates import (
    ContentPredicate,
    IdentityClaimPredicate,
    IdentityStatement,
    RecordPredicate,
    RunPredicate,
)
from blockchaintracer.core.merkle import MerkleTree
from blockchaintracer.core.networks import NETWORKS
from blockchaintracer.core.record import (
    Domain,
    Kind,
    Link,
    RecordKey,
    Relation,
    Role,
    SubjectType,
    Verdict,
    record_commitment,
    to_hex,
    verdict_commitment,
)
from blockchaintracer.core.record_key_file import KeyFile, Proof
from blockchaintracer.core.storage_layout import CANCELLED, batch_slot
from blockchaintracer.core.verify.bundle import BundleRefused
from blockchaintracer.core.verify.locate import key_identifier
from blockchaintracer.core.verify.published_proofs import parse_key_file, proof_name
from blockchaintracer.core.verify.standing import stand
from blockchaintracer.extras.identity import ror
from blockchaintracer.extras.identity.identity_claims import check_claim
from blockchaintracer.extras.identity.identity_claims import names as names_of
from blockchaintracer.extras.identity.other_side import methods
from blockchaintracer.extras.renewal.renewal_file import RenewalFile
from blockchaintracer.extras.witness.authority_token import TrustedAuthority, read_certificates, request_token
from blockchaintracer.extras.witness.bitcoin_headers import BitcoinHeader, TrustedHeaders
from blockchaintracer.extras.witness.stamping import check_receipt
from blockchaintracer.extras.witness.witness_receipt import StampedSubject, WitnessKind, WitnessReceipt
from blockchaintracer.extras.witness.witness_settings import WitnessTrust
from blockchaintracer.lab.kept_identities import IdentityRecord
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.private.field_tree import Context, FieldTree, Opening
from blockchaintracer.lab.private.sealed_content import ContentOpening
from tests.evm.verify import test_standing as standing
from tests.support import bundle_evidence as evidence
from tests.support.authority import NOW, POLICY, ROOT, Issuer, authority, der_with, longer, token
from tests.support.bundle_evidence import told
from tests.support.calendar_simulator import written
from tests.support.evm import START
from tests.support.forged_bundles import SALT, SHAPES, Forged, blocks_of
from tests.support.memory_node import MODES, MemoryNode, RpcError, answering, forgetful

FOLDER = Path(__file__).resolve().parents[1] / "conformance"
REGISTRY = "0x" + "12" * 20
AUTHOR = "0x" + "34" * 20
STRANGER = Account.from_key(b"\2" * 32)
Case = dict[str, Any]


def word(text: str) -> str:
    """Return 32 bytes that follow from a text, 64 hex digits: the vectors say nothing that is secret or random."""
    return hashlib.sha256(text.encode()).hexdigest()


# -- ids, links, commitments


def ids() -> Iterator[Case]:
    """Keys, in any order of their parents, and the EIP-712 digest that is their id."""
    kinds = [*Kind, 128, 255]
    for number in range(24):
        domain = Domain((1, 31337, 11155111, 2**64 - 1)[number % 4], "0x" + word(f"registry {number}")[:40])
        links = tuple(
            Link(word(f"parent {number} {place}"), [*Relation][(number + place) % len(Relation)])
            for place in range((0, 1, 2, 7, 64)[number % 5])
        )
        key = RecordKey(
            group=(1, 7, 2**32 - 1)[number % 3],
            author="0x" + word(f"author {number}")[:40],
            subject_type=1 + number % 4,
            subject=word(f"subject {number}"),
            kind=int(kinds[number % len(kinds)]),
            manifest=word(f"manifest {number}"),
            parents=links,
        )
        shown = key.as_json()
        # the order in which somebody gives the parents is no part of the key
        given = shown | {"parents": shown["parents"][::-1]} if number % 2 else shown
        about = {"chainId": str(domain.chain_id), "registry": domain.registry}
        found = domain.record_id(key)
        yield {"name": f"key {number}", **about, "given": given, "key": shown, "id": found} | {
            "globalId": domain.global_id(found)
        }
    plain = RecordKey(1, AUTHOR, 1, word("a"), 1, word("b")).as_json()
    twice = [{"parent": "0x" + word("p"), "relation": 1}] * 2
    yield from (
        {"name": name, "chainId": "1", "registry": REGISTRY, "given": plain | change, "refused": True}
        for name, change in {
            "a group of 33 bits": {"group": 2**32},
            "a negative kind": {"kind": -1},
            "a kind that is text": {"kind": "1"},
            "a subject of 31 bytes": {"subject": "ab" * 31},
            "an author of 19 bytes": {"author": "0x" + "34" * 19},
            "an author with a wrong checksum": {"author": "0xD8DA6BF26964aF9D7eEd9e03E53415D37aA96045"},
            "parents that are no list": {"parents": 1},
        }.items()
    )
    one, both = plain | {"parents": twice[:1]}, plain | {"parents": twice}
    found = Domain(1, REGISTRY).record_id(RecordKey.from_json(one))
    yield {"name": "a parent given twice counts once", "chainId": "1", "registry": REGISTRY, "given": both} | {
        "key": one,
        "id": found,
        "globalId": Domain(1, REGISTRY).global_id(found),
    }


def commitments() -> Iterator[Case]:
    """What a seal shows of a record or a verdict, what an encrypted file is bound to, and a run's private values."""
    for number in range(4):
        record, salt = "0x" + word(f"record {number}"), "0x" + word(f"salt {number}")
        yield {"name": f"record {number}", "of": "record", "record": record, "salt": salt} | {
            "commitment": record_commitment(record, salt)
        }
        evidence = "0x" + word(f"evidence {number}") if number % 2 else None
        shown = {"group": number + 1, "attester": AUTHOR, "record": record, "verdict": number + 1, "evidence": evidence}
        found = verdict_commitment(number + 1, AUTHOR, record, number + 1, evidence, salt)
        yield {"name": f"verdict {number}", "of": "verdict", **shown, "salt": salt, "commitment": found}
    context = Context("31337", REGISTRY, 3, AUTHOR)
    opening = ContentOpening(context, "file", word("content"), "patients.csv", word("salt"))
    text = opening.to_bytes().decode()
    yield {"name": "an encrypted file", "of": "content", "opening": text, "commitment": opening.commitment}
    values = {"parameters.lr": 0.1, "parameters.layers": [64, 32], "metrics.accuracy": 0.93, "parameters.ü": None}
    openings = [Opening(name, value, word(name)) for name, value in values.items()]
    tree = FieldTree(context, word("run"), openings, 1024, word("filler"))
    for shown in openings:
        fields = {"context": context.as_json(), "subject": word("run"), "field": shown.field, "value": shown.value}
        yield {"name": shown.field, "of": "private value", **fields, "salt": shown.salt} | {
            "path": tree.path(shown.field),
            "root": tree.root,
        }


# -- bytes: digests, listings, manifests


def digests() -> Iterator[Case]:
    """Files of a repeated pattern: SHA-256, and the CID of each profile at the sizes where a tree grows."""
    chunk = 1 << 18
    sizes = (0, 1, 11, chunk - 1, chunk, chunk + 1, 2 * chunk, 1 << 20, (1 << 20) + 1, 3 << 20, 175 * chunk)
    pattern = bytes(range(251))
    for size in sizes:
        data = (pattern * (size // len(pattern) + 1))[:size]
        cids = {name: digest_bytes(data, name).cid for name in PROFILES}
        yield {"name": f"{size} bytes", "pattern": pattern.hex(), "size": size} | {
            "sha256": hashlib.sha256(data).hexdigest(),
            "cids": cids,
        }


def listings() -> Iterator[Case]:
    """Folders as the SHA256SUMS whose SHA-256 identifies them, and listings that no folder has."""
    folders = {
        "one file": ["data.csv"],
        "sorted by bytes, not by letters": ["b", "a/z", "a.txt", "B", "ä", "a b", ".hidden", "a/1"],
        "names that sha256sum escapes": ["a\\b", "a\nb", "a\rb", "plain"],
        "beyond the basic plane": ["\U0001d538", "\uffee", "z"],
    }
    for name, paths in folders.items():
        files = [(path, word(path)) for path in paths]
        listing = format_listing(files)
        shown = [{"path": path, "sha256": digest} for path, digest in files]
        yield {"name": name, "files": shown, "listing": listing.decode()} | {
            "sha256": hashlib.sha256(listing).hexdigest()
        }
    line, other = f"{word('a')}  a\n", f"{word('b')}  b\n"
    wrong = {
        "nothing": "",
        "no newline at the end": line[:-1],
        "not sorted": other + line,
        "a path twice": line + line,
        "upper case": line.upper(),
        "one space": line.replace("  ", " "),
        "an absolute path": f"{word('a')}  /a\n",
        "a path that leaves the folder": f"{word('a')}  ../a\n",
        "a part that is empty": f"{word('a')}  a//b\n",
        "a file that is a folder, too": f"{line}{word('b')}  a/b\n",
        "an escape that is none": f"\\{word('a')}  a\n",
        "letters that are not composed": f"{word('a')}  a\u0308\n",
    }
    yield from ({"name": name, "listing": text, "refused": True} for name, text in wrong.items())
    for text in wrong.values():
        refused(lambda text=text: parse_listing(text.encode()))


def refused(read: Callable[[], Any]) -> None:
    """Fail if something that has to be refused is read."""
    try:
        read()
    except InputError:
        return
    raise AssertionError("expected a refusal")


def manifests() -> Iterator[Case]:
    """Manifests: their RFC 8785 bytes, digest, and what of them the key repeats; and texts that are none."""
    parents = [
        {"record": "0x" + word("data"), "relation": int(Relation.TRAINED_ON)},
        {"record": "0x" + word("code"), "relation": int(Relation.DERIVED_FROM)},
    ]
    run = RunPredicate.from_plain(
        {
            "runId": "0c4cd0d6-6b6c-4d5a-8d3c-111111111111",
            "name": "search",
            "status": "completed",
            "parents": parents,
            "parameters": {"lr": 0.1, "ü": 1e21, "small": 5e-324, "big": 1e16, "flag": True, "none": None},
            "metrics": {"snr": {"value": 23.6, "tolerance": {"absolute": 0.05}}, "lost": {"value": float("nan")}},
            "seeds": {"numpy": 42},
        }
    )
    name = "a line \u2603 with \U0001d538"
    result = RecordPredicate.from_plain({"name": name, "subjectType": "identifier", "identifier": "doi:10.1/x"})
    made = {
        "a commitment": Manifest.of(Kind.DATASET, ContentPredicate(subject_type="commitment", name="data"), word("s")),
        "a model by content alone": Manifest.of(Kind.MODEL, ContentPredicate(subject_type="commitment"), word("m")),
        "a run with numbers of every size": Manifest.of(Kind.RUN, run),
        "a result by an identifier": Manifest.of(Kind.RESULT, result),
        "a kind of the lab's own": Manifest.of(200, result),
    }
    for title, manifest in made.items():
        links = manifest.parents
        digests = {"sha256": manifest.digest(), "cid": manifest.cid()}
        yield {"name": title, "text": manifest.to_bytes().decode(), **digests} | {
            "kind": int(manifest.kind),
            "subjectType": int(manifest.subject_type),
            "subject": manifest.subject_digest,
            # content states no parents, and fits those of any key
            "parents": None if links is None else [{"parent": it.parent, "relation": int(it.relation)} for it in links],
        }
    text = made["a commitment"].to_bytes().decode()
    plain = json.loads(text)

    def changed(**fields: Any) -> str:
        return rfc8785.dumps(plain | fields).decode()

    wrong = {
        "a space": text.replace(":", ": ", 1),
        "a newline at the end": text + "\n",
        "a name twice": text.replace("{", '{"_type":"https://in-toto.io/Statement/v1",', 1),
        "keys in another order": json.dumps(dict(reversed(plain.items())), separators=(",", ":")),
        "an escape that is not needed": text.replace("data", "d\\u0061ta"),
        "another statement": changed(_type="https://in-toto.io/Statement/v2"),
        "a field more": changed(more=1),
        "no subject": changed(subject=[]),
        "two subjects": changed(subject=plain["subject"] * 2),
        "a subject of 63 digits": changed(subject=[{"name": "data", "digest": {"sha256": word("s")[:-1]}}]),
        "a subject in upper case": changed(subject=[{"name": "data", "digest": {"sha256": word("s").upper()}}]),
        "an unknown kind": changed(predicateType="urn:blockchaintracer:predicate:poem:v1"),
        "no object": "[]",
        "no JSON": text[:-1],
    }
    for text in wrong.values():
        refused(lambda text=text: parse_manifest(text.encode()))
    yield from ({"name": name, "text": text, "refused": True} for name, text in wrong.items())
    later = {"predicateType": "urn:blockchaintracer:predicate:dataset:v2"}
    for name, text in {
        "a later version": changed(**later),
        "a later version of another form": changed(**later, subject=[], more=1, predicate={"new": 1}),
        "a later version in another order": json.dumps(plain | later, indent=1),
    }.items():
        yield {"name": name, "text": text, "refused": "version"}


def trees() -> Iterator[Case]:
    """Batches of some ids: the root, and the path of each; of large ones a few."""
    for count in (1, 2, 3, 4, 5, 7, 8, 9, 1000):
        values = ["0x" + word(f"leaf {number}") for number in range(count)]
        tree = MerkleTree(values)
        shown = values if count < 10 else [values[0], values[499], values[-1]]
        # the values of a large tree are the SHA-256 of "leaf 0", "leaf 1" and so on
        listed = {"values": values} if count < 10 else {"leaves": count}
        yield {"name": f"{count} records", **listed, "root": tree.root} | {
            "paths": [{"value": value, "path": tree.proof(value)} for value in shown]
        }


# -- bundles


def code(place: str) -> str:
    """Return the reason code of a refusal: its place, without numbers and hashes; ``form`` of what is no bundle."""
    return BundleRefused(place, "").code


def _judged(data: bytes, trust: dict[str, Any] | None) -> Case:
    try:
        report = verify_bundle(data, trust_of(trust))
    except BundleRefused as error:
        return {"refused": error.code}
    except UnknownVersion:
        return {"refused": "version"}
    return {"outcome": report.conclusion.value}


def trust_of(given: dict[str, Any] | None) -> Trust | None:
    """Read what a vector says that the verifier chose."""
    if given is None:
        return None
    chosen = {"chain_id": int(given.get("chainId", "0")), "registry": given.get("registry")}
    return Trust(**chosen, groups=tuple(given.get("groups", ())), blocks=tuple(given.get("blocks", ())))


def bundles() -> Iterator[Case]:
    """Bundles of invented blocks, whole and with one thing wrong, judged with nothing trusted and with their blocks."""
    shapes: dict[str, dict[str, Any]] = {
        "one record": {},
        "three records": {"count": 3},
        "a batch of three": {"batched": True, "count": 3},
        "a record that was cancelled": {"batched": True, "cancelled": True},
        "an own registry": {"is_genuine": False},
        "without its manifest": {"manifest": False},
        "retracted": {"word": 1_438_270_006 << 40},
        "before London": {"fields": 0},
        "of Amsterdam": {"fields": 8},
        "a later fork": {"fields": 8, "more_fields": [b"\x01"]},
    }
    for name, shape in shapes.items():
        forged = Forged(**shape)
        data = forged.data()
        text, blocks = data.decode(), list(blocks_of(data))
        registry = json.loads(data)["registry"]
        for about, trust in {
            "nothing trusted": None,
            "its blocks trusted": {"blocks": blocks},
            "its blocks and registry trusted": {"chainId": "1", "registry": registry, "blocks": blocks},
            "one block trusted": {"blocks": blocks[:1]},
            "another group": {"blocks": blocks, "groups": [8]},
            "another chain": {"chainId": "5", "blocks": blocks},
            "another registry": {"chainId": "1", "registry": REGISTRY, "blocks": blocks},
        }.items():
            shared = {} if about == "nothing trusted" else {"same": f"{name}, nothing trusted"}
            shared = shared or {"bundle": text}
            yield {"name": f"{name}, {about}", **shared, "trust": trust, **_judged(data, trust)}
    for name, shape in SHAPES.items():
        data = Forged(**shape).data()
        yield {"name": name, "bundle": data.decode(), "trust": None, **_judged(data, None)}
    whole = Forged()
    yield from _edited(json.loads(whole.data()))
    data = whole.data()
    for name, raw in {
        "no UTF-8": b'{"a":"\xff"}',
        "no JSON": data[:-1],
        "a newline after it": data + b"\n",
        "a space in it": data[:1] + b" " + data[1:],
        "a bit of a digit": data[:400] + bytes([data[400] ^ 1]) + data[401:],
        "nested deeply": b"[" * 200 + b"]" * 200,
        "a lone surrogate": b'{"a":"\\ud800"}',
        "a number that JSON has not": b'{"a":NaN}',
    }.items():
        yield {"name": name, "base64": base64.b64encode(raw).decode(), "trust": None, **_judged(raw, None)}


def _edited(plain: dict[str, Any]) -> Iterator[Case]:
    """Yield the whole bundle with one field set; `set` is the path and the value, and the rest is canonical again."""
    record = plain["records"][0]
    state = record["state"]
    [inclusion] = set(plain["blocks"]) - {state}
    edits: dict[str, tuple[list[Any], Any]] = {
        "a later version": (["type"], "urn:blockchaintracer:bundle:v2"),
        "another format": (["type"], "urn:blockchaintracer:batch:v1"),
        "other algorithms": (["algorithms"], ["md5"]),
        "a chain that is a number": (["chainId"], 1),
        "chain 0": (["chainId"], "0"),
        "another chain": (["chainId"], "2"),
        "another registry": (["registry"], REGISTRY),
        "a registry with a checksum": (["registry"], plain["registry"].upper().replace("0X", "0x")),
        "no records": (["records"], []),
        "a record twice": (["records"], [record, record]),
        "no nodes": (["nodes"], []),
        "nodes in another order": (["nodes"], plain["nodes"][::-1]),
        "a node twice": (["nodes"], sorted([*plain["nodes"], plain["nodes"][0]])),
        "a node too many": (["nodes"], sorted([*plain["nodes"], "0x" + "c0" * 40])),
        "a node with another byte": (["nodes", 0], plain["nodes"][0][:-2] + "00"),
        "a block too many": (["blocks"], plain["blocks"] | _another_block()),
        "a block under another hash": (["blocks", "0x" + "ab" * 32], plain["blocks"][state]),
        "no id": (["records", 0, "id"], ...),
        "another id": (["records", 0, "id"], "0x" + word("id")),
        "another group": (["records", 0, "key", "group"], 8),
        "another author": (["records", 0, "key", "author"], AUTHOR),
        "another kind": (["records", 0, "key", "kind"], 2),
        "another subject": (["records", 0, "key", "subject"], word("subject")),
        "a field of the key more": (["records", 0, "key", "more"], 1),
        "another manifest": (["records", 0, "manifest", "predicate", "name"], "other"),
        "a manifest that is text": (["records", 0, "manifest"], "text"),
        "no event": (["records", 0, "recorded"], None),
        "another log": (["records", 0, "recorded", "log"], 1),
        "another transaction": (["records", 0, "recorded", "transaction"], 1),
        "the event in another block": (["records", 0, "recorded", "block"], state),
        "the event in no block": (["records", 0, "recorded", "block"], "0x" + word("block")),
        "the state of the first block": (["records", 0, "state"], inclusion),
        "the state of no block": (["records", 0, "state"], "0x" + word("block")),
        "another owner": (["deployment", "owner"], AUTHOR),
        "another salt": (["deployment", "salt"], "0x" + "bb" * 32),
        "another rule": (["deployment", "openGroupCreation"], False),
        "no salt": (["deployment", "salt"], ...),
        "no deployment": (["deployment"], ...),
        "a deployment that is null": (["deployment"], None),
        "a field more": (["more"], 1),
        "evidence of an unknown type": (["witnesses"], [{"type": "urn:example:witness"}]),
        "an empty list of evidence": (["witnesses"], []),
    }
    assert SALT != "0x" + "bb" * 32
    for name, (path, value) in edits.items():
        data = rfc8785.dumps(edited(plain, path, value))
        how = {"path": path} | ({} if value is ... else {"value": value})
        yield {"name": name, "same": "one record, nothing trusted", "set": how, "trust": None, **_judged(data, None)}


def edited(plain: Any, path: list[Any], value: Any) -> Any:
    """Return a copy with the value at a path; an ellipsis drops what is there."""
    made = json.loads(json.dumps(plain))
    parent = made
    for part in path[:-1]:
        parent = parent[part]
    if value is ...:
        del parent[path[-1]]
    else:
        parent[path[-1]] = value
    return made


def _another_block() -> dict[str, str]:
    plain = Forged(number=17_000_000, time=1_438_200_000).plain()
    return dict([next(iter(plain["blocks"].items()))])


# -- evidence beside a record: key files, claims, receipts, renewals, and bundles that have them


def key_files() -> Iterator[Case]:
    """Key files and proofs of batched records: the id, the root, and who signed a transaction that was kept."""
    file = next(it for it in outcomes()["keys"] if "root" not in it and len(it["receipts"]) == 1)
    kept = _key_file(file)
    place, [receipt] = (kept.chain_id, kept.registry), kept.receipts
    plain, other = replace(kept, receipts=()), Domain(*place).record_id(replace(kept.key, subject=word("other")))
    tree = MerkleTree([plain.id, other])
    proof = Proof(*place, plain.key, tree.root, tuple(tree.proof(plain.id)))
    files = {"a key": plain, "a key with its receipt": kept, "a proof": proof}
    files["a proof with a receipt"] = replace(proof, receipts=(replace(receipt, raw=""),))
    for name, file in files.items():
        senders = [it.sent().sender.lower() if it.raw else None for it in file.receipts]
        told = {"id": file.id, "root": getattr(file, "root", None), "senders": senders}
        yield {"name": name, "file": file.as_json(), **told}
    whole = files["a key with its receipt"].as_json()
    wrong: dict[str, tuple[Any, list[Any], Any]] = {
        "an address without its checksum": (plain.as_json(), ["registry"], plain.registry.lower()),
        "a path of another": (proof.as_json(), ["proof"], []),
        "another root": (proof.as_json(), ["root"], "0x" + word("root")),
        "another tree": (proof.as_json(), ["tree"], "standard-v1"),
        "another key": (proof.as_json(), ["key", "subject"], word("other")),
        "a field more": (plain.as_json(), ["more"], 1),
        "no receipts": (plain.as_json(), ["receipts"], []),
        "a receipt of another header": (whole, ["receipts", 0, "header"], whole["receipts"][0]["header"][:-2] + "00"),
        "a receipt at another place": (whole, ["receipts", 0, "index"], 1),
        "a node too many": (whole, ["receipts", 0, "nodes"], [*whole["receipts"][0]["nodes"], "0xc0"]),
        "another transaction": (whole, ["receipts", 0, "transaction"], "0x" + word("transaction")),
        "a transaction with another byte": (whole, ["receipts", 0, "raw"], whole["receipts"][0]["raw"][:-2] + "00"),
        "a later version": (plain.as_json(), ["type"], "urn:blockchaintracer:record-key:v2"),
    }
    for name, (file, path, value) in wrong.items():
        given = edited(file, path, value)
        yield {"name": name, "file": given, "refused": _refusal(lambda given=given: _key_file(given))}


def _key_file(plain: Any) -> KeyFile:
    return parse_key_file(rfc8785.dumps(plain), "it")


def _refusal(read: Callable[[], Any]) -> Any:
    """Return how something that has to be refused is refused."""
    try:
        read()
    except UnknownVersion:
        return "version"
    except InputError:
        return True
    raise AssertionError("expected a refusal")


def identities() -> Iterator[Case]:
    """Claims: the record's key and manifest, and the EIP-712 digest of the statement that the account signed."""
    domain, key = Domain(1, REGISTRY), RecordKey(7, evidence.AUTHOR, 1, word("a"), 1, word("b"))
    shapes: dict[str, dict[str, Any]] = {
        "an ORCID": {},
        "of a group": {"group": 7, "scheme": "domain", "identifier": "physics.example.org"},
        "a GitHub user": {"scheme": "github", "identifier": "octo-cat"},
        "an ENS name": {"scheme": "ens", "identifier": "_lab.name.eth"},
        "a wrong check digit": {"identifier": "0000-0002-1825-0098"},
        "a domain in capitals": {"scheme": "domain", "identifier": "Example.org"},
        "a domain with a dot at its end": {"scheme": "domain", "identifier": "example.org."},
        "an address": {"scheme": "domain", "identifier": "127.0.0.1"},
        "a GitHub user with two hyphens": {"scheme": "github", "identifier": "octo--cat"},
        "an ENS name of one label": {"scheme": "ens", "identifier": "name"},
        "an ENS name in capitals": {"scheme": "ens", "identifier": "Name.eth"},
        "an ENS name that is a sentence": {"scheme": "ens", "identifier": "it, confirmed by cern.eth"},
        "an ENS name with a wide space": {"scheme": "ens", "identifier": "confirmed\u3000by.eth"},
        "an ENS name with a quotation mark": {"scheme": "ens", "identifier": 'name"s.eth'},
        "signed by another": {"signer": STRANGER},
        "of another chain": {"chainId": "5"},
        "of another registry": {"registry": AUTHOR},
        "of another group": {"group": 8},
    }
    entries = {name: evidence.claim(domain, key, **shape) for name, shape in shapes.items()}
    whole = entries["an ORCID"].manifest.to_json()
    signature = whole["predicate"]["signature"]
    high = f"{0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141 - int(signature[66:130], 16):064x}"
    changed = {"the malleable twin of a signature": signature[:66] + high + ("1c" if signature[-2:] == "1b" else "1b")}
    changed |= {"a signature with v of 0": signature[:-2] + "00", "no signature": "0x" + "00" * 65}
    for name, given in changed.items():
        entries[name] = with_signature(entries["an ORCID"], given)
    for name, entry in entries.items():
        shown = {"key": entry.key.as_json(), "manifest": entry.manifest.to_json()}
        about = {"name": name, "chainId": "1", "registry": REGISTRY, **shown}
        try:
            said = check_claim(entry.manifest, entry.key, domain).statement
            yield about | {"claim": f"0x{said.digest()}", "account": said.account, "group": said.group or 0}
        except InputError:
            yield about | {"refused": True}


def with_signature(entry: IdentityRecord, signature: str) -> IdentityRecord:
    """A claim with another signature."""
    plain = edited(entry.manifest.to_json(), ["predicate", "signature"], signature)
    manifest = parse_manifest(rfc8785.dumps(plain))
    return IdentityRecord(replace(entry.key, manifest=manifest.digest()), manifest)


def pages() -> Iterator[Case]:
    """Pages of the other side of a claim: whether they name the claim, its account or its group."""
    domain, key = Domain(1, REGISTRY), RecordKey(7, evidence.AUTHOR, 1, word("a"), 1, word("b"))
    shapes: dict[str, dict[str, Any]] = {
        "orcid": {},
        "github": {"scheme": "github", "identifier": "octo-cat"},
        "domain": {"scheme": "domain", "identifier": "physics.example.org", "group": 7},
    }
    for scheme, shape in shapes.items():
        entry = evidence.claim(domain, key, **shape)
        said = check_claim(entry.manifest, entry.key, domain).statement
        method = methods(scheme)[0]
        own, holder = (
            next(text for text, kind in names_of(said).items() if (kind == "claim") is it) for it in (True, False)
        )
        elsewhere = holder.replace("eip155:1:", "eip155:5:")
        texts = {"the claim": [own], "the holder": [holder], "in capitals": [holder.upper().replace("EIP", "eip")]}
        texts |= {"both": [holder, own], "another chain": [elsewhere], "nothing": [], "more letters": [f"{holder} "]}
        for name, listed in texts.items():
            yield _page(f"{scheme}, {name}", scheme, said, method, _other_side(scheme, said, listed))
        whole = _other_side(scheme, said, [own])
        wrong: dict[str, Any] = {"a list": [whole], "another's": _other_side(scheme, said, [own], "other")}
        if scheme == "orcid":
            hidden = {"visibility": "limited", "url": {"value": own}}
            wrong |= {"what is not public": whole | {"researcher-urls": {"researcher-url": [hidden]}}}
            wrong |= {"behind a #": _other_side(scheme, said, [f"https://example.org/#{own}"])}
        else:
            wrong |= {"a later version": whole | {"type": "urn:blockchaintracer:identity-page:v2"}}
            wrong |= {"a name that is a number": whole | {"names": [own, 1]}, "a field more": whole | {"more": 1}}
        for name, page in wrong.items():
            yield _page(f"{scheme}, {name}", scheme, said, method, page)
        text, field = json.dumps(whole), "path" if scheme == "orcid" else "of"
        yield _page(
            f"{scheme}, a field twice",
            scheme,
            said,
            method,
            text.replace(f'"{field}"', f'"{field}": "it", "{field}"', 1),
        )
    yield from _other_pages(domain, key)


def _other_pages(domain: Domain, key: RecordKey) -> Iterator[Case]:
    """Yield pages of other ways: a DID configuration, the text record of an ENS name, and a record of ROR."""
    whole = {"scheme": "domain", "identifier": "physics.example.org"}
    claims = {"": evidence.claim(domain, key, **whole), ", for a group": evidence.claim(domain, key, group=7, **whole)}
    origin, did = "https://physics.example.org", f"did:pkh:eip155:1:{evidence.AUTHOR}"
    credential: dict[str, Any] = {
        "type": ["VerifiableCredential", "DomainLinkageCredential"],
        "issuer": did,
        "issuanceDate": "2026-01-01T00:00:00Z",
        "expirationDate": "2027-01-01T00:00:00.5+01:00",
        "credentialSubject": {"id": did.upper().replace("DID:PKH:EIP155", "did:pkh:eip155"), "origin": origin},
    }
    changes: dict[str, tuple[list[Any], Any]] = {
        "another kind": (["type"], ["VerifiableCredential"]),
        "another issuer": (["issuer"], f"{did[:-1]}x"),
        "another origin": (["credentialSubject", "origin"], "https://example.org"),
        "another account": (["credentialSubject", "id"], "did:pkh:eip155:1:0x" + "12" * 20),
        "another chain": (["credentialSubject", "id"], did.replace(":1:", ":5:")),
        "not yet": (["issuanceDate"], "2026-06-01T00:00:01Z"),
        "no beginning": (["issuanceDate"], None),
        "ended": (["expirationDate"], "2026-05-31T23:59:59Z"),
        "no end": (["expirationDate"], None),
        "an end without a zone": (["expirationDate"], "2027-01-01T00:00:00"),
    }
    at = int(datetime(2026, 6, 1, tzinfo=UTC).timestamp())
    linked = {"whole": [credential], "beside a JWT": ["a.b.c", credential], "no list": credential}
    linked |= {name: [edited(credential, path, value)] for name, (path, value) in changes.items()}
    for about, entry in claims.items():
        said = check_claim(entry.manifest, entry.key, domain).statement
        for name, listed in linked.items() if not about else [("whole", [credential])]:
            yield _page(f"DID, {name}{about}", "domain", said, methods("domain")[1], {"linked_dids": listed}, at)
    entry = evidence.claim(domain, key, scheme="ens", identifier="lab.eth")
    said = check_claim(entry.manifest, entry.key, domain).statement
    page = _other_side("ens", said, [next(iter(names_of(said)))])
    for name, more in {
        "for ever": {},
        "until later": {"expires": "100", "time": "100"},
        "expired": {"expires": "99", "time": "100"},
        "without its time": {"expires": "99"},
        "until no number": {"expires": "soon", "time": "100"},
    }.items():
        yield _page(f"ENS, {name}", "ens", said, methods("ens")[0], page | more)
    of = {"id": "https://ror.org/05dxps055", "status": "active", "domains": ["example.org", 1]}
    records: dict[str, Any] = {
        "whole": of,
        "withdrawn": of | {"status": "withdrawn"},
        "no domains": of | {"domains": 1},
    }
    records |= {
        "another's": of | {"id": "https://ror.org/02jbv0t02"},
        "another domain": of | {"domains": ["ample.org"]},
    }
    for name, record in records.items():
        given = {
            "institution": "https://ror.org/05dxps055",
            "domain": "physics.example.org",
            "page": json.dumps(record),
        }
        told = ror.names(given["page"].encode(), given["institution"], given["domain"])
        yield {"name": f"ROR, {name}", **given, "says": told.says}


def _other_side(scheme: str, said: Any, texts: list[str], whose: str = "") -> dict[str, Any]:
    who = whose or said.identifier
    if scheme != "orcid":
        return {"type": "urn:blockchaintracer:identity-page:v1", "of": f"{scheme}:{who}", "names": texts}
    sites = [{"visibility": "PUBLIC", "url": {"value": text}} for text in texts]
    return {"path": f"/{who}/person", "researcher-urls": {"researcher-url": sites}, "external-identifiers": None}


def _page(name: str, scheme: str, said: Any, method: Any, page: Any, at: int = 0) -> Case:
    text = page if isinstance(page, str) else json.dumps(page)
    named = method.names(text.encode(), said, at)
    about = {"account": said.account, "group": said.group or 0, "scheme": scheme, "identifier": said.identifier}
    whole = {"chainId": "1", "registry": REGISTRY, **about, "claim": f"0x{said.digest()}", "page": text}
    return {"name": name, **whole, "method": method.name, "at": at, "says": named.says, "by": named.by}


COINBASE = "3ba3edfd7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a"
"""The Merkle root of Bitcoin's first block: the double SHA-256 of its one transaction, whose SHA-256 is below."""
FIRST = "27362e66e032c731c1c8519f43063fe0e5d070db1c0c3552bb04afa18a31c6bf"
HEADER = "01000000" + "00" * 32 + COINBASE + "29ab5f49ffff001d1dac2b7c"
HASH = "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f"


def witnesses() -> Iterator[Case]:
    """Receipts of witnesses: what was stamped, and how each thing that it says stands by the Bitcoin blocks trusted."""
    subject = StampedSubject.of_record(Domain(1, REGISTRY), "0x" + word("witnessed"))
    others = [StampedSubject.of_text(f"other:{number}") for number in range(4)]
    calendar, elsewhere = evidence.calendar(subject, *others[:2]), evidence.elsewhere(subject)
    file = StampedSubject(f"sha256:{FIRST}")
    stamp = Timestamp(bytes.fromhex(FIRST))
    stamp.ops.add(OpSHA256()).attestations.add(BitcoinBlockHeaderAttestation(0))
    first = WitnessReceipt(WitnessKind.OPENTIMESTAMPS, file, written(stamp), headers=(HEADER,))
    later = replace(first, headers=("02" + HEADER[2:],))
    made: dict[str, tuple[WitnessReceipt, list[str]]] = {
        "calendars": (calendar, []),
        "calendars alone in their tree": (evidence.calendar(subject), []),
        "of a tree of five": (evidence.calendar(subject, *others), []),
        "the first block of Bitcoin, trusted": (first, [HASH]),
        "the first block of Bitcoin": (first, []),
        "a header that is not trusted": (later, [HASH]),
        "a header without work that is trusted": (later, [BitcoinHeader(bytes.fromhex(later.headers[0])).hash]),
        "a header of another root": (replace(calendar, headers=(HEADER,)), [HASH]),
        "a second chain": (elsewhere, []),
        "its own chain as a second": (evidence.elsewhere(subject, 1), []),
        "a record of something else": (replace(elsewhere, subject=others[0]), []),
        "a proof of something else": (replace(evidence.calendar(subject), subject=others[0]), []),
        "a byte more": (replace(first, proof=first.proof + b"\0"), [HASH]),
        "a byte less": (replace(first, proof=first.proof[:-1]), [HASH]),
        "a number in a longer form": (replace(first, proof=first.proof[:-2] + b"\2\x80\0"), [HASH]),
    }
    for name, (receipt, blocks) in made.items():
        trust = WitnessTrust(bitcoin=TrustedHeaders(hashes=frozenset(blocks)))
        told = [(str(it.standing), it.not_after) for it in check_receipt(receipt, trust)]
        yield {"name": name, "receipt": receipt.as_json(), "bitcoinBlocks": blocks, "stamped": receipt.stamped} | {
            "says": [{"standing": standing, "notAfter": until} for standing, until in sorted(told, key=str)]
        }
    wrong: dict[str, tuple[WitnessReceipt, list[Any], Any]] = {
        "a field more": (calendar, ["more"], 1),
        "a subject of two words": (calendar, ["subject"], "two words"),
        "a path that is too short": (calendar, ["tree", "path"], calendar.as_json()["tree"]["path"][:-1]),
        "a place outside its tree": (calendar, ["tree", "index"], 3),
        "no address": (calendar, ["from"], ""),
        "no headers": (calendar, ["headers"], []),
        "base64 in another form": (calendar, ["proof"], calendar.as_json()["proof"] + "="),
        "a proof that is too large": (calendar, ["proof"], base64.b64encode(bytes((16 << 10) + 1)).decode()),
        "headers of a second chain": (elsewhere, ["headers"], [HEADER]),
        "an empty header": (calendar, ["headers"], [""]),
        "a later version": (calendar, ["type"], "urn:blockchaintracer:witness-opentimestamps:v2"),
        "other algorithms": (calendar, ["algorithms"], ["sha1"]),
    }
    for name, (receipt, path, value) in wrong.items():
        given = edited(receipt.as_json(), path, value)
        told = {"refused": _refusal(lambda given=given: WitnessReceipt.from_json(given))}
        yield {"name": name, "receipt": given, "bitcoinBlocks": [], **told}


def tokens() -> Iterator[Case]:
    """Receipts of RFC 3161: how each stands by the root certificates and policies that are trusted."""
    path = FOLDER / "rfc3161.json"
    # keys and signatures are random: what is given was made once
    given = json.loads(path.read_text())["cases"] if path.exists() else _new_tokens()
    for case in given:
        receipt = WitnessReceipt.from_json(case["receipt"])
        authorities = [
            TrustedAuthority(read_certificates(it["roots"].encode(), "roots"), tuple(it["policies"]))
            for it in (case, *case.get("also", ()))
            if it["roots"]
        ]
        [told] = check_receipt(receipt, WitnessTrust(authorities=tuple(authorities)))
        about = {name: case[name] for name in ("name", "receipt", "roots", "policies", "also") if name in case}
        about |= {"unread": True} if case["name"] == NAMES_ALLOWED else {}
        yield {**about, "stamped": receipt.stamped, "standing": str(told.standing), "notAfter": told.not_after}


def _new_tokens() -> Iterator[Case]:
    subject = "a-subject"
    digest = StampedSubject.of_text(subject).sha256
    between = Issuer.made("Between", ROOT, ca=True)
    limited = Issuer.made("Between", ROOT, ca=True, ca_usages=(ExtendedKeyUsageOID.SERVER_AUTH,))
    whole = token(digest)
    flipped = bytearray(whole)
    flipped[-1] ^= 1
    made = {
        "whole": whole,
        "over SHA-512": token(digest, signed_over="sha512"),
        "half a second": token(digest, accuracy={"millis": 500}),
        "no accuracy": token(digest, accuracy={}),
        "a certificate between": token(digest, Issuer.made("A", between), between=(between,)),
        "a certificate between for servers": token(digest, Issuer.made("A", limited), between=(limited,)),
        "another digest": token(word("other")),
        "over SHA-1": token(digest, signed_over="sha1"),
        "another algorithm of the digest": token(digest, algorithm="sha512"),
        "its certificate by SHA-1": token(digest, named_by="v1"),
        "its certificate not named": token(digest, named_by=""),
        "another certificate named": token(digest, names=between),
        "a certificate too many": token(digest, between=(between,)),
        "not granted": token(digest, status="rejection"),
        "a wrong signature": bytes(flipped),
        "a byte more": whole + b"\0",
        "a byte less": whole[:-1],
        "no extended key usage": token(digest, Issuer.made("A", ROOT, usages=None)),
        "for code": token(digest, Issuer.made("A", ROOT, usages=(ExtendedKeyUsageOID.CODE_SIGNING,))),
        "a usage that is not critical": token(digest, Issuer.made("A", ROOT, critical=False)),
        "a certificate that ended": token(digest, Issuer.made("A", ROOT, end=NOW - timedelta(days=1))),
        "a certificate that began later": token(digest, Issuer.made("A", ROOT, start=NOW + timedelta(days=1))),
        "signed by itself": token(digest, Issuer.made("Authority of tests")),
        "another time": whole.replace(b"20260501120000Z", b"20260501110000Z"),
        "a certificate over SHA-224": token(digest, Issuer.made("A", ROOT, digest=hashes.SHA224())),
        "a certificate between with another key": token(
            digest, Issuer.made("A", between), between=(Issuer.made("Between", ROOT, ca=True),)
        ),
    }
    root, other = (it.pem.decode() for it in (ROOT, Issuer.made("Another root", ca=True)))
    roots = dict[str, str]()
    for name, proof, top in _chains(digest):
        made[name], roots[name] = proof, top.pem.decode()
    with tempfile.TemporaryDirectory() as folder, authority(Path(folder, "authority")) as real:
        made["of openssl, with RSA"] = request_token(digest, real.url, policy=None, allow_local=True)
        roots["of openssl, with RSA"] = real.root.read_text()
    for name, proof in made.items():
        receipt = WitnessReceipt(WitnessKind.RFC3161, StampedSubject.of_text(subject), proof).as_json()
        yield {"name": name, "receipt": receipt, "roots": roots.get(name, root), "policies": []}
    receipt = WitnessReceipt(WitnessKind.RFC3161, StampedSubject.of_text(subject), whole).as_json()
    # of the record and the renewal of `proofs`
    plain = Forged(author=evidence.AUTHOR).plain()
    renewed = RenewalFile.parse(rfc8785.dumps(evidence.with_evidence(plain)["renewals"][0]), "it")
    own = StampedSubject.of_record(Domain(1, plain["registry"]), plain["records"][0]["id"])
    for about, it in {"record": own, "renewal": StampedSubject.of_text(renewed.root_text)}.items():
        receipt = WitnessReceipt(WitnessKind.RFC3161, it, token(it.sha256)).as_json()
        yield {"name": f"of the {about} in evidence.json", "receipt": receipt, "roots": root, "policies": []}
    for name, proof in _odd_forms(whole, digest):
        odd = WitnessReceipt(WitnessKind.RFC3161, StampedSubject.of_text(subject), proof)
        yield {"name": name, "receipt": odd.as_json(), "roots": root, "policies": []}
    # of one key and name
    key = ec.generate_private_key(ec.SECP256R1())
    ended, renewed_root = (
        Issuer.made("Root", ca=True, key=key, end=end) for end in (NOW - timedelta(1), NOW + timedelta(1))
    )
    by_both = WitnessReceipt(
        WitnessKind.RFC3161, StampedSubject.of_text(subject), token(digest, Issuer.made("A", ended))
    )
    for name, policies in {"another": ["1.2.3.4.9"], "the": [POLICY]}.items():
        about_root = {"roots": ended.pem.decode(), "policies": [POLICY]}
        also = [{"roots": renewed_root.pem.decode(), "policies": policies}]
        yield {
            "name": f"a root that ended, and its renewal for {name} policy",
            "receipt": by_both.as_json(),
            **about_root,
            "also": also,
        }
    for name, given, policies in (
        ("nothing trusted", "", []),
        ("another root trusted", other, []),
        ("another root of its name trusted", Issuer.made("Root of tests", ca=True).pem.decode(), []),
        ("its policy", root, [POLICY]),
        ("another policy", root, ["1.2.3.4.9"]),
    ):
        yield {"name": name, "receipt": receipt, "roots": given, "policies": policies}


def _odd_forms(whole: bytes, digest: str) -> Iterator[tuple[str, bytes]]:
    """Tokens in other forms than the one: what no signature covers, and what an authority signed."""
    # the first parameters of SHA-256 that no signature covers, as another type
    at = whole.rindex(bytes.fromhex("06096086480165030402010500")) + 11
    yield "an algorithm with parameters", whole[:at] + b"\x0a" + whole[at + 1 :]
    null, signed = b"\5\0", (1, 1, 0)
    unsigned: dict[str, tuple[tuple[int, ...], Callable[[bytes], bytes]]] = {
        "more beside what is stamped": ((*signed, 2), longer(null)),
        "more around what is stamped": ((*signed, 2, 1), longer(null)),
        "more beside the number of its certificate": ((*signed, 4, 0, 1), longer(null)),
        "parameters of ECDSA": ((*signed, 4, 0, 4), longer(null)),
        "an identifier in a longer form": ((*signed, 4, 0, 4, 0), longer(b"\x80", first=True)),
    }
    for name, (path, change) in unsigned.items():
        yield name, der_with(whole, path, change)
    extension = parser.emit(0, 1, 16, bytes.fromhex("06052a03040506") + b"\1\1\xff\4\2\5\0")
    stated: dict[str, tuple[tuple[int, ...], Callable[[bytes], bytes]]] = {
        "a ten-millionth of a second": ((4,), lambda _: parser.emit(0, 0, 24, b"20260501120000.1234567Z")),
        "a later version of what is stamped": ((0,), lambda _: b"\2\1\2"),
        "a thousand thousandths of a second": ((5,), lambda _: parser.emit(0, 1, 16, b"\x80\2\3\xe8")),
        "an accuracy before the time": ((5,), lambda _: parser.emit(0, 1, 16, b"\2\1\xff")),
        "a policy without a number": ((1,), lambda _: b"\6\0"),
        "an authority without a name": ((), longer(b"\xa0\0")),
        "a negative nonce": ((6,), lambda _: b"\2\1\xff"),
        "a field that RFC 3161 does not have": ((), longer(b"\x0c\1a")),
        "an extension that nobody may pass over": ((), longer(parser.emit(2, 1, 1, extension))),
    }
    for name, (path, change) in stated.items():
        yield name, token(digest, stated=partial(der_with, path=path, change=change))


def _chains(digest: str) -> Iterator[tuple[str, bytes, Issuer]]:
    """Tokens whose certificates state what they are for: a name, the token, and the root that is trusted."""
    odd = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4.5.6"), b"\5\0")
    signing, issuing, encrypting = (_usage(it) for it in ("digital_signature", "key_cert_sign", "key_encipherment"))
    key_id = x509.AuthorityKeyIdentifier(b"other", None, None)
    own, others = (
        x509.AuthorityKeyIdentifier(
            None, [x509.DirectoryName(ROOT.certificate.issuer)], ROOT.certificate.serial_number + it
        )
        for it in (0, 1)
    )
    signers: dict[str, dict[str, Any]] = {
        "signs": {"more": ((signing, True),)},
        "encrypts": {"more": ((encrypting, True),)},
        "issues": {"ca": True, "ca_usages": (ExtendedKeyUsageOID.TIME_STAMPING,)},
        "has what nobody knows": {"more": ((odd, False),)},
        "has what nobody knows, critical": {"more": ((odd, True),)},
        "has an extension of no form": {"more": ((x509.UnrecognizedExtension(ExtensionOID.KEY_USAGE, b"\3\1"), True),)},
        "names the number of its issuer": {"more": ((own, False),)},
        "names another number of its issuer": {"more": ((others, False),)},
    }
    for name, shape in signers.items():
        yield f"its certificate {name}", token(digest, Issuer.made("A", ROOT, **shape)), ROOT
    between: dict[str, dict[str, Any]] = {
        "issues": {"ca": True, "more": ((issuing, True), (x509.SubjectKeyIdentifier(b"own"), False))},
        "is none of an issuer": {"usages": None},
        "signs and issues nothing": {"ca": True, "more": ((signing, True),)},
        "has what nobody knows, critical": {"ca": True, "more": ((odd, True),)},
        "may have none below": {"ca": True, "longest": 0},
    }
    for name, shape in between.items():
        above = Issuer.made("Between", ROOT, **shape)
        yield f"the certificate between {name}", token(digest, Issuer.made("A", above), between=(above,)), ROOT
    above = Issuer.made("Between", ROOT, ca=True, longest=0)
    below = Issuer.made("Below", above, ca=True)
    yield "a certificate too deep", token(digest, Issuer.made("A", below), between=(above, below)), ROOT
    yield "only the lower of its issuers trusted", token(digest, Issuer.made("A", above)), above
    above = Issuer.made("Between", ROOT, ca=True, more=((x509.SubjectKeyIdentifier(b"own"), False),))
    signer = Issuer.made("A", above, more=((key_id, False),))
    yield "its certificate names another key of its issuer", token(digest, signer, between=(above,)), ROOT
    for name, shape in {
        "is none of an issuer": {"usages": None},
        "ended": {"ca": True, "end": NOW - timedelta(1)},
    }.items():
        top = Issuer.made("Root", **shape)
        yield f"the root {name}", token(digest, Issuer.made("A", top)), top
    keys: dict[str, Any] = {"RSA-PSS": rsa.generate_private_key(65537, 2048), "Ed25519": Ed25519PrivateKey.generate()}
    for algorithm, key in keys.items():
        top = Issuer.made("Root", ca=True, key=key)
        above = Issuer.made("Between", top, ca=True)
        yield f"a root with {algorithm}", token(digest, Issuer.made("A", above), between=(above,)), top
        forged = Issuer(x509.load_der_x509_certificate(above.der[:-1] + bytes([above.der[-1] ^ 1])), above.key)
        yield f"a forged signature of {algorithm}", token(digest, Issuer.made("A", forged), between=(forged,)), top
    names = [x509.DirectoryName(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Other")]))]
    above = Issuer.made("Between", ROOT, ca=True, more=((x509.NameConstraints(names, None), True),))
    yield NAMES_ALLOWED, token(digest, Issuer.made("A", above), between=(above,)), ROOT


NAMES_ALLOWED = "a certificate that allows other names alone"


def _usage(name: str) -> x509.KeyUsage:
    names = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    others = ("key_cert_sign", "crl_sign", "encipher_only", "decipher_only")
    return x509.KeyUsage(**{it: it == name for it in (*names, *others)})


def renewals() -> Iterator[Case]:
    """Renewals: the id of the record, the roots that witnesses stamp, and what is renewed."""
    domain, key = Domain(1, REGISTRY), RecordKey(7, AUTHOR, 1, word("a"), 1, word("b"))
    made = {"a key": (), "two leaves": ("one",), "three leaves": ("one", "two"), "seven leaves": tuple("abcdef")}
    files = {name: evidence.renewal(domain, key, None, *more) for name, more in made.items()}
    for name, file in files.items():
        told = {"id": file.id, "rootText": file.root_text, "renews": sorted(file.renews)}
        yield {"name": name, "file": file.as_json(), **told}
    whole = files["three leaves"].as_json()
    lines = whole["tree"].splitlines(keepends=True)
    wrong: dict[str, tuple[list[Any], Any]] = {
        "another leaf": (["tree"], "".join([lines[0], *files["two leaves"].as_json()["tree"].splitlines(True)[1:]])),
        "leaves in another order": (["tree"], "".join([lines[0], lines[2], lines[1], *lines[3:]])),
        "a leaf twice": (["tree"], "".join([*lines[:2], *lines[1:]])),
        "no line feed at the end": (["tree"], whole["tree"][:-1]),
        "a tree of a later version": (["tree"], whole["tree"].replace("renewal-tree:v1", "renewal-tree:v2")),
        "another root": (["manifest", "predicate", "roots", "sha512"], "00" * 64),
        "another count": (["manifest", "predicate", "count"], 4),
        "another manifest": (["manifest", "predicate", "name"], "other"),
        "another key": (["key", "subject"], word("other")),
        "another kind": (["key", "kind"], int(Kind.DOCUMENT)),
        "an address with its checksum": (["registry"], "0x" + "Ab" * 20),
        "a field more": (["more"], 1),
        "a later version": (["type"], "urn:blockchaintracer:renewal:v2"),
    }
    for name, (path, value) in wrong.items():
        given = edited(whole, path, value)
        refusal = _refusal(lambda given=given: RenewalFile.parse(rfc8785.dumps(given), "it"))
        yield {"name": name, "file": given, "refused": "version" if name == "a later version" else bool(refusal)}


def proofs() -> Iterator[Case]:
    """Bundles with evidence beside their records: what fails of it makes the outcome, and nothing of it verifies."""
    plain = Forged(author=evidence.AUTHOR).plain()
    batched = evidence.with_evidence(Forged(author=evidence.AUTHOR, batched=True, count=3).plain())
    record, domain = plain["records"][0], Domain(1, plain["registry"])
    key, manifest = RecordKey.from_json(record["key"]), record["manifest"]
    subject, other = StampedSubject.of_record(domain, record["id"]), StampedSubject.of_text("other")
    whole = evidence.with_evidence(plain)
    claimed, renewed = whole["identities"][0], whole["renewals"][0]

    def unsigned(entry: IdentityRecord) -> dict[str, Any]:
        return {"identities": [evidence.identities(domain, key, entry)]}

    def renewing(**fields: Any) -> Any:
        return [evidence.renewal(domain, key, manifest | {"predicate": {"subjectType": "file"}}, **fields).as_json()]

    shapes: dict[str, dict[str, Any]] = {
        "all of it": whole,
        "of a batch": batched,
        "a claim of another": plain | {"identities": [claimed | {"holder": f"{claimed['holder'][:-1]}0"}]},
        "a claim that another signed, or code": plain | unsigned(evidence.claim(domain, key, STRANGER)),
        "a claim that no key can sign, or code did": plain
        | unsigned(with_signature(evidence.claim(domain, key), f"0x{'ff' * 65}")),
        "a claim that another signed, replayed": plain | unsigned(evidence.claim(domain, key, STRANGER, chainId="5")),
        "claims of a later version": plain | {"identities": [edited(claimed, ["type"], claimed["type"][:-1] + "2")]},
        "a renewal of another content": plain | {"renewals": renewing()},
        "a renewal of another content by another group": plain | {"renewals": renewing(group=9)},
        "a renewal that leaves the manifest out": plain | {"renewals": [evidence.renewal(domain, key, None).as_json()]},
        "a renewal of another record": plain
        | {"renewals": [evidence.renewal(domain, replace(key, subject=word("other")), None).as_json()]},
        "a renewal of a later version": plain | {"renewals": [edited(renewed, ["type"], renewed["type"][:-1] + "2")]},
        "a receipt of something else": plain | {"witnesses": [evidence.calendar(other).as_json()]},
        "a receipt that is damaged": plain
        | {"witnesses": [replace(evidence.calendar(subject), proof=b"\0").as_json()]},
        "a receipt of a later version": plain
        | {"witnesses": [edited(whole["witnesses"][0], ["type"], "urn:blockchaintracer:witness-rfc3161:v2")]},
    }
    for name, shape in shapes.items():
        data = rfc8785.dumps(shape)
        for about, trust in {"nothing trusted": None, "trusted": {"blocks": list(blocks_of(data))}}.items():
            yield {"name": f"{name}, {about}", "bundle": data.decode(), "trust": trust, **told(data, trust_of(trust))}
    signed = {case["name"]: case for case in json.loads((FOLDER / "rfc3161.json").read_text())["cases"]}
    of_record, of_renewal = (signed[f"of the {it} in evidence.json"] for it in ("record", "renewal"))
    root, proof = of_record["roots"], bytearray(base64.b64decode(of_record["receipt"]["proof"]))
    proof[-1] ^= 1
    forged = of_record["receipt"] | {"proof": base64.b64encode(proof).decode()}
    tokens: dict[str, tuple[dict[str, Any], list[str]]] = {
        "a token": ({"witnesses": [of_record["receipt"]]}, []),
        "a token of a trusted authority": ({"witnesses": [of_record["receipt"]]}, [root]),
        "a token of another authority": ({"witnesses": [of_record["receipt"]]}, [signed["the root ended"]["roots"]]),
        "a forged token": ({"witnesses": [forged]}, []),
        "a forged token of a trusted authority": ({"witnesses": [forged]}, [root]),
        "a token of a renewal": ({"renewals": [renewed], "witnesses": [of_renewal["receipt"]]}, [of_renewal["roots"]]),
    }
    for name, (more, authorities) in tokens.items():
        data = rfc8785.dumps(plain | more)
        for about, trust in {"nothing trusted": {}, "trusted": {"blocks": list(blocks_of(data))}}.items():
            said = told(data, trust_of(trust or None), (), authorities)
            chosen = trust | {"authorities": [{"roots": it} for it in authorities]}
            yield {"name": f"{name}, {about}", "bundle": data.decode(), "trust": chosen, **said}
    for name, shape in zip(("one record", "a batch"), evidence.with_mined(), strict=True):
        data = rfc8785.dumps(shape)
        chosen = {"chainId": "1", "registry": evidence.PLACE, "blocks": list(blocks_of(data))}
        for about, blocks in {"a Bitcoin block trusted": [evidence.MINED_HASH], "another trusted": ["00" * 32]}.items():
            said = told(data, trust_of(chosen), blocks)
            trust = chosen | {"bitcoinBlocks": blocks}
            yield {"name": f"{name}, {about}", "bundle": data.decode(), "trust": trust, **said}


# -- outcomes on what nodes answered


class Recorded:
    """The answers of a node, kept as they are given."""

    def __init__(self, answer: Callable[[str, list[Any]], Any]) -> None:
        self._answer = answer
        self.table: dict[str, dict[str, Any]] = {}

    def __call__(self, method: str, params: list[Any]) -> Any:
        question = json.dumps([method, params], sort_keys=True)
        try:
            found = self._answer(method, params)
        except RpcError as error:
            self.table[question] = {"error": error.error}
            raise
        self.table[question] = {"result": json.loads(json.dumps(found))}
        return found

    def as_json(self, answers: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the table: each question once, and the place of its answer in `answers`, which grows."""
        rows = []
        for question, answer in sorted(self.table.items()):
            if answer not in answers:
                answers.append(answer)
            method, params = json.loads(question)
            rows.append({"method": method, "params": params, "answer": answers.index(answer)})
        return rows


COMPARED = {"author", "batch", "finality", "key", "role", "stored", "time"}
"""Checks whose verdicts are compared, too: they may be unknown and leave the outcome as it is."""


BRIEFLY = (
    "before the theft",
    "data",
    "model, of both groups",
    "only in a batch",
    "stored from a batch",
    "stored later",
    "with a stranger's transaction",
)
"""What every node is asked."""


@cache
def outcomes() -> dict[str, Any]:
    """The life of a small registry, asked of nodes that remember all, that forgot, and that lie."""
    with tempfile.TemporaryDirectory() as folder:
        return _Life(Path(folder)).vectors()


class _Life:
    other_batch: MerkleTree
    newest: str

    def __init__(self, folder: Path) -> None:
        from blockchaintracer.lab.attest import attest, retract
        from blockchaintracer.lab.batches import materialize
        from blockchaintracer.lab.groups import create_group
        from blockchaintracer.lab.lab_folder import Home
        from blockchaintracer.lab.publish import publish
        from blockchaintracer.lab.recording.content import record_content
        from blockchaintracer.lab.recording.run import named_parents, record_run
        from tests.support.registry_life import FULL, KeptSigner

        class Fixed(KeptSigner):
            def __init__(self, name: str) -> None:
                from eth_account import Account

                self._account = Account.from_key(word(name))
                self.address = self._account.address

        self.node = MemoryNode()
        self.node.mine()
        self.ids: dict[str, str] = {}
        self.files: dict[str, bytes] = {}
        self.claims: dict[str, IdentityRecord] = {}
        self.labs: dict[str, Lab] = {}
        """Who has what is not the lab's own."""
        self.published = folder / "published"
        owner = Fixed("owner")
        self.registry = self.node.deploy("LabRegistry", owner.address, True).lower()
        with answering(full=self.node.answer):
            labs = []
            for name in ("lab", "other"):
                signer = owner if name == "lab" else Fixed(name)
                lab = Lab(Home(folder / name), rpc=FULL, registry_address=self.registry, signer_given=signer)
                create_group(lab, name)
                labs.append(lab)
            lab, other = labs

            def content(name: str, kind: Kind, *parents: Link) -> str:
                path = folder / f"{name}.bin"
                self.files[name] = f"the content of {name}\n".encode()
                path.write_bytes(self.files[name])
                self.ids[name] = record_content(lab, kind, path, name=name, parents=list(parents)).id
                return self.ids[name]

            data = content("data", Kind.DATASET)
            model = content("model", Kind.MODEL, Link(data, Relation.TRAINED_ON))
            again = RunPredicate(
                run_id="0c4cd0d6-6b6c-4d5a-8d3c-111111111111",
                parents=named_parents((Link(model, Relation.REPRODUCES),)),
                name="again",
                status="completed",
            )
            self._add("run", other, record_run(other, again).id)
            attest(other, model, Verdict.REPRODUCED, evidence=self.ids["run"])
            wrong = content("wrong", Kind.DATASET)
            content("child", Kind.MODEL, Link(wrong, Relation.TRAINED_ON))
            retract(lab, wrong, "a sensor was broken")
            self._batches(lab, content, wrong)
            for name in (
                "with a stranger's transaction",
                "with many receipts",
                "with a receipt of another transaction",
            ):
                content(name, Kind.DATASET)
            thief = Lab(Home(folder / "thief"), rpc=FULL, registry_address=self.registry, group_number=1)
            thief.signer_given = Fixed("thief")
            self._steal(lab, other, thief)
            self.node.mine(4)
            # the batch is final, and what was stored from it now is not
            self.newest = materialize(lab, self.ids["stored later"])[0].transaction
            for name, record in self.ids.items():
                publish(self.labs.get(name, lab), record, self.published)
            self._forge(lab)
            self._replace()
            self._put_another(self.published / proof_name(self.ids["with a stranger's transaction"]))

    def _batches(self, lab: Lab, content: Callable[..., str], retracted: str) -> None:
        from blockchaintracer.lab.batches import anchor, batching, cancel, end, materialize

        with batching(lab):
            leaf = content("only in a batch", Kind.DATASET)
            content("of a parent in the batch", Kind.MODEL, Link(leaf, Relation.TRAINED_ON))
            stored = content("stored from a batch", Kind.DATASET)
            twice = content("stored from one of two batches", Kind.DATASET)
            content("stored later", Kind.DATASET)
            content("of what is retracted, in a batch", Kind.MODEL, Link(retracted, Relation.TRAINED_ON))
            refused = content("cancelled in a batch", Kind.DATASET)
        anchor(lab)
        with batching(lab):
            content("of an ended batch", Kind.DATASET)
        ended = anchor(lab, leaves=True).root
        materialize(lab, stored)
        materialize(lab, twice)
        self.other_batch = MerkleTree([twice, "0x" + word("other")])
        root = bytes.fromhex(self.other_batch.root[2:])
        call = bytes.fromhex(interface().call("anchor", 1, root, 2, bytes(32))[2:])
        assert self.node.send(lab.signer.address, self.registry, call)
        cancel(lab, refused)
        end(lab, ended)

    def _add(self, name: str, lab: Lab, record: str) -> None:
        self.labs[name], self.ids[name] = lab, record

    def _steal(self, lab: Lab, other: Lab, thief: Lab) -> None:
        """Let a key of both groups sign before and after it is stolen, as they state, and state that another is."""
        from blockchaintracer.lab.attest import attest
        from blockchaintracer.lab.groups import invite, join
        from blockchaintracer.lab.recording.commit import commit
        from blockchaintracer.lab.rotation import report_key

        def document(name: str, **fields: Any) -> str:
            predicate = RecordPredicate.from_plain({"name": name, "subjectType": "identifier", **fields})
            return commit(thief, Manifest.of(Kind.DOCUMENT, predicate), ()).id

        # the deadline of an invitation counts from this machine's clock, if that is later than the chain's
        with patch("time.time", return_value=0.0):
            invitations = [
                invite(it, group, thief.signer.address, Role.RECORDER | Role.REVIEWER)
                for group, it in enumerate((lab, other), 1)
            ]
        for invitation in invitations:
            join(thief, invitation)
        self._add("before the theft", thief, document("before the theft", identifier="before"))
        self._claim("of a group by no maintainer", thief, 8, group=1)
        since = datetime.fromtimestamp(lab.chain.head().timestamp + 1, UTC).isoformat()
        self._add("after the theft", thief, document("after the theft", identifier="after"))
        thief.group_number = 2
        attest(thief, self.ids["data"], Verdict.DISPUTED)
        account = other.signer.address
        values = {"account": account, "since": 1}
        word_of_a_thief = document("a statement", identifier=key_identifier(account), values=values)
        self._add("a statement of no maintainer", thief, word_of_a_thief)
        for group, it in enumerate((lab, other), 1):
            self._add(f"the statement of group {group}", it, report_key(it, thief.signer.address, since).id)
        self._claims_of(lab, thief)

    def _claims_of(self, lab: Lab, thief: Lab) -> None:
        """Record claims of identity: some stand, and of each other one thing is wrong."""
        from blockchaintracer.lab.attest import retract

        self._claim("of an account", lab, 1)
        self._claim("of a group", lab, 2, group=1)
        retract(lab, self._claim("that was retracted", lab, 3), "a typing error")
        again = self.claims["that was retracted"].manifest.to_json()["predicate"]["statement"]
        self._claim("that is recorded again after its retraction", lab, 3, signedAt=again["signedAt"])
        self._claim("signed after its record", lab, 4, signedAt=str(lab.chain.head().timestamp + 10_000))
        self._claim("that nobody recorded", lab, 5, is_kept=True)
        self._claim("by a contract, or forged", lab, 6)
        thief.group_number = 1
        self._claim("of a stolen key", thief, 7)

    def _claim(self, name: str, by: Lab, number: int, *, is_kept: bool = False, **fields: Any) -> str:
        from blockchaintracer.lab.recording.commit import commit

        place = {"chainId": str(by.chain_id), "registry": self.registry, "account": by.signer.address.lower()}
        shape = {"scheme": "orcid", "identifier": "0000-0002-1825-0097", "nonce": f"0x{number:064x}"}
        said = IdentityStatement.from_plain(place | shape | {"signedAt": str(by.chain.head().timestamp)} | fields)
        signature = by.signer.sign_typed_data(said.typed_data())
        stated = {"name": name, "subjectType": "statement", "statement": said.to_json()}
        stated |= {"signature": f"0x{'11' * 65 if 'by a contract' in name else bytes(signature).hex()}"}
        manifest = Manifest.of(Kind.IDENTITY_CLAIM, IdentityClaimPredicate.from_plain(stated))
        if not is_kept:
            commit(by, manifest, ())
        shared = by.signer.address, SubjectType.STATEMENT, manifest.subject_digest, Kind.IDENTITY_CLAIM
        self.claims[name] = IdentityRecord(RecordKey(by.group_number or 1, *shared, manifest.digest()), manifest)
        return by.domain.record_id(self.claims[name].key)

    def _forge(self, lab: Lab) -> None:
        """Publish the proof of a record in a batch that nobody anchored."""
        key = RecordKey(1, AUTHOR, 1, word("nobody anchored"), int(Kind.DATASET), word("manifest"))
        tree = MerkleTree([lab.domain.record_id(key)])
        self.ids["of a batch that nobody anchored"] = tree.values[0]
        forged = Proof(lab.chain_id, lab.domain.registry, key, root=tree.root, path=())
        (self.published / proof_name(tree.values[0])).write_bytes(forged.to_bytes())
        # beside the file of a stored record, and read before it
        file = self._file("data")
        tree = MerkleTree([file.id, "0x" + word("other")])
        made_up = Proof(file.chain_id, file.registry, file.key, tree.root, tuple(tree.proof(file.id)))
        (self.published / "proofs" / "0-made-up.json").write_bytes(made_up.to_bytes())

    def _file(self, name: str) -> KeyFile:
        return parse_key_file((self.published / proof_name(self.ids[name])).read_bytes(), name)

    def _replace(self) -> None:
        """Publish a proof of another batch that holds a record, and a file with more receipts than are read."""
        # where events are forgotten, nothing tells when it was stored
        path = self.published / proof_name(self.ids["stored later"])
        path.write_bytes(replace(Proof.parse(path.read_bytes(), "it"), receipts=()).to_bytes())
        name = "stored from one of two batches"
        file, tree = self._file(name), self.other_batch
        other = Proof(file.chain_id, file.registry, file.key, tree.root, tuple(tree.proof(file.id)))
        (self.published / proof_name(file.id)).write_bytes(other.to_bytes())
        file = self._file("with a receipt of another transaction")
        # each node has that one: of its newest block
        another = replace(file.receipts[0], transaction=self.newest, raw="")
        (self.published / proof_name(file.id)).write_bytes(replace(file, receipts=(another,)).to_bytes())
        file = self._file("with many receipts")
        [real] = file.receipts
        fields = rlp.decode(bytes.fromhex(real.header[2:]))
        headers = [rlp.encode([*fields[:8], bytes([1, number]), *fields[9:]]) for number in range(4)]
        forged = [replace(real, header="0x" + header.hex(), raw="") for header in headers]
        (self.published / proof_name(file.id)).write_bytes(replace(file, receipts=(*forged, real)).to_bytes())

    def _put_another(self, path: Path) -> None:
        """Put a transaction that a stranger signed, to an account, in the place of the one that stored a record."""
        file = KeyFile.read_file(path)
        call = {"to": STRANGER.address, "data": file.receipts[0].sent().data, "chainId": self.node.chain.chain_id}
        fees = {"nonce": 0, "gas": 10**6, "maxFeePerGas": 9, "maxPriorityFeePerGas": 1, "type": 2, "value": 0}
        signed = STRANGER.sign_transaction(call | fees)
        other = replace(file.receipts[0], transaction=to_hex(signed.hash), raw=to_hex(signed.raw_transaction))
        path.write_bytes(replace(file, receipts=(other,)).to_bytes())

    def vectors(self) -> dict[str, Any]:
        head = self.node.head
        tables: dict[str, Any] = {}
        told: list[dict[str, Any]] = []
        cases: list[Case] = []
        claims: list[Case] = []
        answers: dict[str, Callable[[str, list[Any]], Any]] = {"remembers all": self.node.answer}
        answers |= {f"forgot all but its head ({mode})": forgetful(self.node, mode, head) for mode in MODES}
        whole = [*answers][:2]
        answers["says that nothing is stored"] = self._denies
        others = {"hides the events of memberships": self._hides, "names another sender": self._names_another}
        others["tells other times of blocks"] = self._tells_other_times
        others["names another reviewer"] = self._names_another_reviewer
        others["hides verdicts"] = self._hides_verdicts
        others["forgot all but headers"] = forgetful(self.node, "4444", head, headers=True)
        coded = self._delegates(forgetful(self.node, MODES[0], head))
        others["forgot all but its head, and each account has code"] = coded
        others["takes every signature"] = self._takes_every_signature
        answers |= others
        for name, answer in answers.items():
            recorded = Recorded(answer)
            with answering(table=recorded):
                for about, target, trust in self._questions():
                    # one node that forgot is asked everything, and others what differs
                    is_brief = name in others or ("batch" in about and name not in whole)
                    briefly = BRIEFLY if name != "forgot all but headers" else ("stored later",)
                    if is_brief and about not in briefly:
                        continue
                    found = self._ask(target, trust)
                    if name in whole and about in ("data", "stored from a batch", "after the theft"):
                        alone = {"target": target, "trust": trust, "node": name, "copies": False}
                        alone |= self._ask(target, trust, with_copies=False)
                        cases.append({"name": f"{about}, without copies; the node {name}", **alone})
                    if answer == self._denies:
                        # that node has the transactions of what it denies: how far one believes them is open
                        del found["checks"]
                    cases.append(
                        {"name": f"{about}; the node {name}", "target": target, "trust": trust}
                        | {
                            "node": name,
                            **found,
                        }
                    )
                if name in whole or name == "takes every signature":
                    claims += [
                        {"name": f"{about}; the node {name}", "node": name, **self._judge(it)}
                        for about, it in self.claims.items()
                    ]
            tables[name] = recorded.as_json(told)
        objects = {
            path.parent.name + path.name: base64.b64encode(path.read_bytes()).decode()
            for path in sorted((self.published / "objects").rglob("*"))
            if path.is_file()
        }
        files = dict.fromkeys(path.read_text() for path in sorted((self.published / "proofs").glob("*.json")))
        keys = [json.loads(text) for text in files]
        return {"answers": told, "nodes": tables, "objects": objects, "keys": keys, "claims": claims, "cases": cases}

    def _questions(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        chosen = {"chainId": str(self.node.chain.chain_id), "registry": self.registry}
        for name, record in self.ids.items():
            yield name, record, chosen
        yield "an id that nobody recorded", "0x" + word("nobody"), chosen
        yield "data, of a group that does not count", self.ids["data"], chosen | {"groups": [2]}
        yield "only in a batch, of a group that does not count", self.ids["only in a batch"], chosen | {"groups": [2]}
        for name in ("data", "model"):
            yield f"{name}, of both groups", self.ids[name], chosen | {"groups": [1, 2]}
        for name in ("data", "only in a batch"):
            yield f"the SHA-256 of {name}", hashlib.sha256(self.files[name]).hexdigest(), chosen

    def _ask(self, target: str, trust: dict[str, Any], *, with_copies: bool = True) -> Case:
        chosen = trust_of(trust)
        assert chosen is not None
        copies = self.published if with_copies else None
        report = verify(target, replace(chosen, rpc="http://table/"), copies=copies)
        compared = COMPARED | {f"verdict of group {group}" for group in chosen.groups}
        return {
            "outcome": report.conclusion.value,
            "failed": sorted({check.name for check in report.failed}),
            "checks": {check.name: check.verdict.value for check in report.checks if check.name in compared},
            "records": sorted(record.id for record in report.records),
        }

    def _judge(self, entry: IdentityRecord) -> Case:
        chosen = {"chainId": str(self.node.chain.chain_id), "registry": self.registry}
        shown = {"id": Domain(self.node.chain.chain_id, self.registry).record_id(entry.key), **entry.as_json()}
        return {"trust": chosen, "record": shown, **evidence.stands(chosen, entry, self.published)}

    def _takes_every_signature(self, method: str, params: list[Any]) -> Any:
        if method == "eth_call" and params[0]["data"].startswith("0x1626ba7e"):
            return "0x1626ba7e" + "00" * 28
        found = self.node.answer(method, params)
        return "0x60" if (method, found) == ("eth_getCode", "0x") else found

    def _hides(self, method: str, params: list[Any]) -> Any:
        found = self.node.answer(method, params)
        memberships = _topic("MembershipChanged")
        return [log for log in found if log["topics"][0] != memberships] if method == "eth_getLogs" else found

    def _names_another(self, method: str, params: list[Any]) -> Any:
        found = self.node.answer(method, params)
        if method == "eth_getRawTransactionByHash":
            return None
        return {**found, "from": AUTHOR} if method == "eth_getTransactionByHash" and found else found

    def _names_another_reviewer(self, method: str, params: list[Any]) -> Any:
        found = self.node.answer(method, params)
        if method != "eth_getLogs":
            return found
        topic, other = _topic("Attested"), "0x" + STRANGER.address[2:].lower().rjust(64, "0")
        return [
            {**log, "topics": [*log["topics"][:2], other, log["topics"][3]]} if log["topics"][0] == topic else log
            for log in found
        ]

    def _hides_verdicts(self, method: str, params: list[Any]) -> Any:
        found = self.node.answer(method, params)
        return [log for log in found if log["topics"][0] != _topic("Attested")] if method == "eth_getLogs" else found

    def _tells_other_times(self, method: str, params: list[Any]) -> Any:
        found = self.node.answer(method, params)
        is_one = method in ("eth_getBlockByNumber", "eth_getHeaderByNumber") and found and "0x" in str(params[0])
        return {**found, "timestamp": hex(int(found["timestamp"], 16) + 1)} if is_one else found

    def _delegates(self, answer: Callable[[str, list[Any]], Any]) -> Callable[[str, list[Any]], Any]:
        """Answer as a node of a chain on which each account runs another's code (EIP-7702)."""

        def delegated(method: str, params: list[Any]) -> Any:
            found = answer(method, params)
            return "0xef0100" + STRANGER.address[2:].lower() if (method, found) == ("eth_getCode", "0x") else found

        return delegated

    def _denies(self, method: str, params: list[Any]) -> Any:
        found = self.node.answer(method, params)
        if method == "eth_getLogs":
            return []
        about_a_record = method == "eth_call" and any(record[2:] in str(params) for record in self.ids.values())
        if not about_a_record:
            return found
        kept = 130 if found.startswith(f"0x{32:064x}") else 2  # a list keeps its place and length
        return found[:kept] + "0" * (len(found) - kept)


def _topic(event: str) -> Any:
    return interface().filter(event, {})[0]


# -- nodes that are behind


def behind() -> dict[str, Any]:
    """Bundles and nodes of public chains whose newest block is as old as `age` (seconds) says."""
    answers: list[dict[str, Any]] = []
    texts: list[str] = []
    cases = [
        _aged(network.chain_id, "has it", age, answers, texts) for network in NETWORKS for age in (_HOUR, _HOUR + 1)
    ]
    others = [name for name in _BEHIND if name != "has it"]
    cases += [_aged(1, name, age, answers, texts) for name in others for age in (_HOUR, _HOUR + 1)]
    return {"answers": answers, "bundles": texts, "cases": cases}


_HOUR = 3_600
_BEHIND: dict[str, tuple[dict[str, Any], standing.Change]] = {
    "has it": ({}, standing.nothing),
    "has no such block": ({}, standing.short),
    "has it retracted": ({}, standing.today(lambda stored: stored | (START + 80) << 40)),
    "has no such record": ({}, standing.today(lambda stored: 0)),
    "has it of a later time": ({}, standing.today(lambda stored: stored + 1)),
    "has it not retracted yet": (
        {"word": (START + 66) << 40},
        standing.today(lambda stored: stored & ~((2**40 - 1) << 40)),
    ),
    "has it in a batch": ({"batched": True}, standing.nothing),
    "has no such batch": ({"batched": True}, lambda place: _store_batch(place, 0)),
    "has the batch of a later time": ({"batched": True}, standing.batch_at(1)),
    "has it cancelled since": ({"batched": True}, standing.today(lambda stored: CANCELLED)),
    "has forgotten the blocks": ({}, standing.forgotten),
    "has forgotten the blocks, and has it retracted": (
        {},
        standing.forgotten_and(standing.today(lambda stored: stored | (START + 80) << 40)),
    ),
}


def _store_batch(place: standing.Place, value: int) -> None:
    for record in place.bundle.records:
        assert record.batch
        place.store(batch_slot(7, standing.AUTHOR, record.batch.root), value)


def _aged(chain_id: int, name: str, age: int, answers: list[dict[str, Any]], texts: list[str]) -> Case:
    shape, change = _BEHIND[name]
    with patch.object(standing, "CHAIN", chain_id):
        place = standing.Place(Forged(**{**standing.ROUND, "chain_id": chain_id, **shape}))
    change(place)

    def answer(method: str, params: list[Any]) -> Any:
        told = place.node.answer({"id": 1, "method": method, "params": params})
        if "error" in told:
            raise RpcError(told["error"]["code"], told["error"]["message"])
        return told["result"]

    node, now = Recorded(answer), int(place.node.blocks[-1]["timestamp"]) + age
    trust: dict[str, Any] = {"chainId": str(chain_id)}
    trust |= {"blocks": [*blocks_of(place.data)]} if "no such record" in name or "no such batch" in name else {}
    with answering(table=node), patch("time.time", return_value=now):
        chain = Chain.connect("http://table/")
        report = stand(place.bundle, trust_of(trust), lambda: chain)
        for record in place.bundle.records:
            # the SDK asks of one after the other
            Registry(chain, place.bundle.registry).status(record.id)
    text = place.data.decode()
    texts += [] if text in texts else [text]
    return {
        "name": f"chain {chain_id}, a node {name}, {age} s old",
        "bundle": texts.index(text),
        "trust": trust,
        "now": now,
        "node": node.as_json(answers),
        "outcome": report.conclusion.value,
        "checks": sorted([it.name, it.verdict.value, it.record or ""] for it in report.checks),
        "today": {record_id: status.status.name.lower() for record_id, status in report.today.items()},
    }


# -- all


def check_manifest_agreement() -> None:
    """Hold the manifests against keys: what agrees agrees, and what is another's does not."""
    for case in manifests():
        if "refused" in case:
            continue
        links = tuple(Link(it["parent"], it["relation"]) for it in case["parents"] or ())
        fields = (1, AUTHOR, case["subjectType"], case["subject"], case["kind"], case["sha256"])
        key = RecordKey(*fields, parents=links)
        assert not check_against_key(parse_manifest(case["text"].encode()), key)


FILES: dict[str, Callable[[], Any]] = {
    "ids": ids,
    "commitments": commitments,
    "digests": digests,
    "listings": listings,
    "manifests": manifests,
    "trees": trees,
    "bundles": bundles,
    "key-files": key_files,
    "identities": identities,
    "identity-pages": pages,
    "witnesses": witnesses,
    "rfc3161": tokens,
    "renewals": renewals,
    "evidence": proofs,
    "outcomes": outcomes,
    "behind": behind,
}


def texts() -> Iterator[tuple[str, str]]:
    """Yield each file's name and text."""
    for name, make in FILES.items():
        made = make()
        whole = made if isinstance(made, dict) else {"cases": list(made)}
        about = " ".join((make.__doc__ or "").split())
        named = [case["name"] for case in whole["cases"]]
        assert not [one for one, other in pairwise(sorted(named)) if one == other], name
        yield f"{name}.json", _text({"about": about} | whole)


def _text(whole: dict[str, Any]) -> str:
    """Write a line for each item of each list, so that a change of one shows as one line."""
    lines = []
    for name, value in whole.items():
        if isinstance(value, list):
            shown = ",\n".join(json.dumps(item, ensure_ascii=False) for item in value)
            lines.append(f"{json.dumps(name)}: [\n{shown}\n]")
        else:
            lines.append(f"{json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def main() -> int:
    """Write the vectors, or say which are not as written."""
    check_manifest_agreement()
    other = []
    for name, text in texts():
        path = FOLDER / name
        if "--check" not in sys.argv:
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            other.append(name)
    for name in other:
        print(f"conformance/{name} is not what `python -m tools.conformance` writes", file=sys.stderr)
    return bool(other)


if __name__ == "__main__":
    sys.exit(main())
