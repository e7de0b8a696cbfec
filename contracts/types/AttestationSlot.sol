// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IAttestations} from "../../interfaces/IAttestations.sol";

/// @notice A group's current verdict on a record, in one word.
/// @dev From the lowest bit:
///
///   0         8         144          184        224       256
///   | verdict | evidence | attestedAt | sealedAt | version |
///        8        136          40          40        32
///
/// `evidence` is the low 136 bits of the evidence's record id, 0 for none. A withdrawn verdict leaves only the version.
type AttestationSlot is uint256;

using AttestationSlotLib for AttestationSlot global;

library AttestationSlotLib {
    uint256 private constant EVIDENCE = 8;
    uint256 private constant ATTESTED_AT = 144;
    uint256 private constant SEALED_AT = 184;
    uint256 private constant VERSION = 224;

    function pack(
        IAttestations.Verdict verdict_,
        bytes32 evidence_,
        uint40 attestedAt_,
        uint40 sealedAt_,
        uint32 version_
    ) internal pure returns (AttestationSlot) {
        return AttestationSlot.wrap(
            uint256(verdict_) | uint256(uint136(uint256(evidence_))) << EVIDENCE | uint256(attestedAt_) << ATTESTED_AT
                | uint256(sealedAt_) << SEALED_AT | uint256(version_) << VERSION
        );
    }

    function verdict(AttestationSlot slot) internal pure returns (IAttestations.Verdict) {
        return IAttestations.Verdict(uint8(AttestationSlot.unwrap(slot)));
    }

    function evidence(AttestationSlot slot) internal pure returns (uint136) {
        return uint136(AttestationSlot.unwrap(slot) >> EVIDENCE);
    }

    function standsOn(AttestationSlot slot, bytes32 evidence_) internal pure returns (bool) {
        return slot.evidence() == uint136(uint256(evidence_));
    }

    function attestedAt(AttestationSlot slot) internal pure returns (uint40) {
        return uint40(AttestationSlot.unwrap(slot) >> ATTESTED_AT);
    }

    function sealedAt(AttestationSlot slot) internal pure returns (uint40) {
        return uint40(AttestationSlot.unwrap(slot) >> SEALED_AT);
    }

    /// @dev At the largest there is no next: overflow is checked, so that no further verdict is given.
    function nextVersion(AttestationSlot slot) internal pure returns (uint32) {
        return slot.version() + 1;
    }

    /// @dev At the largest it stays: a verdict can always be taken back, and no signature fits it any more.
    function lastVersion(AttestationSlot slot) internal pure returns (uint32 version_) {
        version_ = slot.version();
        if (version_ != type(uint32).max) ++version_;
    }

    function version(AttestationSlot slot) internal pure returns (uint32) {
        return uint32(AttestationSlot.unwrap(slot) >> VERSION);
    }
}
