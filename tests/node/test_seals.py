"""Seals: kept before they are sent, shown later, counted by whoever tells of them; whatever dies in between."""

import json
import os
import signal
import subprocess
import sys

import pytest

from blockchaintracer.core.errors import ChainUnavailable, ContractRevert, InputError
from blockchaintracer.core.record import (
    Kind,
    Link,
    Relation,
    Status,
    Verdict,
    from_hex,
    record_commitment,
    verdict_commitment,
)
from blockchaintracer.core.verify.commitments import seals_of, unrevealed
from blockchaintracer.lab.groups import create_group
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.recording.content import record_content, record_document
from blockchaintracer.lab.seals import KeptSeal, Sealed, listed, reveal, seal_verdict, sealing, send_seal
from tests.support.labs import again, running_lab, second_lab, typed


def nonce(lab: Lab) -> int:
    return lab.chain.nonce(lab.signer.address)


def sealed(lab, file, **more) -> Sealed:
    with sealing(lab):
        found = record_content(lab, Kind.DATASET, file, **more)
    assert isinstance(found, Sealed)
    return found


def kept(lab, commitment) -> KeptSeal:
    return KeptSeal.read(lab.home.seals / f"{commitment}.json")


def test_a_seal_shows_nothing_and_its_reveal_has_both_times(lab, file):
    before = len(seals_of(lab.registry, 1, lab.signer.address))
    seal = sealed(lab, file)
    assert not lab.registry.status(seal.id).exists
    salt = kept(lab, seal.commitment).salt
    assert seal.commitment == record_commitment(seal.id, salt)
    data = lab.chain.transaction(seal.transaction).data.hex()
    assert seal.commitment[2:] in data
    assert not any(secret[-64:] in data for secret in (seal.id, seal.subject, seal.manifest, salt))
    assert lab.registry.sealed_at(1, lab.signer.address, seal.commitment) == seal.time
    lab.chain.ask("anvil_mine", "0x1", "0x64")
    shown = reveal(lab, seal.commitment)
    status = lab.registry.status(seal.id)
    assert (status.sealed_at, status.recorded_at) == (seal.time, shown.revealed_at)
    assert shown.revealed_at > shown.sealed_at == seal.time
    assert (shown.seals, shown.unrevealed) == (before + 1, unrevealed(seals_of(lab.registry, 1, lab.signer.address)))


def test_the_salt_is_for_the_owner_of_the_folder_alone(lab, file):
    done = typed("seal", "record", "--dataset", str(file), "--json", home=lab.home.path)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    path = lab.home.seals / f"{answer['commitment']}.json"
    assert path.stat().st_mode & 0o777 == 0o600
    salt = kept(lab, answer["commitment"]).salt
    assert len(from_hex(salt)) == 32
    told = [done, *(typed(*words, home=lab.home.path) for words in (["seal", "list"], ["seal", "list", "--json"]))]
    told.append(typed("outbox", "list", "--json", home=lab.home.path))
    told.append(typed("status", answer["id"], "--json", home=lab.home.path))
    assert not any(salt[2:] in each.stdout + each.stderr for each in told)
    assert salt not in repr(kept(lab, answer["commitment"]))
    for entry in lab.outbox.entries():
        assert salt not in repr(entry)
    shown = typed("reveal", answer["commitment"], "--json", home=lab.home.path)
    assert shown.returncode == 0, shown.stderr
    assert salt not in shown.stdout + shown.stderr
    assert not any(salt in repr(entry) for entry in lab.outbox.entries())


def test_a_seal_is_named_by_its_first_digits_or_as_the_last_one(lab, tmp_path):
    made = []
    for name in ("first", "second"):
        (tmp_path / name).write_text(name)
        done = typed(
            "seal", "record", "--artifact", tmp_path / name, "--kind", "document", "--json", home=lab.home.path
        )
        made.append(json.loads(done.stdout))
    names = {row["commitment"]: row["name"] for row in listed(lab)["seals"]}
    assert [names[seal["commitment"]] for seal in made] == ["first", "second"], "as query calls a file"
    asked = typed("reveal", "@last", home=lab.home.path)
    assert (asked.returncode, made[1]["commitment"] in asked.stderr, "--yes" in asked.stderr) == (2, True, True)
    refused = typed("reveal", "0x00000000", "--yes", home=lab.home.path)
    assert (refused.returncode, "seal list" in refused.stderr) == (2, True)
    for text, seal in (("@last", made[1]), (f"{made[0]['commitment'][:12]}…", made[0])):
        done = typed("reveal", text, "--yes", home=lab.home.path)
        assert (done.returncode, f"record {seal['id']}" in done.stdout) == (0, True), done.stderr
        assert "Other verbs take @last for this record." in done.stdout
        assert json.loads(typed("status", "@last", "--json", home=lab.home.path).stdout)["id"] == seal["id"]


