// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Hashes} from "@openzeppelin/contracts/utils/cryptography/Hashes.sol";

/// @notice OpenZeppelin's StandardMerkleTree over single `bytes32` values.
library MerkleTree {
    /// @dev Hashed twice: a node is the hash of 64 bytes, so that none passes as a leaf.
    function leaf(bytes32 value) internal pure returns (bytes32 result) {
        assembly ("memory-safe") {
            mstore(0x00, value)
            mstore(0x00, keccak256(0x00, 0x20))
            result := keccak256(0x00, 0x20)
        }
    }

    /// @dev Whether a path leads from a node to a root: OpenZeppelin's MerkleProof.verifyCalldata for the price of its
    /// hashes.
    function isUnder(bytes32 root_, bytes32 node, bytes32[] calldata path) internal pure returns (bool) {
        assembly ("memory-safe") {
            let end := add(path.offset, shl(5, path.length))
            for { let at := path.offset } lt(at, end) { at := add(at, 0x20) } {
                let sibling := calldataload(at)
                // the smaller one first
                let place := shl(5, gt(node, sibling))
                mstore(place, node)
                mstore(xor(place, 0x20), sibling)
                node := keccak256(0x00, 0x40)
            }
        }
        return node == root_;
    }

    /// @dev The tree is complete: its nodes stand in a row that starts with the leaves. Two are taken from the head,
    /// their parent joins the end, and the last one is the root.
    /// @param nodes the leaves in order, at least one, and room for as many parents but one; filled
    function root(bytes32[] memory nodes) internal pure returns (bytes32) {
        uint256 left = 0;
        unchecked {
            for (uint256 parent = nodes.length / 2 + 1; parent < nodes.length; ++parent) {
                (bytes32 a, bytes32 b) = (nodes[left], nodes[left + 1]);
                // the smaller one first
                nodes[parent] = a < b ? Hashes.efficientKeccak256(a, b) : Hashes.efficientKeccak256(b, a);
                left += 2;
            }
        }
        return nodes[nodes.length - 1];
    }
}
