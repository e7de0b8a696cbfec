"""Claims of identity on a real chain, with the other sides on this machine: what `verify` says of who stands behind a
record, from the claim to its end."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from blockchaintracer.core.errors import HistoryPruned, InputError
from blockchaintracer.core.manifest import Manifest, parse_manifest
from blockchaintracer.core.plain_json import canonical
from blockchaintracer.core.record import Role
from blockchaintracer.extras.identity.confirm import claim_entry, keep, name_of
from blockchaintracer.extras.identity.ens import KEY, namehash
from blockchaintracer.extras.identity.holders import of_names
from blockchaintracer.lab.devnet.chain_state import call
from blockchaintracer.lab.groups import create_group, invite, join
from blockchaintracer.lab.kept_identities import IdentityEvidence, IdentityRecord, file_name, holder_name
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.recording.commit import commit
from tests.support.artifacts import artifact
from tests.support.labs import second_lab, typed
from tests.support.other_sides import OtherSides, other_sides

ORCID, OTHER = "0000-0002-1825-0097", "0000-0002-1694-233X"
ASK = ("--check-identity", "--allow-local")


@pytest.fixture(scope="module")
def sides() -> Iterator[OtherSides]:
    with other_sides() as sides:
        yield sides


@pytest.fixture
def run(lab: Lab, sides: OtherSides) -> Any:
    sides.pages.clear()
    for file in (lab.home.path / "identities").glob("*.json"):
        file.unlink()

    def run(*arguments: str, code: int = 0, of: Lab = lab, **more: str) -> Any:
        where = ["--rpc", of.rpc, "--registry", of.registry.address] if of.rpc else []
        done = typed(*arguments, *where, "--json", home=of.home.path, **sides.variables, **more)
        assert done.returncode == code, done.stdout + done.stderr
        return json.loads(done.stdout)

    return run


@pytest.fixture
def record(run: Any, file: Path) -> str:
    return str(run("record", str(file))["id"])


def states(answer: Any) -> list[str]:
    return [it["state"] for it in answer["holders"]]


def stranger(lab: Lab, home: Path, *arguments: str, **more: str) -> Any:
    """A verb of somebody with an empty folder, by the lab's node."""
    where = ("--rpc", lab.devnet.start().url, "--chain-id", str(lab.chain_id), "--registry", lab.registry.address)
    return typed(*arguments, *where, home=home, **more)


def test_an_orcid_holder_from_claim_to_revocation(
    lab: Lab, run: Any, sides: OtherSides, record: str, tmp_path: Path
) -> None:
    assert "holders" not in run("verify", record)
    claim = run("identity", "claim", "--orcid", f"https://orcid.org/{ORCID}")
    assert states(run("verify", record)) == states(run("verify", record, *ASK)) == ["never confirmed"]
    sides.orcid(ORCID, f"https://orcid.org/{ORCID}#{claim['names'][0]}")
    assert states(run("verify", record)) == ["never confirmed"]
    assert states(run("verify", record, *ASK)) == ["confirmed now"]

    seen = run("identity", "check", claim["id"], "--record", "--allow-local")["claims"][0]["recorded"]
    assert seen["kind"] == "document"
    answer = run("verify", record)
    assert states(answer) == ["seen"]
    (told,) = answer["holders"][0]["seen"]
    assert (told["group"], told["record"], told["method"]) == (1, seen["id"], "orcid")
    assert told["own"]
    assert told["judged"]
    refused = run("query", "--by", f"orcid:{ORCID}", code=2)
    assert "another group saw" in refused["message"], "a claim that its own group alone confirms finds nothing"
    found = run("query", "--by", f"orcid:{ORCID}", *ASK)
    assert found["records"][-1]["id"] == record
    assert states(found) == ["confirmed now"]
    run("query", "--by", f"orcid:{OTHER}", code=2)
    assert states(run("lineage", record)) == ["seen"]
    run("report", record, "-o", str(tmp_path / "report"), "--format", "html", "--format", "pdf")
    assert f"ORCID {ORCID} (seen on" in (tmp_path / "report" / "report.html").read_text()

    published = str(tmp_path / "published")
    run("publish", record, "--to", published)
    done = stranger(lab, tmp_path / "nobody", "verify", record, "--from", published)
    assert f"ORCID {ORCID} (seen on" in done.stdout, done.stdout + done.stderr
    assert "\n    seen only by the group of the claim itself" in done.stdout
    done = stranger(lab, tmp_path / "nobody", "verify", record, "--from", published, *ASK, **sides.variables)
    assert f"ORCID {ORCID} (confirmed now)" in done.stdout

    sides.pages.clear()
    assert states(run("verify", record)) == ["seen"]
    assert states(run("verify", record, *ASK)) == ["gone"]
    run("identity", "check", "--allow-local", code=1)
    away = dict.fromkeys(sides.variables, "http://127.0.0.1:9")
    done = stranger(lab, tmp_path / "nobody", "verify", record, "--from", published, *ASK, **away)
    assert "could not be asked" in done.stdout
    assert "(seen on" in done.stdout
    assert done.returncode == 0

    run("identity", "revoke", claim["id"], "--reason", "left the lab")
    assert states(run("verify", record)) == states(run("verify", record, *ASK)) == ["revoked"]
    run("query", "--by", f"orcid:{ORCID}", code=2)
    call(lab.devnet.start().port, "evm_setNextBlockTimestamp", hex(lab.chain.head().timestamp + 5))
    later = run("record", str(new_file(tmp_path)))["id"]
    marked = "the record is later than the revocation"
    told = [typed("verify", each, home=lab.home.path).stdout for each in (record, later)]
    assert [marked in text for text in told] == [False, True]
    done = stranger(lab, tmp_path / "nobody", "verify", record, "--from", published)
    assert f"ORCID {ORCID} (revoked on" in done.stdout
    assert done.returncode == 0


