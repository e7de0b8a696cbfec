"""A group and a registry that go to another person, and the successor that users are told of."""

import json
from dataclasses import replace

import pytest

from blockchaintracer.core.errors import InputError
from blockchaintracer.lab import handover
from blockchaintracer.lab.groups import describe_group
from blockchaintracer.lab.keys import KeyStore
from blockchaintracer.lab.lab import Lab
from tests.support.labs import typed

OTHER = "0x" + "ab" * 20


@pytest.fixture(scope="module")
def second(lab: Lab) -> Lab:
    """The same home with another key."""
    KeyStore(lab.home).create("second", devnet=True)
    other = replace(lab, key_name="second")
    other.fund_on_devnet()
    return other


def test_a_group_is_handed_over_in_two_steps_and_back(lab: Lab, second: Lab) -> None:
    home, mine, theirs = lab.home.path, lab.signer.address, second.signer.address
    refused = typed("group", "accept", "1", "--key", "second", home=home)
    assert (refused.returncode, "is offered to nobody" in refused.stderr) == (2, True)
    for _ in range(2):  # the same way a second time is a change of its own
        offered = typed("group", "transfer", theirs, "--yes", "--json", home=home)
        assert offered.returncode == 0, offered.stderr
        assert describe_group(lab, 1)["owner"] == mine
        assert typed("group", "accept", "1", "--key", "second", home=home).returncode == 0
        assert describe_group(lab, 1)["owner"] == theirs
        handover.offer_group(second, 1, mine)
        handover.accept_group(lab, 1)
        assert describe_group(lab, 1)["owner"] == mine


def test_a_group_gets_another_name_and_its_first_again(lab: Lab) -> None:
    for name in ("Second name", "Third name", "Second name"):
        assert typed("group", "describe", name, home=lab.home.path).returncode == 0
        assert describe_group(lab, 1)["name"] == name


def test_a_registry_is_handed_over_and_its_successor_told(lab: Lab, second: Lab) -> None:
    home = lab.home.path
    shown = json.loads(typed("registry", "show", "--json", home=home).stdout)
    assert (shown["owner"], shown["offeredTo"], shown["successor"]) == (lab.signer.address, None, None)
    assert typed("registry", "transfer", second.signer.address, "--yes", home=home).returncode == 0
    assert typed("registry", "accept", "--key", "second", home=home).returncode == 0
    shown = json.loads(typed("registry", "show", "--json", home=home).stdout)
    assert shown["owner"] == second.signer.address
    named = ("registry", "announce-successor", f"eip155:8453:{OTHER}", "--yes", "--key")
    assert typed(*named, "devnet", home=home).returncode == 2
    assert typed(*named, "second", home=home).returncode == 0
    assert f"announced a successor, eip155:8453:{OTHER}" in typed("status", home=home).stdout
    recorded = typed("record", "--name", "told", "--param", "lr=0.1", "--key", "lab", home=home)
    assert recorded.returncode == 0, recorded.stderr
    assert f"announced a successor, eip155:8453:{OTHER}: ask your lab" in recorded.stdout + recorded.stderr
    with pytest.raises(InputError, match="another registry"):
        handover.announce_successor(second, lab.registry.address)


def test_an_offer_is_taken_back_and_what_is_owned_is_accepted_for_nothing(lab: Lab, second: Lab) -> None:
    """Both waited in the outbox for good: what they change was so before, and no event said it."""
    home, addresses = lab.home.path, {"lab": lab.signer.address, "second": second.signer.address}
    before = len(lab.outbox.entries())
    for verb, number, owner, other in (("group", ["1"], "lab", "second"), ("registry", [], "second", "lab")):
        as_owner, to_owner = ("--yes", "--key", owner), addresses[owner]
        assert typed(verb, "transfer", addresses[other], *as_owner, home=home).returncode == 0
        accepted = typed(verb, "accept", *number, "--json", "--key", owner, home=home)
        assert (accepted.returncode, json.loads(accepted.stdout)["transaction"]) == (0, None)
        back = typed(verb, "transfer", to_owner, *as_owner, home=home)
        assert back.returncode == 0, back.stderr
        refused = typed(verb, "accept", *number, "--key", other, home=home)
        assert (refused.returncode, f"is offered to {to_owner}" in refused.stderr) == (2, True)
        nobody = typed(verb, "transfer", "0x" + "00" * 20, *as_owner, home=home)
        assert (nobody.returncode, "zero address" in nobody.stderr) == (2, True)
    assert [entry.state for entry in lab.outbox.entries()[before:]] == ["final"] * 4
