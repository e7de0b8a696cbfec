"""Merkle paths verified by Solady's MerkleProofLib, the floor of that work, and by OpenZeppelin's MerkleProof, each in
a contract that does nothing else (Leaves.sol), compiled as LabRegistry is."""

from __future__ import annotations

from web3 import Web3

from benchmarks.chain import Chain
from benchmarks.peers import HERE, Figures, compile_source
from benchmarks.registry import MILLION, digest, tree_of
from blockchaintracer.core.record import from_hex

REMAPPINGS = ["@openzeppelin=node_modules/@openzeppelin", "solady=benchmarks/peers/node_modules/solady"]


def measure(chain: Chain) -> Figures:
    """Execution gas of verifying a leaf at depth 20, by Solady and by OpenZeppelin."""
    record_id = digest("one of many")
    tree = tree_of(record_id, MILLION)
    root, leaf = from_hex(tree.root), Web3.keccak(Web3.keccak(hexstr=record_id))
    proof = [from_hex(it) for it in tree.proof(record_id)]
    if len(proof) != 20:
        raise RuntimeError(f"expected a Merkle path of 20 nodes, got {len(proof)}")

    figures = []
    for library in ("Solady", "OpenZeppelin"):
        compiled = compile_source(HERE / "Leaves.sol", f"{library}Leaves", REMAPPINGS, via_ir=True, runs=20_000)
        leaves, _ = chain.deploy(*compiled)
        chain.send(leaves.functions.anchor(root))
        verified = leaves.functions.verify(root, leaf, proof)
        if verified.call() == 0:
            raise RuntimeError(f"expected {library} to find the leaf under its root, it did not")
        figures.append(chain.executed(verified))
    return {"verify_leaf_20": figures}
