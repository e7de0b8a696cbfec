"""A group could end a membership after a theft: `verify` of what the key had recorded told no date, nor by whom. The
group could not state since when the key was in other hands."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from blockchaintracer.core.networks import when
from blockchaintracer.core.record import Kind, Role
from blockchaintracer.lab.groups import invite, join, remove_member
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.recording.content import record_content
from blockchaintracer.lab.rotation import report_key
from tests.support.labs import second_lab, typed

pytestmark = pytest.mark.node


def recorded(lab: Lab, folder: Path, group: int) -> Any:
    file = folder / os.urandom(4).hex()
    file.write_bytes(os.urandom(20))
    lab.group_number = group
    made = record_content(lab, Kind.DATASET, file)
    lab.chain.ask("anvil_mine", "0x1", "0x3c")
    return made


def seen(lab: Lab, home: Path, target: str, *more: str) -> Any:
    where = ("--rpc", lab.devnet.start().url, "--chain-id", "77787", "--registry", lab.registry.address)
    return typed("verify", target, *where, *more, home=home)


def iso(time: int) -> str:
    return datetime.fromtimestamp(time, UTC).isoformat()


def test_what_was_recorded_before_and_after_the_theft(lab: Lab, tmp_path: Path) -> None:
    home = tmp_path / "stranger"
    member = second_lab(lab, tmp_path / "member")
    them, group = member.signer.address, lab.group()
    join(member, invite(lab, group, them, Role.RECORDER | Role.REVIEWER))
    before, after = recorded(member, tmp_path, group), recorded(member, tmp_path, group)
    remove_member(lab, group, them)
    ended = when(lab.registry.membership(group, them).until)
    done = seen(lab, home, before.id)
    assert done.returncode == 0, done.stdout
    assert f"its membership was ended {ended} by {lab.signer.address}" in done.stdout

    said = typed(
        "keys", "report", them, "--since", iso(after.time - 5), "--group", str(group), "--json", home=lab.home.path
    )
    assert said.returncode == 0, said.stderr
    statement = json.loads(said.stdout)["id"]
    # its date is in its manifest
    done = seen(lab, home, after.id)
    assert done.returncode == 0
    assert "unknown  key" in done.stdout
    assert statement in done.stdout
    published = ("--from", str(tmp_path / "published"))
    assert typed("publish", statement, "--to", published[1], home=lab.home.path).returncode == 0
    done = seen(lab, home, before.id, *published)
    assert done.returncode == 0, done.stdout
    assert "this was committed to before" in done.stdout
    done = seen(lab, home, after.id, *published)
    assert done.returncode == 1
    assert f"{lab.signer.address} stated for group {group}" in done.stdout
    assert f"since {when(after.time - 5)}: this was committed to after" in done.stdout
    assert f"{them}, for group {group}, committed to" not in done.stdout


def test_who_has_the_key_cannot_take_the_records_of_others_away(lab: Lab, tmp_path: Path) -> None:
    home = tmp_path / "stranger"
    thief = second_lab(lab, tmp_path / "thief", name="Thief")
    them, group = thief.signer.address, lab.group()
    join(thief, invite(lab, group, them, Role.RECORDER))
    record = recorded(lab, tmp_path, group)
    thief.group_number = group
    said = report_key(thief, lab.signer.address, "2020-01-01")
    published = ("--from", str(tmp_path / "published"))
    assert typed("publish", said.id, "--to", published[1], "--rpc", thief.rpc, home=thief.home.path).returncode == 0
    done = seen(lab, home, record.id, *published)
    assert done.returncode == 0, done.stdout
    assert "not another maintainer" in done.stdout
    # nor in the name of another group
    thief.group_number = None
    thief.choose(group=next(number for number in range(group + 1, 99) if thief.registry.group(number).owner == them))
    with pytest.raises(Exception, match="never was a member"):
        report_key(thief, lab.signer.address, "2020-01-01")
    for since in ("yesterday", "2999-01-01", "1969-01-01"):
        assert typed("keys", "report", them, "--since", since, home=lab.home.path).returncode == 2
