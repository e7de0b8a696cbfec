"""Input of strangers that lies: `python -m benchmarks.hostile [KIND]` counts cases and wrong verdicts of each kind.

A row is a function of the honest files of a real lab on a devnet. It yields cases: a name, and a call that returns the
outcome. A verdict is wrong if it is "verified" of what the honest file does not show, or if the call ends in an
exception that is no refusal. Then the exit code is 1.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import rfc8785

from benchmarks import hostile_words
from benchmarks.hostile_renewals import renewals
from benchmarks.hostile_witnesses import witnesses
from blockchaintracer import Trust, verify_batch_proof, verify_bundle
from blockchaintracer.core.errors import InputError, NotVerified
from blockchaintracer.core.formats import UnknownVersion
from blockchaintracer.core.manifest import Manifest
from blockchaintracer.core.manifest.predicates import IdentityStatement
from blockchaintracer.core.record import Kind
from blockchaintracer.core.verify.bundle import read_bundle
from blockchaintracer.extras.identity import confirm, holders, other_side
from blockchaintracer.extras.identity import identity_claims as identity
from blockchaintracer.extras.identity.other_side import Asking
from blockchaintracer.lab.batches import anchor, batching
from blockchaintracer.lab.bundle.export_proof import export_proof
from blockchaintracer.lab.groups import create_group, deploy
from blockchaintracer.lab.kept_identities import IdentityEvidence, IdentityRecord, file_name, kept_files
from blockchaintracer.lab.kept_proofs import find_proof
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.private.disclose import disclose, verify_disclosure
from blockchaintracer.lab.recording.content import record_content
from blockchaintracer.lab.recording.run import RunFacts, finish_run, start_run
from blockchaintracer.lab.recording.run_document import RunDocument
from blockchaintracer.lab.verify_here import verify
from tests.support.forged_bundles import SHAPES, Forged, blocks_of
from tests.support.habits import KINDS, through
from tests.support.memory_node import MODES, Answer, answering, forgetful
from tests.support.mutations import changes
from tests.support.reading_verbs import problem, reading
from tests.support.registry_life import FULL, Life, live

_STEP = 500
"""Cases after which the progress is told."""
Case = tuple[str, Callable[[], str]]
REFUSALS = ("not verified", "consistent", "of a newer version", "as true")
"""What hostile input may end in. The node answers, so nothing is unavailable. A file that calls itself one of a newer
version is not judged: the reader is told to upgrade. Of "as true", see `bundle_outcome`."""


@dataclass
class Honest:
    """What a lab made: a bundle of two records, the proof of a batched one, a disclosure, and whom to ask."""

    lab: Lab
    folder: Path
    trust: Trust
    bundle: bytes
    batch_proof: bytes
    disclosure: bytes


def bundle_outcome(honest: Honest, data: bytes, trust: Trust) -> str:
    """Judge a changed bundle.

    It may say less than the honest one and stay true: without a record, a manifest, or the settings that made the
    registry, where the verifier chose that registry. Then all that it shows is compared with what the honest one shows.
    """
    report = verify_bundle(data, trust)
    if not report.conclusion.verified:
        return str(report.conclusion)
    whole, shown = read_bundle(honest.bundle), report.bundle
    of_registry = (None, whole.deployment) if trust.registry else (whole.deployment,)
    records = [it for record in whole.records for it in (record, replace(record, manifest=None))]
    is_less = shown.deployment in of_registry and all(record in records for record in shown.records)
    same = replace(shown, records=whole.records, blocks=whole.blocks, deployment=whole.deployment) == whole
    return "as true" if is_less and same and {*shown.blocks} <= {*whole.blocks} else "verified"


def bundle_fields(honest: Honest) -> Iterator[Case]:
    """Change each field of a bundle of a registry that the verifier chose."""
    for name, data in _changed(honest.bundle):
        yield name, lambda data=data: bundle_outcome(honest, data, honest.trust)


def bundle_fields_by_factory(honest: Honest) -> Iterator[Case]:
    """Change each field of a bundle whose registry the bundle has to show to be the factory's."""
    trust = replace(honest.trust, registry=None)
    for name, data in _changed(honest.bundle):
        yield name, lambda data=data: bundle_outcome(honest, data, trust)


