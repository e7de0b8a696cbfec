"""What happens to a lab over the years: its chain is reset, it gets a second registry, writes wait for what is gone."""

from __future__ import annotations

from pathlib import Path

import pytest

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.networks import DEVNET
from blockchaintracer.core.record import DOMAIN_VERSION
from blockchaintracer.lab.deployments import KnownRegistry, remember_registry
from blockchaintracer.lab.groups import create_group
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.outbox import Op, Transaction
from blockchaintracer.lab.recording.content import record_path
from blockchaintracer.lab.verify_here import verify
from tests.support.labs import typed
from tests.support.memory_node import MemoryNode, answering
from tests.support.registry_life import FULL, KeptSigner

pytestmark = pytest.mark.evm

OWNER = KeptSigner("owner")


@pytest.fixture
def node() -> MemoryNode:
    return MemoryNode()


def lab_on(node: MemoryNode, folder: Path, registry: str) -> Lab:
    return Lab(Home(folder / "home"), rpc=FULL, registry_address=registry, signer_given=OWNER)


def test_a_chain_that_was_reset_is_another_chain(node: MemoryNode, tmp_path: Path) -> None:
    """The number and the registry's address are the same: nothing else tells a verifier that the records are gone."""
    address = node.deploy("LabRegistry", OWNER.address, True)
    file = tmp_path / "data.csv"
    file.write_text("a\n1\n")
    with answering(full=node.answer):
        lab = lab_on(node, tmp_path, address)
        create_group(lab, "The lab")
        before = node.head
        other = KnownRegistry(
            address, lab.signer.address, "0x" + "22" * 32, 1, DOMAIN_VERSION, genesis="0x" + "11" * 32
        )
        remember_registry(lab.chain_id, lab.home, other)
        for ask in (lambda lab: record_path(lab, 1, file), lambda lab: verify(lab, str(file))):
            with pytest.raises(InputError, match="is another chain 4242") as caught:
                ask(lab_on(node, tmp_path, address))
            assert "was reset" in str(caught.value.hint)
        assert node.head == before, "nothing was sent"
        remember_registry(lab.chain_id, lab.home, KnownRegistry(**vars_of(other) | {"genesis": node.blocks[0]["hash"]}))
        assert record_path(lab_on(node, tmp_path, address), 1, file).block


def vars_of(registry: KnownRegistry) -> dict[str, object]:
    return {name: getattr(registry, name) for name in registry.__slots__}


def test_a_group_is_of_its_registry(node: MemoryNode, tmp_path: Path) -> None:
    """Group 1 of another registry may be another lab's: the number is not taken along."""
    first, second = (node.deploy("LabRegistry", OWNER.address, True) for _ in range(2))
    with answering(full=node.answer):
        assert create_group(lab_on(node, tmp_path, first), "Ours").group == 1
        theirs = lab_on(node, tmp_path / "theirs", second)
        theirs.signer_given = KeptSigner("somebody else")
        assert create_group(theirs, "Theirs").group == 1
        lab = lab_on(node, tmp_path, second)
        with pytest.raises(InputError, match="of 0 groups"):
            lab.group()
        assert create_group(lab, "Ours, too").group == 2
        assert lab.choices(lab.chain_id)["group"] == 2
        back = lab_on(node, tmp_path, first)
        assert back.group() == 1
        back.choose(registry=first)
        assert back.choices(back.chain_id)["group"] is None


def test_a_reset_of_the_devnet_names_what_waits(tmp_path: Path) -> None:
    lab = Lab(Home(tmp_path / "home"))
    write = Transaction(Op.END_BATCH, "0x" + "33" * 20, group=1, author="0x" + "55" * 20, root="44" * 32)
    lab.outbox.add_transaction(DEVNET.chain_id, write, "0x" + "55" * 20)
    batched = lab.home.batches / f"{DEVNET.chain_id}-0x{'33' * 20}-1-0x{'55' * 20}" / "open" / f"0x{'66' * 32}.json"
    batched.parent.mkdir(parents=True)
    batched.write_text("{}")
    asked = typed("node", "reset", home=lab.home.path)
    assert asked.returncode == 6, "nothing was typed"
    done = typed("node", "reset", "--yes", home=lab.home.path)
    for text in (asked.stderr, done.stdout):
        assert "2 writes never reached it" in text
        assert "  end-batch" in text
        assert f"0x{'66' * 32}" in text
    assert "never reached" not in typed("node", "reset", "--yes", home=tmp_path / "another").stdout
