// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IAttestations} from "../../interfaces/IAttestations.sol";

/// @notice A group's current verdict on a foreign record, in one word; its evidence stands beside it.
/// @dev From the lowest bit:
///
///   0         8            48        80
///   | verdict | attestedAt | version |
///        8         40          32
///
/// A verdict that was taken back leaves only the version.
type ForeignAttestationSlot is uint256;

using ForeignAttestationSlotLib for ForeignAttestationSlot global;

library ForeignAttestationSlotLib {
    uint256 private constant ATTESTED_AT = 8;
    uint256 private constant VERSION = 48;

    function pack(IAttestations.Verdict verdict_, uint40 attestedAt_, uint32 version_)
        internal
        pure
        returns (ForeignAttestationSlot)
    {
        return ForeignAttestationSlot.wrap(
            uint256(verdict_) | uint256(attestedAt_) << ATTESTED_AT | uint256(version_) << VERSION
        );
    }

    function verdict(ForeignAttestationSlot slot) internal pure returns (IAttestations.Verdict) {
        return IAttestations.Verdict(uint8(ForeignAttestationSlot.unwrap(slot)));
    }

    function attestedAt(ForeignAttestationSlot slot) internal pure returns (uint40) {
        return uint40(ForeignAttestationSlot.unwrap(slot) >> ATTESTED_AT);
    }

    /// @dev At the largest there is no next: overflow is checked, so that no further verdict is given.
    function nextVersion(ForeignAttestationSlot slot) internal pure returns (uint32) {
        return slot.version() + 1;
    }

    /// @dev At the largest it stays: a verdict can always be taken back, and no signature fits it any more.
    function lastVersion(ForeignAttestationSlot slot) internal pure returns (uint32 version_) {
        version_ = slot.version();
        if (version_ != type(uint32).max) ++version_;
    }

    function version(ForeignAttestationSlot slot) internal pure returns (uint32) {
        return uint32(ForeignAttestationSlot.unwrap(slot) >> VERSION);
    }
}
