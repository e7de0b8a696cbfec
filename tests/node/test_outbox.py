"""The journal: nothing lost, nothing twice, whatever dies."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing

import psutil
import pytest

from blockchaintracer.core.chain import Chain
from blockchaintracer.core.errors import BlockchainTracerError, ChainUnavailable, ContractRevert, InputError
from blockchaintracer.core.record import Kind, Link, Relation, Role, Verdict, from_hex
from blockchaintracer.lab.attest import attest, retract
from blockchaintracer.lab.formats import INVITATION
from blockchaintracer.lab.groups import create_group, deploy, invite, invited_on_chain, join, remove_member
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.outbox import EntryState, Op, Transaction
from blockchaintracer.lab.recording.content import record_content
from tests.support.labs import again, running_lab, second_lab, typed, verb
from tests.support.telling import sent


def nonce(lab: Lab) -> int:
    return lab.chain.nonce(lab.signer.address)


def test_a_second_identical_record_pays_nothing_and_is_answered_with_the_first(lab, file):
    first = record_content(lab, Kind.DATASET, file)
    paid = nonce(lab)
    second = record_content(again(lab), Kind.DATASET, file)
    assert second.existing
    assert not first.existing
    assert (second.id, second.transaction, second.block, second.time) == (
        first.id,
        first.transaction,
        first.block,
        first.time,
    )
    assert nonce(lab) == paid


def test_deploying_and_creating_the_same_again_pays_nothing(lab):
    paid = nonce(lab)
    assert deploy(again(lab), open_group_creation=True).existing
    assert create_group(again(lab), "The lab").existing
    assert nonce(lab) == paid


def test_the_manifest_is_kept_before_anything_is_sent(lab, file, monkeypatch):
    seen = []
    sent = Lab.write

    def write(self, *writes, **more):
        seen.extend(self.store.has(write.key.manifest) for write in writes)
        return sent(self, *writes, **more)

    monkeypatch.setattr(Lab, "write", write)
    record_content(lab, Kind.DATASET, file)
    assert seen == [True]


def test_what_is_recorded_while_the_chain_is_away_waits_and_is_sent_later(tmp_path, file):
    with running_lab(tmp_path) as lab:
        lab.devnet.stop()
        away = Lab(lab.home, rpc="http://127.0.0.1:9")
        recorded = record_content(away, Kind.DATASET, file)
        assert (recorded.state, recorded.block, recorded.time) == ("stored", None, None)
        assert again(lab).store.get_bytes(recorded.manifest)
        back = again(lab)
        [entry] = back.flush()
        assert entry.write.record_id == recorded.id
        assert back.registry.status(recorded.id).exists
        assert record_content(again(lab), Kind.DATASET, file).existing


def test_a_missing_role_is_told_before_anything_is_kept_or_paid(lab, tmp_path, file):
    other = second_lab(lab, tmp_path / "other")
    mine = Lab(other.home, rpc=other.rpc, registry_address=lab.registry.address, group_number=1)
    paid, kept = nonce(other), len(mine.outbox.entries())
    with pytest.raises(ContractRevert, match="is not a recorder of group 1 now") as refused:
        record_content(mine, Kind.DATASET, file)
    assert refused.value.name == "MissingRole"
    assert nonce(other) == paid
    assert len(mine.outbox.entries()) == kept


def test_an_unknown_parent_is_told_before_anything_is_paid(lab, file):
    paid, kept = nonce(lab), len(lab.outbox.entries())
    with pytest.raises(ContractRevert, match="is not recorded here"):
        record_content(lab, Kind.DATASET, file, parents=[Link("ab" * 32, Relation.USES)])
    assert (nonce(lab), len(lab.outbox.entries())) == (paid, kept)


def test_membership_needs_both_and_ends(lab, tmp_path, file):
    other = second_lab(lab, tmp_path / "other")
    invitation = invite(lab, 1, other.signer.address, Role.RECORDER)
    join(other, invitation)
    inside = Lab(other.home, rpc=other.rpc, group_number=1)
    recorded = record_content(inside, Kind.DATASET, file)
    assert recorded.group == 1
    thief = second_lab(lab, tmp_path / "thief")
    with pytest.raises(ContractRevert, match="is for") as refused:
        join(thief, invitation)
    assert refused.value.name == "NotInvited"
    remove_member(lab, 1, other.signer.address)
    file.write_bytes(b"later")
    with pytest.raises(ContractRevert, match="recorder"):
        record_content(inside, Kind.DATASET, file)
    assert lab.registry.status(recorded.id).exists


def test_a_membership_by_an_invitation_on_the_chain(lab, tmp_path):
    """As an owner makes it that can't sign: the client finds it by its event."""
    other = second_lab(lab, tmp_path / "other")
    account = other.signer.address
    with pytest.raises(InputError, match="nobody invited"):
        invited_on_chain(other, 1)
    offer = tuple(invite(lab, 1, account, Role.RECORDER)["invitation"].values())
    with pytest.raises(ContractRevert, match="no transaction made this invitation"):
        join(other, offered := invited(lab, offer))
    sent(lab, "invite", offer)
    assert invited_on_chain(other, 1) == offered
    where = ("--rpc", str(other.rpc), "--registry", offered["registry"])
    done = typed("group", "join", "--of", "1", *where, "--json", home=tmp_path / "other")
    assert json.loads(done.stdout).get("account") == account, done.stdout
    assert lab.registry.membership(1, account).roles == Role.RECORDER


