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

    /// @dev The tree is complete: its nodes form a queue that starts with the leaves; two are taken from its head, their
    /// parent joins its end, and the last one is the root. There is room for the parents in `queue`, as each needs one
    /// place and has made two free: position i is queue[i], and from the length on queue[i - length].
    /// @param queue the leaves, at least one, in order; overwritten
    function root(bytes32[] memory queue) internal pure returns (bytes32) {
        uint256 length = queue.length;
        unchecked {
            for (uint256 made = 0; made < length - 1; ++made) {
                uint256 left = 2 * made;
                uint256 right = left + 1;
                queue[made] = Hashes.commutativeKeccak256(
                    queue[left < length ? left : left - length], queue[right < length ? right : right - length]
                );
            }
            // a single leaf is its own root
            return queue[length < 2 ? 0 : length - 2];
        }
    }
}
