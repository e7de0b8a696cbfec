"""Without a node a record in a batch was "verified" on whatever chain its folder named.

A root can have ids of any chain under it, and registries have the same address on many chains. Whoever anchors the id
of another chain on a test chain gets a receipt in a block that stands: the chain is for the verifier to name.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from blockchaintracer.core.chain.abi import interface
from blockchaintracer.core.merkle import MerkleTree
from blockchaintracer.core.record import Domain, RecordKey, checksummed, from_hex
from blockchaintracer.core.record_key_file import KeyFile, Proof
from blockchaintracer.core.trust import Checkpoint, Trust
from blockchaintracer.core.verify.published_proofs import proof_name
from blockchaintracer.extras.archive.offline import OfflineReport, standing_of, verify_offline
from blockchaintracer.lab.chain.receipts import prove_inclusion
from tests.support.memory_node import answering
from tests.support.registry_life import Life, live

MAINNET, OWN = 1, 4242


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Life:
    return live(tmp_path_factory.mktemp("life"))


def told(life: Life, file: KeyFile, folder: Path, **chosen: object) -> OfflineReport:
    """What a folder says by itself, and whether it counts for a renewal."""
    path = folder / proof_name(file.id)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(file.to_bytes())
    trust = Trust(registry=life.lab.registry_address, **chosen)  # type: ignore[arg-type]
    domain = Domain(file.chain_id, checksummed(file.registry))
    report, _ = verify_offline(domain, file.id, [str(folder)], trust)
    counts = standing_of(domain, [str(folder)], trust)(file.id) is not None
    assert counts is (str(report.conclusion) == "verified")
    return report


def anchored(life: Life, chain_id: int) -> Proof:
    """The proof of a record of a chain, under a root that its author anchored on the chain of the node."""
    registry, author = checksummed(life.lab.registry_address), life.lab.signer.address
    key = RecordKey(1, author, 3, "11" * 32, 1, "22" * 32)
    tree = MerkleTree([identifier := Domain(chain_id, registry).record_id(key)])
    data = interface().call("anchor", 1, from_hex(tree.root), 1, bytes(32))
    receipt = life.node.send(author, registry, from_hex(data))
    with answering(full=life.node.answer):
        proven = prove_inclusion(life.lab.chain, receipt["transactionHash"])
    return Proof(chain_id, registry, key, tree.root, tuple(tree.proof(identifier)), receipts=(proven,))


@pytest.mark.parametrize("chain_id", [MAINNET, OWN])
def test_a_batched_record_is_of_the_chain_that_the_verifier_names(life: Life, tmp_path: Path, chain_id: int) -> None:
    proof = anchored(life, chain_id)
    [block] = [(it.block_hash, it.receipt().block) for it in proof.receipts]
    report = told(life, proof, tmp_path, blocks=(block[0],))
    assert str(report.conclusion) == "consistent"
    assert not report.proves
    [check] = [it for it in report.checks if it.name == "block"]
    assert "--chain-id chooses it" in check.detail
    assert told(life, proof, tmp_path, blocks=(block[0],), chain_id=chain_id).proves
    assert told(life, proof, tmp_path, checkpoints=(Checkpoint(chain_id, block[1], block[0]),)).proves
    # that a block of this number is of another chain says nothing of this one
    assert not told(life, proof, tmp_path, checkpoints=(Checkpoint(chain_id + 1, block[1], block[0]),)).proves


def test_a_stored_record_names_its_chain_itself(life: Life, tmp_path: Path) -> None:
    file = KeyFile.read_file(life.published / proof_name(life.ids["data"]))
    blocks = tuple(it.block_hash for it in file.receipts)
    assert told(life, file, tmp_path, blocks=blocks).proves
