// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @notice A group's owner and the time of its creation, in one word.
/// @dev From the lowest bit:
///
///   0       160         200
///   | owner | createdAt |
///      160       40
///
/// A group exists if and only if its owner is not 0.
type GroupSlot is uint256;

using GroupSlotLib for GroupSlot global;

library GroupSlotLib {
    uint256 private constant CREATED_AT = 160;

    function pack(address owner_, uint40 createdAt_) internal pure returns (GroupSlot) {
        return GroupSlot.wrap(uint256(uint160(owner_)) | uint256(createdAt_) << CREATED_AT);
    }

    function owner(GroupSlot slot) internal pure returns (address) {
        return address(uint160(GroupSlot.unwrap(slot)));
    }

    function createdAt(GroupSlot slot) internal pure returns (uint40) {
        return uint40(GroupSlot.unwrap(slot) >> CREATED_AT);
    }
}
