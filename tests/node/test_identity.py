"""Claims of identity on a real chain, with the other sides on this machine: what `verify` says of who stands behind a
record, from the claim to its end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from blockchaintracer.lab.lab import Lab
from tests.support.labs import typed
from tests.support.other_sides import OtherSides, other_sides

ORCID, OTHER = "0000-0002-1825-0097", "0000-0002-1694-233X"


@pytest.fixture(scope="module")
def sides() -> Iterator[OtherSides]:
    with other_sides() as sides:
        yield sides


@pytest.fixture
def run(lab: Lab, sides: OtherSides) -> Any:
    def run(*arguments: str, code: int = 0, of: Lab = lab) -> Any:
        more = ["--rpc", of.rpc, "--registry", of.registry.address] if of.rpc else []
        done = typed(*arguments, *more, "--json", home=of.home.path, **sides.variables)
        assert done.returncode == code, done.stdout + done.stderr
        return json.loads(done.stdout)

    return run


def recorded(run: Any, file: Path) -> str:
    return str(run("record", str(file))["recorded"][0]["id"])


def test_an_orcid_holder_from_claim_to_revocation(
    lab: Lab, run: Any, sides: OtherSides, file: Path, tmp_path: Path
) -> None:
    record = run("record", str(file))
    record = next(iter(record["records"]))["id"] if "records" in record else record["id"]
    claim = run("identity", "claim", "--orcid", ORCID)

    def state(*more: str, code: int = 0) -> str:
        return str(run("verify", record, *more, code=code)["holders"][0]["state"])

    ask = ("--check-identity", "--allow-local")
    assert state() == state(*ask) == "never confirmed"
    sides.orcid(ORCID, f"https://orcid.org/{ORCID}#{claim['names'][0]}")
    assert (state(), state(*ask)) == ("never confirmed", "confirmed now")

    seen = run("identity", "check", claim["id"], "--record", "--allow-local")["claims"][0]["recorded"]
    assert seen["kind"] == "document"
    assert state() == "seen"

    published = tmp_path / "published"
    run("publish", record, "--to", str(published))
    stranger = typed(
        *("verify", record, "--from", str(published), "--rpc", lab.devnet.start().url, "--chain-id", str(lab.chain_id)),
        *("--registry", lab.registry.address),
        home=tmp_path / "nobody",
    )
    assert f"ORCID {ORCID} (seen on" in stranger.stdout, stranger.stdout + stranger.stderr
    sides.pages.clear()
    assert (state(), state(*ask)) == ("seen", "gone")
    run("identity", "revoke", claim["id"], "--reason", "left the lab")
    assert state() == state(*ask) == "revoked"