def invited(lab, offer):
    names = ("group", "inviter", "account", "roles", "until", "inviterVersion", "version", "deadline")
    where = INVITATION.header() | {"chainId": str(lab.chain_id), "registry": lab.registry.address}
    return {**where, "invitation": dict(zip(names, offer, strict=True)), "signature": "0x"}


def test_a_retraction_keeps_time_and_reason(lab, file):
    recorded = record_content(lab, Kind.DATASET, file)
    written = retract(lab, recorded.id, "wrong calibration")
    status = lab.registry.status(recorded.id)
    assert status.recorded_at == recorded.time
    assert status.retracted_at == written.time
    [event] = lab.registry.events("Retracted", id=from_hex(recorded.id))
    assert lab.store.get_bytes(event.args["reason"].hex()) == b"wrong calibration"
    with pytest.raises(ContractRevert, match="retracted"):
        retract(lab, recorded.id, "for another reason")


def test_what_a_killed_node_lost_is_sent_again(tmp_path, file):
    with running_lab(tmp_path) as lab:
        kept = record_content(lab, Kind.DATASET, file)
        snapshot = {path: path.read_bytes() for path in lab.home.devnet.glob("*state*") if path.is_file()}
        file.write_bytes(b"the last seconds")
        lost = record_content(lab, Kind.DATASET, file)
        node = psutil.Process(lab.devnet.status().pid)
        node.kill()
        psutil.wait_procs([node], timeout=600)
        # as if the disk had only what was there before the last record
        for path, data in snapshot.items():
            path.unlink()
            path.write_bytes(data)
        told = []
        after = Lab(lab.home, say=told.append)
        assert after.registry.status(kept.id).exists
        if not after.registry.status(lost.id).exists:
            moved = after.flush()
            assert [entry.write.record_id for entry in moved] == [lost.id]
            assert any("lost 1 write" in message for message in told)
        assert after.registry.status(lost.id).exists
        assert after.outbox.entries_about(lost.id)[0].state in (EntryState.INCLUDED, EntryState.FINAL)


def test_a_chain_that_lost_everything_gets_everything_again_under_the_same_ids(tmp_path, file):
    with running_lab(tmp_path) as lab:
        recorded = record_content(lab, Kind.DATASET, file)
        address = lab.registry.address
        lab.devnet.reset()
        after = Lab(lab.home)
        moved = after.flush()
        assert [entry.write.op for entry in moved] == [
            "deploy-factory",
            "deploy-lens",
            "deploy",
            "create-group",
            "record",
        ]
        assert after.registry.address == address
        assert after.registry.status(recorded.id).exists


def test_a_reorganised_record_is_noticed_and_sent_again(lab, file):
    snapshot = lab.chain.ask("evm_snapshot")
    recorded = record_content(lab, Kind.DATASET, file)
    lab.chain.ask("evm_revert", snapshot)
    lab.chain.ask("anvil_mine", "0x5", "0x0")
    assert not lab.registry.status(recorded.id).exists
    assert [entry.write.record_id for entry in lab.outbox.recheck(lab.chain)] == [recorded.id]
    lab.flush()
    assert lab.registry.status(recorded.id).exists


