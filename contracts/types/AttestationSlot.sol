// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IAttestations} from "../../interfaces/IAttestations.sol";

/// @notice A group's current verdict on a record, in one word.
/// @dev From the lowest bit:
///
///   0        160          200        240       248       256
///   | evidence | attestedAt | sealedAt | verdict | version |
///       160         40          40         8         8
///
/// `evidence` is the low 160 bits of the evidence's record id, 0 for none. A withdrawn verdict leaves only the version.
type AttestationSlot is uint256;

using AttestationSlotLib for AttestationSlot global;

library AttestationSlotLib {
    uint256 private constant ATTESTED_AT = 160;
    uint256 private constant SEALED_AT = 200;
    uint256 private constant VERDICT = 240;
    uint256 private constant VERSION = 248;

    function pack(
        bytes32 evidence_,
        uint40 attestedAt_,
        uint40 sealedAt_,
        IAttestations.Verdict verdict_,
        uint8 version_
    ) internal pure returns (AttestationSlot) {
        return AttestationSlot.wrap(
            uint256(uint160(uint256(evidence_))) | uint256(attestedAt_) << ATTESTED_AT | uint256(sealedAt_) << SEALED_AT
                | uint256(verdict_) << VERDICT | uint256(version_) << VERSION
        );
    }

    function evidence(AttestationSlot slot) internal pure returns (uint160) {
        return uint160(AttestationSlot.unwrap(slot));
    }

    function standsOn(AttestationSlot slot, bytes32 evidence_) internal pure returns (bool) {
        return slot.evidence() == uint160(uint256(evidence_));
    }

    function attestedAt(AttestationSlot slot) internal pure returns (uint40) {
        return uint40(AttestationSlot.unwrap(slot) >> ATTESTED_AT);
    }

    function sealedAt(AttestationSlot slot) internal pure returns (uint40) {
        return uint40(AttestationSlot.unwrap(slot) >> SEALED_AT);
    }

    function verdict(AttestationSlot slot) internal pure returns (IAttestations.Verdict) {
        return IAttestations.Verdict(uint8(AttestationSlot.unwrap(slot) >> VERDICT));
    }

    function version(AttestationSlot slot) internal pure returns (uint8) {
        return uint8(AttestationSlot.unwrap(slot) >> VERSION);
    }
}
