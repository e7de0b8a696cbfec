// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @notice Emits events that look like another contract's.
contract Impostor {
    function emitAs(bytes32[4] calldata topics, bytes calldata data) external {
        bytes memory copy = data;
        assembly ("memory-safe") {
            log4(
                add(copy, 0x20),
                mload(copy),
                calldataload(topics),
                calldataload(add(topics, 0x20)),
                calldataload(add(topics, 0x40)),
                calldataload(add(topics, 0x60))
            )
        }
    }
}
