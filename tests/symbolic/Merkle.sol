// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Hashes} from "@openzeppelin/contracts/utils/cryptography/Hashes.sol";

import {MerkleTree} from "../../contracts/libraries/MerkleTree.sol";
import {Proof} from "./Proof.sol";

/// @notice The tree that the registry computes, and what a proof under it says.
contract MerkleProofs is Proof {
    /// @custom:halmos --default-array-lengths 1,2,3,4,5 --loop 16
    function check_rootIsOfTheStandardTree(bytes32[] memory values) public pure {
        uint256 count = values.length;
        bytes32[] memory nodes = new bytes32[](2 * count - 1);
        // OpenZeppelin's layout: the root at 0, the children of node i at 2i + 1 and 2i + 2, the leaves backwards at the end
        bytes32[] memory tree = new bytes32[](2 * count - 1);
        for (uint256 i = 0; i < count; ++i) {
            nodes[i] = MerkleTree.leaf(values[i]);
            assert(nodes[i] == keccak256(bytes.concat(keccak256(abi.encode(values[i])))));
            tree[tree.length - 1 - i] = nodes[i];
        }
        for (uint256 i = count - 1; i > 0; --i) {
            tree[i - 1] = Hashes.commutativeKeccak256(tree[2 * i - 1], tree[2 * i]);
        }
        assert(MerkleTree.root(nodes) == tree[0]);
    }

    /// @dev Whatever verifies is a leaf, so neither an inner node nor the root is.
    /// @custom:halmos --array-lengths ids={1,2,3,4},proof={0,1,2,3} --loop 8
    function check_onlyLeavesVerify(
        uint32 group,
        address author,
        bytes32[] memory ids,
        bytes32 id,
        bytes32[] memory proof
    ) public {
        _anyTime();
        vm.prank(author);
        bytes32 root = registry.anchorLeaves(group, ids);
        (uint40 anchoredAt,) = registry.batchedAt(group, author, id, root, proof);
        if (anchoredAt == 0) return;
        bool isLeaf;
        for (uint256 i = 0; i < ids.length; ++i) {
            isLeaf = isLeaf || ids[i] == id;
        }
        assert(isLeaf);
    }
}
