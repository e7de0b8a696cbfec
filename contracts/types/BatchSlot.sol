// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @notice Everything that is stored of a batch, in one word.
/// @dev From the lowest bit:
///
///   0            40      88        96        136
///   | anchoredAt | count | counted | endedAt |
///         40        48        8         40
///
/// A batch exists if and only if anchoredAt is not 0, and has ended if and only if endedAt is not 0.
type BatchSlot is uint256;

using BatchSlotLib for BatchSlot global;

library BatchSlotLib {
    uint256 private constant COUNT = 40;
    uint256 private constant COUNTED = 88;
    uint256 private constant ENDED_AT = 96;

    /// @param counted_ whether the registry saw the leaves; otherwise the author declared their number
    function pack(uint40 anchoredAt_, uint48 count_, bool counted_) internal pure returns (BatchSlot) {
        return BatchSlot.wrap(uint256(anchoredAt_) | uint256(count_) << COUNT | uint256(counted_ ? 1 : 0) << COUNTED);
    }

    function anchoredAt(BatchSlot slot) internal pure returns (uint40) {
        return uint40(BatchSlot.unwrap(slot));
    }

    function count(BatchSlot slot) internal pure returns (uint48) {
        return uint48(BatchSlot.unwrap(slot) >> COUNT);
    }

    function counted(BatchSlot slot) internal pure returns (bool) {
        return uint8(BatchSlot.unwrap(slot) >> COUNTED) != 0;
    }

    function endedAt(BatchSlot slot) internal pure returns (uint40) {
        return uint40(BatchSlot.unwrap(slot) >> ENDED_AT);
    }

    /// @dev Once: the caller has checked that endedAt is 0.
    function withEnd(BatchSlot slot, uint40 time) internal pure returns (BatchSlot) {
        return BatchSlot.wrap(BatchSlot.unwrap(slot) | uint256(time) << ENDED_AT);
    }
}
