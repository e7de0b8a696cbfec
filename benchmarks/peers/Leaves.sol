// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {MerkleProofLib} from "solady/src/utils/MerkleProofLib.sol";

/// @notice The least that a contract does which knows Merkle roots and their times: one slot a root, one function to ask.
abstract contract Leaves {
    mapping(bytes32 root => uint256) internal _anchoredAt;

    function anchor(bytes32 root) external {
        _anchoredAt[root] = block.timestamp;
    }

    /// @return when the root was anchored, 0 if the path doesn't lead from the leaf to it
    function verify(bytes32 root, bytes32 leaf, bytes32[] calldata proof) external view virtual returns (uint256);
}

contract SoladyLeaves is Leaves {
    function verify(bytes32 root, bytes32 leaf, bytes32[] calldata proof) external view override returns (uint256) {
        return MerkleProofLib.verifyCalldata(proof, root, leaf) ? _anchoredAt[root] : 0;
    }
}

contract OpenZeppelinLeaves is Leaves {
    function verify(bytes32 root, bytes32 leaf, bytes32[] calldata proof) external view override returns (uint256) {
        return MerkleProof.verifyCalldata(proof, root, leaf) ? _anchoredAt[root] : 0;
    }
}
