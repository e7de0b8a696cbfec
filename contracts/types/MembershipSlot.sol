// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @notice A member: an account in a group. One word, so that one hash finds the membership.
type MemberId is bytes32;

function memberId(uint32 group, address account) pure returns (MemberId) {
    return MemberId.wrap(bytes32(uint256(group) << 160 | uint256(uint160(account))));
}

/// @notice The last membership of an account in a group, in one word.
/// @dev From the lowest bit:
///
///   0     32      72      112       144
///   | roles | since | until | version |
///      32      40      40       32
///
/// It holds while since <= time < until. It is never deleted: an ended one keeps its roles and since.
type MembershipSlot is uint256;

using MembershipSlotLib for MembershipSlot global;

library MembershipSlotLib {
    uint256 private constant SINCE = 32;
    uint256 private constant UNTIL = 72;
    uint256 private constant VERSION = 112;

    function pack(uint32 roles_, uint40 since_, uint40 until_, uint32 version_) internal pure returns (MembershipSlot) {
        return MembershipSlot.wrap(
            uint256(roles_) | uint256(since_) << SINCE | uint256(until_) << UNTIL | uint256(version_) << VERSION
        );
    }

    function roles(MembershipSlot slot) internal pure returns (uint32) {
        return uint32(MembershipSlot.unwrap(slot));
    }

    function since(MembershipSlot slot) internal pure returns (uint40) {
        return uint40(MembershipSlot.unwrap(slot) >> SINCE);
    }

    function until(MembershipSlot slot) internal pure returns (uint40) {
        return uint40(MembershipSlot.unwrap(slot) >> UNTIL);
    }

    function version(MembershipSlot slot) internal pure returns (uint32) {
        return uint32(MembershipSlot.unwrap(slot) >> VERSION);
    }

    /// @dev since is never in the future, so only the end is compared.
    function holds(MembershipSlot slot, uint32 role) internal view returns (bool) {
        return slot.roles() & role != 0 && block.timestamp < slot.until();
    }
}