def bundle_bytes(honest: Honest) -> Iterator[Case]:
    """Change a bit of every third byte."""
    for at in range(0, len(honest.bundle), 3):
        data = bytearray(honest.bundle)
        data[at] ^= 1 << at % 8
        yield f"byte {at}", lambda data=bytes(data): str(verify_bundle(data, honest.trust).conclusion)


def forged_bundles(honest: Honest) -> Iterator[Case]:
    """Invent chain, author, time and verdicts: nothing trusted, a node asked, and one block of two trusted."""
    for kind in ({}, {"count": 3}, {"batched": True, "count": 3}, {"fields": 8}, {"is_genuine": False}):
        for chain_id in (1, 8453, honest.lab.chain_id):
            for number in (2, 18_000_000):
                data = Forged(chain_id=chain_id, number=number, **kind).data()
                one = Trust(blocks=blocks_of(data)[:1])
                for who, trust in (("nobody", None), ("the node", honest.trust), ("one block", one)):
                    name = f"{kind} of chain {chain_id} at {number}, {who} trusted"
                    yield name, lambda data=data, trust=trust: str(verify_bundle(data, trust).conclusion)


def spliced_bundles(honest: Honest) -> Iterator[Case]:
    """Exchange parts between the two records of a bundle, and take parts from a bundle of invented blocks. The node is
    asked, or every block of the honest bundle is trusted."""
    blocks = Trust(registry=honest.trust.registry, chain_id=honest.lab.chain_id, blocks=blocks_of(honest.bundle))
    forged = Forged(
        chain_id=honest.lab.chain_id, registry=honest.lab.domain.registry, is_genuine=False, number=2
    ).plain()
    for name, changed in _spliced(json.loads(honest.bundle), forged):
        for who, trust in (("the node", honest.trust), ("its blocks", blocks)):
            data = rfc8785.dumps(changed)
            yield f"{name}, {who} trusted", lambda data=data, trust=trust: bundle_outcome(honest, data, trust)