def test_a_domain_of_a_group(lab: Lab, run: Any, sides: OtherSides, record: str, tmp_path: Path) -> None:
    file = tmp_path / "page.json"
    claim = run("identity", "claim", "--domain", "Lab.Example", "--for-group", "-o", str(file))
    page = json.loads(file.read_bytes())
    assert page == claim["page"]
    group = holder_name(lab.domain, group=lab.group())
    sides.domain("lab.example", page | {"names": [group]})
    assert states(run("verify", record, *ASK)) == ["confirmed now"]
    ror = {"id": "https://ror.org/05dxps055", "status": "active", "domains": ["example"], "names": []}
    sides.pages["/v2/organizations/05dxps055"] = json.dumps(ror | {"domains": ["lab.example"]}).encode()
    checked = run("identity", "check", "domain:lab.example", "--ror", "05dxps055", "--allow-local", "--record")
    assert checked["claims"][0]["institution"]["says"] is True
    sides.pages["/v2/organizations/05dxps055"] = json.dumps(ror | {"domains": ["other.example"]}).encode()
    run("identity", "check", "domain:lab.example", "--ror", "05dxps055", "--allow-local", code=1)
    sides.pages["/lab.example/.well-known/blockchaintracer.json"] = "https://evil.example/"
    answer = run("verify", record, *ASK)
    assert states(answer) == ["seen"]
    assert "no redirect" in answer["holders"][0]["asked"]
    run("identity", "revoke", claim["id"], "--reason", "moved")


def test_only_who_speaks_for_a_group_says_who_it_is(lab: Lab, run: Any, sides: OtherSides, tmp_path: Path) -> None:
    member = second_lab(lab, tmp_path / "member")
    join(member, invite(lab, lab.group(), member.signer.address, Role.RECORDER))
    mine = ("--group", str(lab.group()))
    refused = run("identity", "claim", "--domain", "evil.example", "--for-group", *mine, code=2, of=member)
    assert "a maintainer or the owner" in refused["message"]
    member.choose(group=lab.group())
    claim = run("identity", "claim", "--domain", "evil.example", "--for-group", of=lab)
    entry = claim_entry(lab, claim["id"])
    forged = signed_by(member, entry, account=member.signer.address.lower())
    made = commit(member, forged, ())
    published(member, made.id, tmp_path / "published")
    data = run("record", str(new_file(tmp_path)))["id"]
    done = stranger(lab, tmp_path / "nobody", "verify", data, "--from", str(tmp_path / "published"), "--json")
    answer = json.loads(done.stdout)
    assert (answer["outcome"], states(answer)) == ("verified", ["refused"])
    assert "neither owner nor maintainer" in answer["holders"][0]["reason"]
    run("identity", "revoke", claim["id"], "--reason", "a test")


