// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @notice Emits events that look like another contract's.
contract Impostor {
    /// @param topics three
    function emitAs(bytes32[] calldata topics, bytes calldata data) external {
        bytes memory copy = data;
        (bytes32 name, bytes32 first, bytes32 second) = (topics[0], topics[1], topics[2]);
        assembly ("memory-safe") {
            log3(add(copy, 0x20), mload(copy), name, first, second)
        }
    }
}