def _spliced(whole: dict[str, Any], forged: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    def copied(part: str, value: Any, record: int | None = None, inner: str | None = None) -> dict[str, Any]:
        made = json.loads(json.dumps(whole))
        place = made if record is None else made["records"][record]
        place = place if inner is None else place[inner]
        place[part] = value
        return made

    for at in (0, 1):
        for source, other in (("the other", whole["records"][1 - at]), ("an invented", forged["records"][0])):
            for part, value in other.items():
                yield f"{part} of {source} record in record {at}", copied(part, value, at)
                for inner in value if part == "recorded" else ():
                    yield f"{part}.{inner} of {source} record in {at}", copied(inner, value[inner], at, part)
    for part in ("blocks", "nodes", "records"):
        yield f"{part} of an invented bundle", copied(part, forged[part])
    both = {
        "blocks": {**whole["blocks"], **forged["blocks"]},
        "nodes": sorted({*whole["nodes"], *forged["nodes"]}),
        "records": [*whole["records"], *forged["records"]],
    }
    for part, value in both.items():
        yield f"{part} of both", copied(part, value)
    yield "an invented record beside two", {**whole, **both}


def chain_shapes(honest: Honest) -> Iterator[Case]:
    """Make parts that no chain makes, under blocks that are trusted."""
    for name, kind in SHAPES.items():
        data = Forged(**kind).data()
        trust = Trust(blocks=blocks_of(data))
        yield name, lambda data=data, trust=trust: str(verify_bundle(data, trust).conclusion)


def batch_proof_fields(honest: Honest) -> Iterator[Case]:
    """Change each field of the proof of a batched record."""
    for name, data in _changed(honest.batch_proof):
        yield name, lambda data=data: str(verify_batch_proof(data, honest.trust).conclusion)


def disclosure_fields(honest: Honest) -> Iterator[Case]:
    """Change each field of a disclosure."""
    file = honest.folder / "changed.json"

    def judged(data: bytes) -> str:
        file.write_bytes(data)
        return str(verify_disclosure(honest.lab, file).conclusion)

    for name, data in _changed(honest.disclosure):
        # one change of each field of the manifest, which is hashed as a whole: the node is asked for each case
        if not name.startswith("manifest.") or name.endswith(" = 0"):
            yield name, lambda data=data: judged(data)


def claims(honest: Honest) -> Iterator[Case]:
    """Change each field of a claim that a group saw confirmed, and of the pages that name it; say it again for others.

    A changed claim may stand only as the honest one, or say less. A changed page may name the claim only where the name
    is still in an entry that is public, of this person.
    """
    from tests.support.other_sides import other_sides

    lab = honest.lab
    with other_sides() as sides, patch.dict(os.environ, sides.variables):
        made = identity.claim(lab, "orcid", _ORCID, for_group=False)
        entry = confirm.keep_claim(lab, made)
        said = confirm.statement_of(entry)
        shown = next(iter(identity.names(said)))
        sides.orcid(_ORCID, f"https://orcid.org/{_ORCID}#{shown}")
        page = sides.pages[f"/v3.0/{_ORCID}/person"]
        confirm.check(lab, [made.id], Asking(allow_local=True), record_it=True)
        name = confirm.name_of(lab, said)
        [(_, evidence)] = kept_files(lab.home, (), name)
        (lab.home.path / file_name(name)).unlink()
        true = _holders_of(lab, name, evidence)
        assert [it.state for it in true] == [holders.SEEN], "what is true must stand, else nothing is shown"
        for what, data in _changed(evidence):
            yield f"evidence: {what}", lambda data=data: _claim_outcome(lab, name, data, true)
        for what, data in _changed(page):
            yield f"page: {what}", lambda data=data: _page_outcome(data, said, shown)
        for what, other in _statements(lab, said):
            yield f"replayed: {what}", lambda other=other: _replayed(lab, entry, other)


_ORCID = "0000-0002-1825-0097"


def _holders_of(lab: Lab, name: str, data: bytes) -> tuple[holders.Holder, ...]:
    return holders.of_names(lab, [name], handed=[IdentityEvidence.parse(data, "it")])


def _claim_outcome(lab: Lab, name: str, data: bytes, true: tuple[holders.Holder, ...]) -> str:
    try:
        told = _holders_of(lab, name, data)
    except InputError:
        return "not verified"
    honest = [true[0], replace(true[0], seen=(), state=holders.NEVER)]
    honest += [replace(true[0], seen=tuple(replace(it, judged=False) for it in true[0].seen))]
    standing = [it for it in told if it.counts]
    if not standing:
        return "not verified"
    return "as true" if all(it in honest for it in standing) else "verified"


def _page_outcome(data: bytes, said: IdentityStatement, shown: str) -> str:
    if not other_side.methods("orcid")[0].names(data, said, 0).says:
        return "not verified"
    person = json.loads(data)
    entries = person["researcher-urls"]["researcher-url"]
    there = any(
        str(it["visibility"]).lower() == "public" and it["url"]["value"].lower().endswith(f"#{shown}") for it in entries
    )
    return "as true" if there and person["path"] == f"/{_ORCID}/person" else "verified"


def _statements(lab: Lab, said: IdentityStatement) -> Iterator[tuple[str, IdentityStatement]]:
    """Yield the statement for another chain, registry, account, group, identifier or time, as it was signed."""
    others = {"chainId": "1", "registry": "0x" + "34" * 20, "account": "0x" + "56" * 20, "group": lab.group()}
    others |= {"identifier": "0000-0002-1694-233X", "scheme": "github", "signedAt": "1", "nonce": "0x" + "00" * 32}
    for field, value in others.items():
        yield field, type(said).from_plain(said.to_json() | {field: value})


def _replayed(lab: Lab, entry: IdentityRecord, other: IdentityStatement) -> str:
    predicate = entry.manifest.predicate
    manifest = Manifest.of(
        Kind.IDENTITY_CLAIM, type(predicate).from_plain(predicate.to_json() | {"statement": other.to_json()})
    )
    key = replace(entry.key, manifest=manifest.digest(), subject=manifest.subject_digest)
    try:
        identity.check_claim(manifest, key, lab.domain)
    except InputError:
        return "not verified"
    return "verified"


def renewed_records(honest: Honest) -> Iterator[Case]:
    """Give altered, forged, foreign, partial and late renewals of a record whose hash is broken."""
    (folder := honest.folder / "renewals").mkdir()
    yield from renewals(honest.lab, folder)


def nodes_that_forget(honest: Honest) -> Iterator[Case]:
    """Verify a registry's records by nodes that forgot everything before each of its blocks, in each of the four ways:
    with the keys that were published with them, and with none."""
    life = live(honest.folder / "life")
    judged = _judged_by_nodes(life)
    for mode in MODES:
        for cut in range(2, life.node.head + 1):
            for name in life.ids:
                for sources in ([life.published], []):
                    answer = forgetful(life.node, mode, cut)
                    case = f"{name}, {mode} before block {cut}, {'a' if sources else 'no'} key"
                    yield case, lambda name=name, it=answer, sources=sources: judged(name, it, sources)


def verbs_of_nodes_that_forget(honest: Honest) -> Iterator[Case]:
    """Ask every reading verb by such nodes, in the lab's own home, where keys and receipts are kept."""
    lab = reading(honest.folder / "reading")
    true = cache(lambda name: lab.told(name, lab.life.node.answer))
    for mode in MODES:
        for cut in range(2, lab.life.node.head - 1):
            for name in lab.verbs:
                now = lambda name=name, mode=mode, cut=cut: lab.told(name, forgetful(lab.life.node, mode, cut))  # noqa: E731
                yield (
                    f"{name}, {mode} before block {cut}",
                    lambda name=name, now=now: problem(name, now(), true(name)) or "as true",
                )


def nodes_of_other_makes(honest: Honest) -> Iterator[Case]:
    """Verify a registry's records by nodes that lack, add, limit and refuse what other nodes do."""
    life = live(honest.folder / "other makes")
    judged = _judged_by_nodes(life)
    for kind, fault in KINDS.items():
        answer = through(life.node.answer, fault)
        for name in life.ids:
            yield f"{name}, {kind}", lambda name=name, it=answer: judged(name, it, [life.published])


def _judged_by_nodes(life: Life) -> Callable[[str, Answer, list[Path]], str]:
    """Return what says "as true" if a record is verified by a node as by the honest one, or is unavailable without a
    key."""

    def outcome(name: str, answer: Answer, sources: list[Path]) -> tuple[str, set[str]]:
        with answering(full=answer):
            report = verify(life.open_lab(life.published.with_name("stranger"), FULL), life.ids[name], sources=sources)
        return str(report.conclusion), {check.name for check in report.failed}

    @cache
    def truth(name: str, with_key: bool) -> tuple[str, set[str]]:
        return outcome(name, life.node.answer, [life.published][: int(with_key)])

    def judged(name: str, answer: Answer, sources: list[Path]) -> str:
        now, true = outcome(name, answer, sources), truth(name, bool(sources))
        return "as true" if now in (true, *([] if sources else [("unavailable", set())])) else f"{now}, not {true}"

    return judged


ROWS: dict[str, Callable[[Honest], Iterator[Case]]] = {
    "bundle, a field": bundle_fields,
    "bundle, by the factory": bundle_fields_by_factory,
    "bundle, a byte": bundle_bytes,
    "bundle, forged": forged_bundles,
    "bundle, spliced": spliced_bundles,
    "bundle, impossible": chain_shapes,
    "batch proof, a field": batch_proof_fields,
    "disclosure, a field": disclosure_fields,
    "claims": claims,
    "witnesses": witnesses,
    "dnssec": lambda honest: hostile_words.dnssec(),
    "tokens": lambda honest: hostile_words.tokens(),
    "community": lambda honest: hostile_words.books(),
    "renewals": renewed_records,
    "node that forgets": nodes_that_forget,
    "node that forgets, each verb": verbs_of_nodes_that_forget,
    "node of another make": nodes_of_other_makes,
}
"""Each kind of hostile input. Add a row: a function that yields cases."""


def _changed(data: bytes) -> Iterator[tuple[str, bytes]]:
    plain = json.loads(data)
    for name, changed in changes(plain):
        try:
            written = rfc8785.dumps(changed)
        except (ValueError, UnicodeError):
            continue
        if written != rfc8785.dumps(plain):
            yield name, written


def judge(case: Callable[[], str]) -> str:
    """Return the outcome of a case, or the exception that is no refusal."""
    try:
        return case()
    except NotVerified:
        return "not verified"
    except UnknownVersion:
        return "of a newer version"
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def honest_files(lab: Lab, folder: Path) -> Honest:
    """Record on the lab's devnet, and write each kind of proof."""
    for name in ("one", "two", "three", "four"):
        (folder / name).write_text(name)
    ids = [record_content(lab, Kind.DATASET, folder / name, name=name).id for name in ("one", "two")]
    with batching(lab):
        batched, _ = [record_content(lab, Kind.DATASET, folder / name, name=name).id for name in ("three", "four")]
    anchor(lab)
    document = {"schema": 1, "name": "run", "private": {"parameters": {"lr": 0.1, "width": 8}}}
    facts = RunFacts(document=RunDocument.from_plain(document), folder=folder)
    run = finish_run(lab, start_run(lab, folder), facts)
    disclose(lab, run.id, ["lr"], folder / "lr.json")
    export_proof(lab, ids, folder / "two.proof")
    proof = find_proof(lab, batched)
    assert proof is not None
    trust = Trust(registry=lab.registry.address, network="devnet", rpc=lab.devnet.start().url)
    files = (
        (folder / "two.proof").read_bytes(),
        json.dumps(proof.as_json()).encode(),
        (folder / "lr.json").read_bytes(),
    )
    honest = Honest(lab, folder, trust, *files)
    outcomes = [
        verify_bundle(files[0], trust),
        verify_batch_proof(files[1], trust),
        verify_disclosure(lab, folder / "lr.json"),
    ]
    assert [outcome.verified for outcome in outcomes] == [True] * 3, "what is true must verify, else nothing is shown"
    return honest


def run(honest: Honest, kinds: Iterable[str] = ROWS) -> int:
    """Judge every case of some kinds, print a line for each kind, and return the number of wrong verdicts."""
    wrong: list[str] = []
    print(f"{'kind':<24}{'cases':>8}{'wrong verdicts':>16}{'seconds':>9}", flush=True)
    for kind in kinds:
        count, before, start = 0, len(wrong), time.monotonic()
        for name, case in ROWS[kind](honest):
            count += 1
            if (outcome := judge(case)) not in REFUSALS:
                wrong.append(f"{kind}: {name}: {outcome}")
            if count % _STEP == 0:
                print(f"  {kind}: {count:,} cases", file=sys.stderr, flush=True)
        seconds = time.monotonic() - start
        print(f"{kind:<24}{count:>8,}{len(wrong) - before:>16,}{seconds:>9.0f}", flush=True)
    print(*wrong, sep="\n", end="\n" if wrong else "")
    return len(wrong)


def main() -> int:
    with tempfile.TemporaryDirectory() as scratch:
        lab = Lab(Home(Path(scratch) / "home"))
        try:
            deploy(lab, open_group_creation=True)
            create_group(lab, "hostile")
            return 1 if run(honest_files(lab, Path(scratch)), sys.argv[1:] or ROWS) else 0
        finally:
            lab.devnet.stop()


if __name__ == "__main__":
    sys.exit(main())