def test_sealing_or_revealing_the_same_again_is_the_same_and_pays_nothing(lab, file):
    first = sealed(lab, file)
    paid = nonce(lab)
    second = sealed(again(lab), file)
    assert (second.commitment, second.transaction, second.time, second.existing) == (
        first.commitment,
        first.transaction,
        first.time,
        True,
    )
    assert nonce(lab) == paid
    shown = reveal(lab, first.id)
    paid = nonce(lab)
    assert reveal(again(lab), first.commitment) == shown
    assert nonce(lab) == paid
    # what is recorded has nothing left to seal
    with sealing(lab):
        assert record_content(lab, Kind.DATASET, file).existing
    assert nonce(lab) == paid


def test_parents_that_are_sealed_are_revealed_first(lab, file, tmp_path):
    plan = tmp_path / "plan.md"
    plan.write_bytes(os.urandom(20))
    data = sealed(lab, file)
    with sealing(lab):
        child = record_document(lab, Kind.PLAN, plan, name="plan", parents=[Link(data.id, Relation.USES)])
    reveal(lab, child.id)
    for one in (data, child):
        status = lab.registry.status(one.id)
        assert status.status is Status.RECORDED
        assert status.sealed_at == one.time


@pytest.mark.parametrize("where", ["Outbox.add_transaction", "Outbox._sign", "Outbox._send", "Outbox._held"])
def test_a_process_killed_anywhere_loses_no_salt_and_seals_once(lab, file, where):
    step = where.partition(".")[2]
    program = f"""
import os, sys
from pathlib import Path
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.core.record import Kind
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.recording.content import record_content
from blockchaintracer.lab.seals import sealing
from blockchaintracer.lab.outbox import Outbox
step = Outbox.{step}
def dying(self, *given):
    {"pass" if step in ("add_transaction", "_held") else "step(self, *given)"}
    os.kill(os.getpid(), 9)
Outbox.{step} = dying
lab = Lab(Home(sys.argv[1]))
with sealing(lab):
    record_content(lab, Kind.DATASET, Path(sys.argv[2]))
"""
    known = {path.name for path in lab.home.seals.iterdir()}
    before = nonce(lab)
    killed = subprocess.run(
        [sys.executable, "-c", program, str(lab.home.path), str(file)], capture_output=True, check=False
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    [name] = {path.name for path in lab.home.seals.iterdir()} - known
    commitment = name.removesuffix(".json")
    # the salt is on the disk before anything can be on the chain
    salt = kept(lab, commitment).salt
    [row] = [row for row in listed(again(lab))["seals"] if row["commitment"] == commitment]
    assert row["state"] in {"add_transaction": ("not sent",), "_sign": ("waits",)}.get(step, ("waits", "sealed"))
    if step == "add_transaction":
        with pytest.raises(InputError, match="not on the chain") as refused:
            reveal(again(lab), commitment)
        assert f"seal send {commitment}" in refused.value.hint
        assert send_seal(again(lab), commitment).is_on_chain
    seal = sealed(again(lab), file)
    assert (seal.commitment, kept(lab, commitment).salt) == (commitment, salt)
    assert nonce(lab) - before == 1
    shown = reveal(again(lab), commitment)
    assert lab.registry.status(seal.id).sealed_at == shown.sealed_at == seal.time


@pytest.mark.parametrize("step", ["_sign", "_send", "_held"])
def test_a_reveal_that_is_killed_is_made_once(lab, file, step):
    seal = sealed(lab, file)
    program = f"""
import os, sys
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.seals import reveal
from blockchaintracer.lab.outbox import Outbox
step = Outbox.{step}
def dying(self, *given):
    {"pass" if step == "_held" else "step(self, *given)"}
    os.kill(os.getpid(), 9)
Outbox.{step} = dying
reveal(Lab(Home(sys.argv[1])), sys.argv[2])
"""
    before = nonce(lab)
    killed = subprocess.run(
        [sys.executable, "-c", program, str(lab.home.path), seal.commitment], capture_output=True, check=False
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    reveal(again(lab), seal.commitment)
    assert nonce(lab) - before == 1


def test_a_seal_waits_while_the_chain_is_away(tmp_path, file):
    with running_lab(tmp_path) as lab:
        lab.devnet.stop()
        away = Lab(lab.home, rpc="http://127.0.0.1:9")
        seal = sealed(away, file)
        assert (seal.state, seal.block) == ("stored", None)
        assert listed(away)["chainError"]
        assert [row["state"] for row in listed(away)["seals"]] == ["waits"]
        with pytest.raises(ChainUnavailable):
            reveal(away, seal.commitment)
        back = again(lab)
        back.flush()
        assert reveal(back, seal.commitment).unrevealed == 0


def test_a_chain_that_lost_everything_gets_seal_and_reveal_again(tmp_path, file):
    with running_lab(tmp_path) as lab:
        seal = sealed(lab, file)
        reveal(lab, seal.commitment)
        lab.devnet.reset()
        after = Lab(lab.home)
        assert [entry.write.op for entry in after.flush()][-3:] == ["create-group", "seal", "reveal"]
        assert after.registry.status(seal.id).sealed_at


def test_what_cannot_be_revealed_is_told_before_anything_is_paid(lab, file, tmp_path):
    seal = sealed(lab, file)
    other = second_lab(lab, tmp_path / "other")
    paid = nonce(other)
    with pytest.raises(InputError, match="no seal of") as refused:
        reveal(other, seal.commitment)
    assert "seal list" in refused.value.hint
    with pytest.raises(InputError, match="64 hex digits"):
        reveal(other, "no digest")
    (other.home.seals / f"{seal.commitment}.json").write_bytes(
        (lab.home.seals / f"{seal.commitment}.json").read_bytes()
    )
    with pytest.raises(InputError, match=r"is .*'s, and"):
        reveal(other, seal.commitment)
    assert nonce(other) == paid
    outside = Lab(other.home, rpc=other.rpc, registry_address=lab.registry.address, group_number=1)
    before = len(list(other.home.seals.iterdir()))
    with pytest.raises(ContractRevert, match="is not a recorder of group 1"):
        sealed(outside, file)
    assert len(list(other.home.seals.iterdir())) == before
    assert nonce(other) == paid


def test_a_record_stored_without_its_seal_cannot_be_revealed(lab, file):
    seal = sealed(lab, file)
    record_content(lab, Kind.DATASET, file)
    with pytest.raises(ContractRevert, match="is stored already"):
        reveal(lab, seal.commitment)


def test_who_copies_a_commitment_has_a_seal_that_is_never_revealed(lab, file, tmp_path):
    """Else a stranger's seals would look shown as soon as the true author shows one."""
    from blockchaintracer.lab.outbox import Op, Transaction

    seal = sealed(lab, file)
    thief = second_lab(lab, tmp_path / "thief")
    thief.write(
        Transaction(
            Op.SEAL, lab.registry.address, group=thief.group(), author=thief.signer.address, commitment=seal.commitment
        )
    )
    reveal(lab, seal.commitment)
    [copied] = seals_of(lab.registry, thief.group(), thief.signer.address)
    assert copied.revealed_as is None
    [own] = [one for one in seals_of(lab.registry, 1, lab.signer.address) if one.commitment == seal.commitment]
    assert (own.revealed_as, own.record_id) == ("record", seal.id)


def test_a_blind_verdict_has_its_run_inside_and_is_given_in_one_transaction(lab, file, tmp_path):
    judged = record_content(lab, Kind.DATASET, file)
    reviewer = second_lab(lab, tmp_path / "reviewer")
    done = typed(
        *("seal", "verdict", judged.id, "reproduced", "--metric", "accuracy=0.93", "--json"),
        *("--rpc", reviewer.rpc),
        home=reviewer.home.path,
    )
    assert done.returncode == 0, done.stderr
    seal = json.loads(done.stdout)
    secret = kept(reviewer, seal["commitment"])
    assert secret.salt not in done.stdout + done.stderr
    assert seal["commitment"] == verdict_commitment(
        reviewer.group(), reviewer.signer.address, judged.id, int(Verdict.REPRODUCED), seal["evidence"], secret.salt
    )
    assert not lab.registry.status(seal["evidence"]).exists
    assert lab.registry.verdict(reviewer.group(), judged.id).verdict is Verdict.NONE
    paid = nonce(reviewer)
    shown = reveal(reviewer, seal["commitment"])
    assert nonce(reviewer) == paid + 1
    attestation = lab.registry.verdict(reviewer.group(), judged.id)
    assert (attestation.verdict, attestation.sealed_at) == (Verdict.REPRODUCED, seal["time"])
    assert lab.registry.status(seal["evidence"]).sealed_at == seal["time"]
    assert (shown.what, shown.evidence, shown.unrevealed) == ("reproduced", seal["evidence"], 0)
    # revealed once and for good: another attempt gives no second verdict
    assert reveal(again(reviewer), seal["commitment"]) == shown
    assert nonce(reviewer) == paid + 1


def test_a_blind_verdict_on_a_run_that_is_there_or_on_none(lab, file, tmp_path):
    judged = record_content(lab, Kind.DATASET, file)
    reviewer = second_lab(lab, tmp_path / "reviewer")
    with pytest.raises(ContractRevert, match="needs evidence"):
        seal_verdict(reviewer, judged.id, Verdict.NOT_REPRODUCED)
    own = record_content(reviewer, Kind.DATASET, file)
    with pytest.raises(InputError, match="is no run of group"):
        seal_verdict(reviewer, judged.id, Verdict.NOT_REPRODUCED, own.id)
    with pytest.raises(ContractRevert, match="own record"):
        seal_verdict(lab, judged.id, Verdict.DISPUTED)
    assert not list(reviewer.home.seals.iterdir())
    seal = seal_verdict(reviewer, judged.id, Verdict.DISPUTED, own.id)
    assert seal_verdict(again(reviewer), judged.id, Verdict.DISPUTED, own.id) == seal
    shown = reveal(reviewer, judged.id)
    assert (shown.what, shown.evidence) == ("disputed", own.id)
    assert lab.registry.verdict(reviewer.group(), judged.id).verdict is Verdict.DISPUTED
    # two groups of one account don't mix
    create_group(reviewer, "second group of the same account")
    assert seals_of(lab.registry, reviewer.group(), reviewer.signer.address) == []
