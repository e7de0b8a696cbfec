"""Trees of OpenZeppelin's JavaScript library over leaves are ours."""

import json
import os
import shutil
import subprocess

import pytest

from blockchaintracer.core.merkle import MerkleTree
from tests.live.interop.libraries import install
from tests.support.labs import ROOT

LIBRARY = ROOT / "tests" / "live" / "interop" / "node_modules" / "@openzeppelin" / "merkle-tree"


PROGRAM = """
const {StandardMerkleTree} = require(process.argv[1]);
const ids = JSON.parse(require("fs").readFileSync(0)).sort();
const tree = StandardMerkleTree.of(ids.map((id) => [id]), ["bytes32"], {sortLeaves: false});
const proofs = ids.map((id, at) => tree.getProof(at));
console.log(JSON.stringify({root: tree.root, ids, proofs}));
"""


SIZES = [1, 2, 3, 4, 5, 7, 8, 9, 31, 32, 33, 100]


def some(count: int) -> list[str]:
    return ["0x" + os.urandom(32).hex() for _ in range(count)]


@pytest.mark.parametrize("count", SIZES)
def test_openzeppelin_s_library_makes_the_same_tree(count):
    install()
    ids = some(count)
    node = shutil.which("node")
    assert node
    done = subprocess.run(
        [node, "-e", PROGRAM, str(LIBRARY)], input=json.dumps(ids), capture_output=True, text=True, check=True
    )
    theirs, tree = json.loads(done.stdout), MerkleTree(ids)
    assert (theirs["root"], theirs["ids"]) == (tree.root, tree.values)
    assert theirs["proofs"] == [tree.proof(value) for value in tree.values]
