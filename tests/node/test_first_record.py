"""The first commands of a new user, and of a member who was invited."""

import json
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from blockchaintracer.core.errors import ContractRevert, InputError, KeyStoreError
from blockchaintracer.core.record import Role
from blockchaintracer.lab.groups import invite, join, remove_member
from blockchaintracer.lab.keys import PASSPHRASE_FILE, KeyStore
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home
from tests.support.labs import typed


def test_record_and_verify_are_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("soil.csv").write_text("1\n")
    home = tmp_path / "home"
    try:
        done = typed("record", "soil.csv", home=home)
        assert done.returncode == 0, done.stderr
        assert "deployed the registry" in done.stderr
        assert "created the group 1, 'My lab'" in done.stderr
        assert typed("verify", "soil.csv", home=home).returncode == 0
        assert "deployed" not in typed("record", "soil.csv", home=home).stderr
    finally:
        Lab(Home(home)).devnet.stop()


def test_a_file_without_dashes_is_a_dataset_and_a_program_needs_them(lab: Lab, tmp_path: Path) -> None:
    file, folder = tmp_path / "rain.csv", tmp_path / "maps"
    file.write_text("rain\n")
    folder.mkdir()
    (folder / "one").write_text("1")
    done = typed("record", str(file), str(folder), "--json", home=lab.home.path)
    assert [one["kind"] for one in json.loads(done.stdout)["records"]] == ["dataset", "dataset"]
    done = typed("record", str(file), "--kind", "result", "--json", home=lab.home.path)
    assert [one["kind"] for one in json.loads(done.stdout)["records"]] == ["result"]
    done = typed("record", str(file), str(tmp_path / "no.csv"), home=lab.home.path)
    assert (done.returncode, "which is not there" in done.stderr) == (2, True)


def test_an_invitation_says_what_it_changes_and_ends(lab: Lab, tmp_path: Path) -> None:
    KeyStore(lab.home).create("member", devnet=True)
    said: list[str] = []
    told, member = replace(lab, say=said.append), replace(lab, key_name="member")
    member.fund_on_devnet()
    account = member.signer.address
    first = invite(told, 1, account, Role.RECORDER | Role.REVIEWER)
    join(member, first)
    assert not said
    # she may not invite: an invitation that she signed all the same could never be accepted
    with pytest.raises(ContractRevert, match="may not change the membership"):
        invite(member, 1, lab.signer.address, Role.RECORDER)
    invite(told, 1, account, Role.MAINTAINER)
    assert said == [f"{account} is recorder and reviewer of group 1 now; accepting makes it maintainer alone"]
    remove_member(lab, 1, account)
    with pytest.raises(InputError, match="has ended since"):
        join(member, first)
    with pytest.raises(InputError, match="would have expired"):
        invite(lab, 1, account, Role.RECORDER, until=int(time.time()) - 5)
    with pytest.raises(InputError, match="would have expired"):
        invite(lab, 1, account, Role.RECORDER, valid_s=0)


def test_an_invitation_brings_its_registry_and_the_only_key_is_used(lab: Lab, tmp_path: Path) -> None:
    home, node = tmp_path / "second", lab.devnet.status()
    assert node
    key = KeyStore(Home(home), None).create("hers", devnet=True)
    lab.devnet.fund(key.address, 10**18)
    invitation = tmp_path / "invitation.json"
    invitation.write_text(json.dumps(invite(replace(lab, key_name="lab"), 1, key.address, Role.RECORDER)))
    alone = typed("group", "join", str(invitation), home=home)
    assert (alone.returncode, "another lab's: --rpc URL" in alone.stderr) == (2, True), alone.stderr
    assert Lab(Home(home)).devnet.status() is None, "no chain of one's own is started for it"
    joined = typed("group", "join", str(invitation), "--rpc", node.url, "--json", home=home)
    assert joined.returncode == 0, joined.stdout + joined.stderr
    assert f"is to the registry {lab.registry.address}" in joined.stderr
    assert json.loads(joined.stdout)["account"] == key.address
    (tmp_path / "data.csv").write_text("of the second home")
    done = typed("record", str(tmp_path / "data.csv"), "--rpc", node.url, home=home)
    assert done.returncode == 0, done.stderr


def test_a_short_passphrase_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    word = tmp_path / "word"
    word.write_text("eleven chars"[:11])
    monkeypatch.setitem(os.environ, PASSPHRASE_FILE, str(word))
    with pytest.raises(KeyStoreError, match="at least 12 characters, got 11"):
        KeyStore(Home(tmp_path / "home"), None).create("mine")
    assert KeyStore(Home(tmp_path / "home"), None).names() == []
