// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @notice A group's entry in a bounty, in one word; its commitment stands beside it.
/// @dev From the lowest bit:
///
///   0          160        200    208
///   | attester | sealedAt | paid |
///       160         40       8
///
/// A group entered if and only if the attester is not 0.
type EntrySlot is uint256;

using EntrySlotLib for EntrySlot global;

library EntrySlotLib {
    uint256 private constant SEALED_AT = 160;
    uint256 private constant PAID = 200;

    function pack(address attester_, uint40 sealedAt_) internal pure returns (EntrySlot) {
        return EntrySlot.wrap(uint256(uint160(attester_)) | uint256(sealedAt_) << SEALED_AT);
    }

    function exists(EntrySlot slot) internal pure returns (bool) {
        return slot.attester() != address(0);
    }

    function attester(EntrySlot slot) internal pure returns (address) {
        return address(uint160(EntrySlot.unwrap(slot)));
    }

    function sealedAt(EntrySlot slot) internal pure returns (uint40) {
        return uint40(EntrySlot.unwrap(slot) >> SEALED_AT);
    }

    function paid(EntrySlot slot) internal pure returns (bool) {
        return uint8(EntrySlot.unwrap(slot) >> PAID) != 0;
    }

    function withPayment(EntrySlot slot) internal pure returns (EntrySlot) {
        return EntrySlot.wrap(EntrySlot.unwrap(slot) | uint256(1) << PAID);
    }
}