def test_an_own_devnet_put_back_to_before_its_registry_gets_all_again(tmp_path, file):
    lab = Lab(Home(tmp_path / "home"))
    lab.devnet.start()
    try:
        snapshot = lab.chain.ask("evm_snapshot")
        deploy(lab, open_group_creation=True)
        create_group(lab, "The lab")
        first = record_content(lab, Kind.DATASET, file)
        other = tmp_path / "other.csv"
        other.write_text("2")
        waiting = record_content(Lab(lab.home, hand_over=True), Kind.DATASET, other)
        assert lab.chain.ask("evm_revert", snapshot) is True
        refused = typed("record", str(other), home=lab.home.path)
        assert refused.returncode == 2
        assert "got no contract" in refused.stderr
        assert "`blockchaintracer outbox flush` sends what this lab wrote again" in refused.stderr
        assert typed("outbox", "flush", home=lab.home.path).returncode == 0
        after = Lab(lab.home)
        assert all(after.registry.status(it.id).exists for it in (first, waiting))
        told = typed("verify", first.id, "--strict", home=lab.home.path)
        assert told.returncode == 0, told.stdout
    finally:
        lab.devnet.stop()


@pytest.mark.parametrize("where", ["store_captured", "_sign", "_send", "_wait", "_held"])
def test_a_process_killed_between_any_two_steps_records_once(lab, file, tmp_path, where):
    program = f"""
import os, sys
from pathlib import Path
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.core.record import Kind
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.recording.content import record_content
from blockchaintracer.lab.outbox import Outbox
step = Outbox.{where}
def dying(self, *given):
    {"step(self, *given)" if where != "_held" else "pass"}
    os.kill(os.getpid(), 9)
Outbox.{where} = dying
record_content(Lab(Home(sys.argv[1])), Kind.DATASET, Path(sys.argv[2]))
"""
    killed = subprocess.run(
        [sys.executable, "-c", program, str(lab.home.path), str(file)], capture_output=True, check=False
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    before = nonce(lab)
    recorded = record_content(again(lab), Kind.DATASET, file)
    again(lab).flush()
    assert nonce(lab) - before == (1 if where in ("store_captured", "_sign") else 0)
    assert lab.registry.status(recorded.id).exists
    assert len(list(lab.registry.recorded(id=from_hex(recorded.id)))) == 1
    entries = lab.outbox.entries_about(recorded.id)
    assert [entry.state in (EntryState.INCLUDED, EntryState.FINAL) for entry in entries] == [True]


def test_two_processes_with_one_key_record_everything_once(lab, tmp_path):
    files = [tmp_path / f"{number}.bin" for number in range(6)]
    for path in files:
        path.write_bytes(os.urandom(32))
    command = [sys.executable, "-m", "blockchaintracer", "record", "--home", str(lab.home.path), "--json"]
    running = [
        subprocess.Popen([*command, *(f"--dataset={path}" for path in half)], stdout=subprocess.PIPE)
        for half in (files[:4], files[2:])
    ]
    assert [process.wait() for process in running] == [0, 0]
    before = nonce(lab)
    for path in files:
        assert record_content(lab, Kind.DATASET, path).existing
    assert nonce(lab) == before


def test_a_refused_write_is_marked_and_can_be_tried_again(lab, tmp_path):
    other = second_lab(lab, tmp_path / "other")
    write = Transaction(
        Op.CREATE_GROUP, lab.registry.address, owner=other.signer.address, manifest="ab" * 32, roles=255
    )
    other.outbox.add_transaction(other.chain_id, write, other.signer.address)
    with pytest.raises(ContractRevert, match="no set of roles"):
        other.flush()
    entry = other.outbox.find_entry(other.chain_id, write)
    assert (entry.state, "no set of roles" in (entry.error or "")) == (EntryState.FAILED, True)
    assert other.flush() == []
    assert other.outbox.add_transaction(other.chain_id, write, other.signer.address).state is EntryState.STORED


def test_a_key_without_coin_is_told_what_it_lacks(lab, tmp_path, file):
    poor = Lab(lab.home.__class__(tmp_path / "poor"), rpc=lab.devnet.start().url, registry_address=lab.registry.address)
    with pytest.raises(BlockchainTracerError, match=r"has no coin on .*, and a transaction costs some") as told:
        create_group(poor, "Poor lab")
    # without --rpc it would be another devnet that gives, the poor lab's own
    assert f"node fund {poor.signer.address} --rpc {poor.rpc}`" in told.value.hint
    lab.devnet.fund(poor.signer.address, 1000)
    with pytest.raises(BlockchainTracerError, match=r"has 1000 wei .* may cost up to [1-9]"):
        create_group(poor, "Poor lab")
    lab.devnet.fund(poor.signer.address, 10**18)
    assert create_group(poor, "Poor lab").group


def test_a_second_person_on_a_shared_devnet_gets_coin_by_asking(lab, tmp_path):
    url, home = lab.devnet.start().url, tmp_path / "second"
    where = ("--rpc", url, "--registry", lab.registry.address)
    asked = typed("node", "fund", "--rpc", url, "--json", home=home)
    told = json.loads(asked.stdout)
    assert told["balance"] == str(100 * 10**18), asked.stderr
    assert typed("group", "create", "Second", *where, home=home).returncode == 0
    given = typed("node", "fund", told["address"], "--amount", "1.5", home=lab.home.path)
    assert given.returncode == 0, given.stderr
    assert 101 * 10**18 < lab.chain.balance(told["address"]) < 102 * 10**18


def test_no_chain_is_exit_code_3_and_no_lab_is_2(lab, file, tmp_path):
    away = typed("group", "list", "--rpc", "http://127.0.0.1:9", home=lab.home.path)
    assert away.returncode == 3, away.stderr
    wrong = typed("record", "--dataset", str(file), "--rpc", "ftp://x", home=tmp_path / "new")
    assert wrong.returncode == 2
    assert "http" in wrong.stderr


def test_the_chain_never_names_a_key_in_its_address(tmp_path):
    with pytest.raises(ChainUnavailable) as error:
        Chain.connect("http://user:hunter2@127.0.0.1:9/v2/SECRETSECRETSECRETSECRET?key=hunter2")
    assert "hunter2" not in str(error.value)
    assert "SECRETSECRET" not in str(error.value)


@pytest.mark.parametrize("damage", ["header", "entry"])
def test_a_damaged_outbox_says_to_move_it_away_and_that_is_the_way_out(tmp_path, damage):
    path = tmp_path / "outbox.sqlite"
    assert "writes" in json.loads(verb("outbox", "list", "--json", home=tmp_path).stdout)
    if damage == "header":
        path.write_bytes(b"\xff" * 8192)
    else:
        with closing(sqlite3.connect(path)) as database, database:
            database.execute(
                "INSERT INTO entries (chain_id, identity, op, payload, sender, state) VALUES (1, 'x', 'y', '{', '', '')"
            )
    broken = verb("outbox", home=tmp_path)
    assert (broken.returncode, str(path) in broken.stderr) == (2, True)
    assert "move it away: what was recorded stays in store and chain" in broken.stderr
    for file in tmp_path.glob("outbox.sqlite*"):
        file.unlink()
    empty = verb("outbox", home=tmp_path)
    assert (empty.returncode, empty.stdout) == (0, "No writes yet.\n")


def test_an_outbox_that_the_system_refuses_says_to_check_the_disk(tmp_path):
    (tmp_path / "outbox.sqlite").mkdir()
    assert "Check the disk" in typed("outbox", home=tmp_path).stderr


def test_identity_of_a_write_is_its_content(lab, file):
    recorded = record_content(lab, Kind.DATASET, file)
    [entry] = lab.outbox.entries_about(recorded.id)
    assert entry.write.op is Op.RECORD
    copy = Transaction(Op.RECORD, entry.write.registry, **entry.write.fields)
    assert copy.identity == entry.write.identity
    assert lab.outbox.add_transaction(lab.chain_id, copy, lab.signer.address).seq == entry.seq


def test_a_change_that_somebody_else_made_first_is_not_taken_for_ones_own(lab, tmp_path, file):
    recorded = record_content(lab, Kind.DATASET, file)
    reviewer = second_lab(lab, tmp_path / "reviewer")
    seen = reviewer.registry.verdict(reviewer.group(), recorded.id).version
    attest(reviewer, recorded.id, Verdict.DISPUTED)
    fields = {"record_id": recorded.id, "group": reviewer.group(), "version": seen}
    late = Transaction(Op.ATTEST, reviewer.registry.address, **fields, verdict=int(Verdict.REVIEWED), evidence=None)
    with pytest.raises(InputError, match="somebody else changed the same thing first"):
        reviewer.write(late)
    assert reviewer.registry.verdict(reviewer.group(), recorded.id).verdict is Verdict.DISPUTED