def test_an_account_that_is_a_contract_signs_by_its_code(
    lab: Lab, run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ERC-1271, asked of the code that the account had in the block of the claim."""
    member = second_lab(lab, tmp_path / "member")
    entry = claim_entry(lab, run("identity", "claim", "--domain", "wallet.example")["id"])
    wallet, own = "0x" + "1271" * 10, {"account": member.signer.address.lower()}

    def claim() -> Any:
        # the key of another signs, as one of several owners of a wallet does
        made = signed_by(lab, entry, **own, nonce="0x" + os.urandom(32).hex())
        record = commit(member, made, ()).id
        published(member, record, folder := tmp_path / record)
        name = name_of(member, statement_of(IdentityRecord(entry.key, made)))
        return next(it for it in of_names(member, [name], sources=[str(folder)]) if it.record == record)

    without = claim()
    assert (without.state, without.forged, "not signed by" in without.reason) == ("refused", True, True)
    lab.chain.ask("anvil_setCode", wallet, "0x631626ba7e60e01b5f5260205ff3")
    lab.chain.ask("anvil_setCode", member.signer.address, f"0xef0100{wallet[2:]}")
    accepted = claim()
    assert (accepted.state, "its code took the signature" in accepted.unknown) == ("never confirmed", True)

    def forgets(method: str, *values: Any) -> Any:
        if method == "eth_call" and values[0]["to"] == member.signer.address:
            raise HistoryPruned("the node", method, "missing trie node")
        return asked(method, *values)

    asked = member.chain.ask
    monkeypatch.setattr(member.chain, "ask", forgets)
    unknown = claim()
    assert (unknown.state, unknown.counts, "missing trie node" in unknown.reason) == ("unknown", False, True)
    assert f"(unknown: {unknown.reason})" in next(unknown.lines())
    monkeypatch.undo()
    # the wallet reverts, then answers with another word
    for code in ("0x5f5ffd", "0x60015f5260205ff3"):
        lab.chain.ask("anvil_setCode", wallet, code)
        assert (refused := claim()).state == "refused"
        assert refused.forged


def test_a_claim_that_is_recorded_again_stays_revoked(
    lab: Lab, run: Any, sides: OtherSides, record: str, tmp_path: Path
) -> None:
    claim = run("identity", "claim", "--github", "OctoCat")
    sides.github("octocat", claim["page"] | {"names": [claim["names"][1]]})
    assert states(run("verify", record, *ASK)) == ["confirmed now"]
    run("identity", "revoke", claim["id"], "--reason", "the key may be known")
    entry = claim_entry(lab, claim["id"])
    again = commit(lab, Manifest.of(entry.manifest.kind, changed(entry, name="again")), ())
    keep(lab.home, lab.domain, name_of(lab, statement_of(entry)), claim_entry(lab, again.id))
    assert states(run("verify", record, *ASK)) == ["revoked", "revoked"]

    # a new claim of the same account: the page still names the account, which is what was forgotten there
    new = run("identity", "claim", "--github", "octocat")
    answer = run("verify", record, *ASK)
    assert sorted(states(answer)) == ["never confirmed", "revoked", "revoked"]
    assert "only the claim itself counts" in next(it["asked"] for it in answer["holders"] if it["record"] == new["id"])
    sides.github("octocat", new["page"])
    assert sorted(states(run("verify", record, *ASK))) == ["confirmed now", "revoked", "revoked"]
    run("identity", "revoke", new["id"], "--reason", "a test")


def test_a_github_name_that_another_account_took_is_gone(lab: Lab, run: Any, sides: OtherSides, record: str) -> None:
    claim = run("identity", "claim", "--github", "octocat")
    sides.github("octocat", claim["page"], number=7)
    run("identity", "check", claim["id"], "--allow-local", "--record")
    assert states(run("verify", record, *ASK)) == ["confirmed now"]
    # who took the name shows the same file
    sides.github("octocat", claim["page"], number=8)
    [holder] = run("verify", record, *ASK)["holders"]
    assert holder["state"] == "gone"
    assert "the name is GitHub account '8' now" in holder["asked"]
    assert "it was GitHub account '7'" in holder["asked"]
    # a renamed account: GitHub serves its file under the old name, which nobody has
    del sides.pages["/users/octocat"]
    [holder] = run("verify", record, *ASK)["holders"]
    assert (holder["state"], "renamed" in holder["asked"]) == ("gone", True)
    assert states(run("verify", record)) == ["seen"]
    run("identity", "revoke", claim["id"], "--reason", "a test")


def test_a_claim_of_a_stolen_key_is_refused(lab: Lab, run: Any, sides: OtherSides, tmp_path: Path) -> None:
    member = second_lab(lab, tmp_path / "member")
    join(member, invite(lab, lab.group(), member.signer.address, Role.RECORDER))
    mine = ("--group", str(lab.group()))
    honest = run("record", str(new_file(tmp_path)), *mine, of=member)["id"]
    first = run("identity", "claim", "--orcid", ORCID, *mine, of=member)
    sides.orcid(ORCID, f"https://orcid.org/x#{first['names'][1]}")
    assert states(run("verify", honest, *ASK, of=member)) == ["confirmed now"]
    published(member, first["id"], tmp_path / "published")

    since = lab.chain.head().timestamp + 1
    call(lab.devnet.start().port, "evm_setNextBlockTimestamp", hex(since + 5))
    # the thief has a group of their own, and tells who the key's holder is now
    create_group(member, "of the thief")
    theirs = run("identity", "claim", "--orcid", OTHER, of=member)
    sides.orcid(OTHER, f"https://orcid.org/x#{theirs['names'][0]}")
    late = run("record", str(new_file(tmp_path)), *mine, of=member)["id"]
    assert states(run("verify", honest, *ASK, of=member)) == ["confirmed now", "confirmed now"]
    done = run("identity", "revoke", first["id"], "--reason", "stolen", "--lost-since", iso(since), code=2, of=member)
    assert "could who has it" in done["message"] or "sign this itself" in done["message"]
    source = ("--from", str(tmp_path / "published"))
    revoked = run("identity", "revoke", first["id"], "--reason", "stolen", "--lost-since", iso(since), *source)
    assert revoked["statement"]["kind"] == "document"
    publish = str(tmp_path / "published")
    run("publish", revoked["statement"]["id"], "--to", publish)
    answer = run("verify", honest, *ASK, "--from", publish, of=member)
    assert states(answer) == ["revoked", "refused"]
    assert "lost or stolen" in answer["holders"][1]["reason"]
    assert answer["outcome"] == "verified"
    assert run("verify", late, "--from", publish, code=1, of=member)["outcome"] == "not verified"


def test_what_is_no_file_of_identities_says_nothing(lab: Lab, run: Any, record: str, tmp_path: Path) -> None:
    run("identity", "claim", "--orcid", ORCID)
    folder = tmp_path / "published"
    run("publish", record, "--to", str(folder))
    # what a web server answers for a name that it does not have
    for data in (b"{}", b"<!doctype html><title>Not found</title>"):
        (folder / file_name(holder_name(lab.domain, account=lab.signer.address))).write_bytes(data)
        done = stranger(lab, tmp_path / "nobody", "verify", record, "--from", str(folder), "--json")
        told = json.loads(done.stdout)
        assert told["outcome"] == "verified"
        assert [name for it in told["holders"] if (name := str(folder / "identities")) in it["reason"]], told["holders"]


def test_forged_evidence_that_was_handed_in_fails(lab: Lab, run: Any, record: str, tmp_path: Path) -> None:
    claim = run("identity", "claim", "--orcid", ORCID)
    folder = tmp_path / "published"
    run("publish", record, "--to", str(folder))
    name = folder / file_name(holder_name(lab.domain, account=lab.signer.address))
    good = name.read_bytes()
    assert stranger(lab, tmp_path / "nobody", "verify", record, "--from", str(folder)).returncode == 0
    evidence = IdentityEvidence.parse(good, "it")
    entry = next(it for it in evidence.entries if lab.domain.record_id(it.key) == claim["id"])
    signature = entry.manifest.predicate.signature  # type: ignore[union-attr]
    forged = Manifest.of(entry.manifest.kind, changed(entry, signature=signature[:-4] + "ff1b"))
    key = type(entry.key)(**{it: getattr(entry.key, it) for it in entry.key.__slots__} | {"manifest": forged.digest()})
    for data, reason in (
        (
            IdentityEvidence(evidence.domain, evidence.holder, (IdentityRecord(key, forged),)).to_bytes(),
            "is not signed by",
        ),
        (good.replace(ORCID.encode(), OTHER.encode()), "expected urn:blockchaintracer:identities:v1"),
        (good[:-1], "expected JSON"),
        (good.replace(b'"id":"0x', b'"id":"0x0', 1), "expected urn"),
    ):
        name.write_bytes(data)
        done = stranger(lab, tmp_path / "nobody", "verify", record, "--from", str(folder), "--json")
        answer = json.loads(done.stdout)
        assert answer["outcome"] == "not verified"
        assert [it["name"] for it in answer["checks"] if it["verdict"] == "fail"] == ["identity"]
        assert reason in done.stdout
        # the same bytes in the lab's own folder are told, and make nothing of a record
        (lab.home.path / file_name(evidence.holder)).write_bytes(data)
        assert run("verify", record)["outcome"] == "verified"
        assert states(run("verify", record)) == ["refused"]
    run("identity", "revoke", claim["id"], "--reason", "a test")


def test_what_a_group_saw_is_of_the_claim_recorded_and_not_taken_back(
    lab: Lab, run: Any, sides: OtherSides, record: str
) -> None:
    first = run("identity", "claim", "--orcid", ORCID)
    second = run("identity", "claim", "--orcid", ORCID)
    sides.orcid(ORCID, f"https://orcid.org/x#{first['names'][1]}")
    seen = run("identity", "check", second["id"], "--record", "--allow-local")["claims"][0]["recorded"]
    name = holder_name(lab.domain, account=lab.signer.address)
    entries = {
        lab.domain.record_id(it.key): it
        for it in IdentityEvidence.parse((lab.home.path / file_name(name)).read_bytes(), "it").entries
    }

    def told(*chosen: IdentityRecord) -> list[str]:
        (lab.home.path / file_name(name)).unlink(missing_ok=True)
        return [it.state for it in of_names(lab, [name], handed=[IdentityEvidence(lab.domain, name, chosen)])]

    claim, other, document = (entries[it["id"]] for it in (second, first, seen))
    assert told(claim, document) == ["seen"]
    assert told(other, document) == ["never confirmed"], "it is a check of another claim"
    key = type(claim.key)(**{it: getattr(claim.key, it) for it in claim.key.__slots__} | {"group": 9})
    assert told(IdentityRecord(key, claim.manifest)) == ["refused"], "nobody recorded it"
    unrecorded = type(document.key)(**{it: getattr(document.key, it) for it in document.key.__slots__} | {"group": 9})
    assert told(claim, IdentityRecord(unrecorded, document.manifest)) == ["never confirmed"]
    without = IdentityRecord(document.key, document.manifest)
    assert told(claim, without) == ["seen"]
    run("identity", "revoke", first["id"], "--reason", "a test")
    # an equal name was revoked: the page names the account alone, and without the page nobody knows
    assert sorted(told(claim, other, document)) == sorted(told(claim, other, without)) == ["never confirmed", "revoked"]
    run("retract", seen["id"], "--reason", "a test", "--yes")
    assert told(claim, document) == told(claim, without) == ["never confirmed"]
    run("identity", "revoke", second["id"], "--reason", "a test")


def test_another_group_s_word_finds_the_records(
    lab: Lab, run: Any, sides: OtherSides, record: str, tmp_path: Path
) -> None:
    other = second_lab(lab, tmp_path / "other")
    claim = run("identity", "claim", "--orcid", ORCID)
    sides.orcid(ORCID, f"https://orcid.org/x#{claim['names'][0]}")
    published(lab, claim["id"], tmp_path / "published")
    source = ("--from", str(tmp_path / "published"))
    checked = run("identity", "check", claim["id"], *source, "--record", "--allow-local", of=other)
    assert checked["claims"][0]["recorded"]["group"] == other.group()
    found = run("query", "--by", f"orcid:{ORCID}", of=other)
    assert record in [row["id"] for row in found["records"]]
    assert [it["group"] for it in found["holders"][0]["seen"]] == [other.group()]
    run("identity", "revoke", claim["id"], "--reason", "a test")
    run("query", "--by", f"orcid:{ORCID}", code=2, of=other)


def test_what_a_node_has_forgotten_is_said(lab: Lab, run: Any, record: str, monkeypatch: pytest.MonkeyPatch) -> None:
    claim = run("identity", "claim", "--orcid", ORCID)
    monkeypatch.setitem(lab.registry.history.__dict__, "gap", "the history of the node begins later")
    (holder,) = of_names(lab, [holder_name(lab.domain, account=lab.signer.address)])
    assert holder.state == "never confirmed"
    assert "  unknown: whether an equal statement was revoked, or its key lost: the history" in "\n".join(
        holder.lines()
    )
    monkeypatch.undo()
    run("identity", "revoke", claim["id"], "--reason", "a test")


def test_an_archive_carries_the_claims(lab: Lab, run: Any, record: str, tmp_path: Path) -> None:
    claim = run("identity", "claim", "--orcid", ORCID)
    run("export", "-o", str(tmp_path / "all.tar"))
    done = stranger(lab, tmp_path / "other", "import", str(tmp_path / "all.tar"))
    assert done.returncode == 0, done.stdout + done.stderr
    done = stranger(lab, tmp_path / "other", "verify", record, "--json")
    assert states(json.loads(done.stdout)) == ["never confirmed"]
    run("identity", "revoke", claim["id"], "--reason", "a test")


def test_a_bundle_carries_the_claims(lab: Lab, run: Any, record: str, tmp_path: Path) -> None:
    claim = run("identity", "claim", "--orcid", ORCID)
    proof = tmp_path / "some.proof"
    run("export-proof", record, "-o", str(proof))
    where = ("--network", "devnet")
    answer = run("verify", "--proof", str(proof), *where)
    assert answer["outcome"] == "verified"
    assert [(it["title"], it["state"]) for it in answer["holders"]] == [(f"ORCID {ORCID}", "signed")]
    bundle = json.loads(proof.read_bytes())
    (listed,) = bundle["identities"]
    assert [it["id"] for it in listed["records"]] == [claim["id"]]
    assert len(canonical(listed)) < 2500
    for changed in (
        listed | {"holder": listed["holder"][:-1] + "x"},
        listed | {"registry": "0x" + "34" * 20},
        json.loads(json.dumps(listed).replace(ORCID, OTHER)),
        listed | {"more": 1},
    ):
        proof.write_bytes(canonical(bundle | {"identities": [changed]}))
        refused = run("verify", "--proof", str(proof), *where, code=1)
        assert [it["name"] for it in refused["checks"] if it["verdict"] == "fail"] == ["identity"]
    run("identity", "revoke", claim["id"], "--reason", "a test")


def test_an_ens_name_is_read_from_the_chain(lab: Lab, run: Any, record: str) -> None:
    registry, port = "0x" + "e5" * 20, lab.devnet.start().port
    call(port, "anvil_setCode", registry, "0x" + artifact("Names").runtime.hex())
    ens = {"BLOCKCHAINTRACER_ENS_REGISTRY": registry}

    def send(signature: str, *values: Any) -> None:
        kinds = signature[signature.index("(") + 1 : -1].split(",")
        data = "0x" + (keccak(signature.encode())[:4] + encode(kinds, values)).hex()
        sender = "0x" + "01" * 20
        call(port, "anvil_setBalance", sender, hex(10**18))
        call(port, "anvil_impersonateAccount", sender)
        sent = call(port, "eth_sendTransaction", {"from": sender, "to": registry, "data": data, "gas": hex(10**6)})
        while lab.chain.receipt(sent) is None:
            time.sleep(0.05)  # a busy node includes it a moment later

    def lasts(seconds: int) -> None:
        label = int.from_bytes(keccak(b"lab"))
        send("setExpiry(uint256,uint256)", label, lab.chain.head().timestamp + seconds)

    claim = run("identity", "claim", "--ens", "Lab.eth")
    assert claim["title"] == f"ENS lab.eth (of chain {lab.chain_id}: a test network)"
    assert states(run("verify", record, *ASK, **ens)) == ["never confirmed"]
    send("setText(bytes32,string,string)", namehash("lab.eth"), KEY, f"hello {claim['names'][0]}")
    assert "the name expired on" in run("verify", record, *ASK, **ens)["holders"][0]["asked"]
    lasts(3600)
    assert states(run("verify", record, *ASK, **ens)) == ["confirmed now"]
    assert "no contract" in run("verify", record, *ASK)["holders"][0]["asked"]
    send("setText(bytes32,string,string)", namehash("lab.eth"), KEY, claim["names"][0].replace("/claim/", "/account/"))
    assert states(run("verify", record, *ASK, **ens)) == ["never confirmed"]
    send("setOffchain(bytes32)", namehash("lab.eth"))
    assert "refuses" in run("verify", record, *ASK, **ens)["holders"][0]["asked"]
    run("identity", "revoke", claim["id"], "--reason", "a test")
    assert namehash("eth").hex() == "93cdeb708b7545dc668eb9280176169d1c33cfd8ed6f04690a0bcc88a93fc4ae"


def test_what_is_no_claim_is_refused(lab: Lab, run: Any, record: str, tmp_path: Path) -> None:
    assert "one of --orcid" in run("identity", "claim", code=2)["message"]
    assert "one of --orcid" in run("identity", "claim", "--orcid", ORCID, "--github", "x", code=2)["message"]
    assert "check digit" in run("identity", "claim", "--orcid", "0000-0002-1825-0098", code=2)["message"]
    assert "identity claim" in run("identity", "revoke", record, "--reason", "x", code=2)["message"]
    assert "known here" in run("identity", "check", code=2)["message"]
    assert run("identity", "list")["claims"] == []
    folder = tmp_path / "published" / "identities"
    folder.mkdir(parents=True)
    os.mkfifo(folder / "waits.json")
    (folder / "other.json").write_bytes(b"{}")
    assert run("identity", "list", "--from", str(folder.parent))["claims"] == []
    with pytest.raises(InputError, match="another kind"):
        claim_entry(lab, record)


# -- what tests make


def new_file(folder: Path) -> Path:
    path = folder / f"{len(list(folder.iterdir()))}.bin"
    path.write_bytes(path.name.encode() + str(folder).encode())
    return path


def statement_of(entry: IdentityRecord) -> Any:
    return entry.manifest.predicate.statement  # type: ignore[union-attr]


def changed(entry: IdentityRecord, **fields: Any) -> Any:
    predicate = entry.manifest.predicate
    return type(predicate).from_plain(predicate.to_json() | fields)


def signed_by(lab: Lab, entry: IdentityRecord, **fields: Any) -> Manifest:
    """A claim as another's, of fields that the client would refuse, signed by this lab."""
    said = type(statement_of(entry)).from_plain(statement_of(entry).to_json() | fields)
    signature = lab.signer.sign_typed_data(said.typed_data())
    return Manifest.of(entry.manifest.kind, changed(entry, statement=said.to_json(), signature=f"0x{signature.hex()}"))


def published(lab: Lab, claim: str, folder: Path) -> None:
    """What somebody publishes of a claim."""
    record = lab.registry.find_record(claim)
    assert record
    entry = IdentityRecord(record.key, parse_manifest(lab.store.get_bytes(record.key.manifest)))
    evidence = IdentityEvidence(lab.domain, name_of(lab, statement_of(entry)), (entry,))
    path = folder / file_name(evidence.holder)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(evidence.to_bytes())
    data = lab.store.get_bytes(record.key.manifest)
    target = folder / "objects" / record.key.manifest[:2] / record.key.manifest[2:]
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)


def iso(seconds: int) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
