// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IAttestations} from "../../interfaces/IAttestations.sol";
import {IRecords} from "../../interfaces/IRecords.sol";

/// @notice Everything that is stored of a record, in one word.
/// @dev From the lowest bit:
///
///   0          40          80          120     152    160     168         190          212             234       256
///   | recordedAt | retractedAt | sealedAt | group | kind | flags | reviewed | reproduced | notReproduced | disputed |
///        40           40          40        32      8       8       22          22             22           22
///
/// A record exists if and only if recordedAt is not 0.
type RecordSlot is uint256;

using RecordSlotLib for RecordSlot global;

library RecordSlotLib {
    /// @dev Stored from a batch, with the batch's time.
    uint8 internal constant FLAG_BATCHED = 1;
    /// @dev Not stored; signatures over it are refused.
    uint8 internal constant FLAG_CANCELLED = 2;

    uint256 private constant RETRACTED_AT = 40;
    uint256 private constant SEALED_AT = 80;
    uint256 private constant GROUP = 120;
    uint256 private constant KIND = 152;
    uint256 private constant FLAGS = 160;
    uint256 private constant COUNTERS = 168;
    uint256 private constant COUNTER_BITS = 22;
    uint256 private constant COUNTER_MAX = (1 << COUNTER_BITS) - 1;

    function pack(uint40 recordedAt_, uint40 sealedAt_, uint8 flags_) internal pure returns (RecordSlot) {
        return RecordSlot.wrap(uint256(recordedAt_) | uint256(sealedAt_) << SEALED_AT | uint256(flags_) << FLAGS);
    }

    function withKey(RecordSlot slot, uint32 group_, uint8 kind_) internal pure returns (RecordSlot) {
        return RecordSlot.wrap(RecordSlot.unwrap(slot) | uint256(group_) << GROUP | uint256(kind_) << KIND);
    }

    function exists(RecordSlot slot) internal pure returns (bool) {
        return slot.recordedAt() != 0;
    }

    function recordedAt(RecordSlot slot) internal pure returns (uint40) {
        return uint40(RecordSlot.unwrap(slot));
    }

    function retractedAt(RecordSlot slot) internal pure returns (uint40) {
        return uint40(RecordSlot.unwrap(slot) >> RETRACTED_AT);
    }

    function sealedAt(RecordSlot slot) internal pure returns (uint40) {
        return uint40(RecordSlot.unwrap(slot) >> SEALED_AT);
    }

    function group(RecordSlot slot) internal pure returns (uint32) {
        return uint32(RecordSlot.unwrap(slot) >> GROUP);
    }

    function kind(RecordSlot slot) internal pure returns (uint8) {
        return uint8(RecordSlot.unwrap(slot) >> KIND);
    }

    function flags(RecordSlot slot) internal pure returns (uint8) {
        return uint8(RecordSlot.unwrap(slot) >> FLAGS);
    }

    function has(RecordSlot slot, uint8 flag) internal pure returns (bool) {
        return slot.flags() & flag != 0;
    }

    /// @dev How many groups currently give this verdict.
    function count(RecordSlot slot, IAttestations.Verdict verdict) internal pure returns (uint32) {
        return uint32(RecordSlot.unwrap(slot) >> _shift(verdict) & COUNTER_MAX);
    }

    function status(RecordSlot slot) internal pure returns (IRecords.RecordStatus memory) {
        IRecords.Status state = IRecords.Status.Unknown;
        if (slot.retractedAt() != 0) state = IRecords.Status.Retracted;
        else if (slot.exists()) state = IRecords.Status.Recorded;
        else if (slot.has(FLAG_CANCELLED)) state = IRecords.Status.Cancelled;
        return IRecords.RecordStatus({
            group: slot.group(),
            kind: slot.kind(),
            status: state,
            flags: slot.flags(),
            recordedAt: slot.recordedAt(),
            retractedAt: slot.retractedAt(),
            sealedAt: slot.sealedAt(),
            reviewed: slot.count(IAttestations.Verdict.Reviewed),
            reproduced: slot.count(IAttestations.Verdict.Reproduced),
            notReproduced: slot.count(IAttestations.Verdict.NotReproduced),
            disputed: slot.count(IAttestations.Verdict.Disputed)
        });
    }

    function withFlag(RecordSlot slot, uint8 flag) internal pure returns (RecordSlot) {
        return RecordSlot.wrap(RecordSlot.unwrap(slot) | uint256(flag) << FLAGS);
    }

    /// @dev Once: the caller has checked that retractedAt is 0.
    function withRetraction(RecordSlot slot, uint40 time) internal pure returns (RecordSlot) {
        return RecordSlot.wrap(RecordSlot.unwrap(slot) | uint256(time) << RETRACTED_AT);
    }

    /// @dev A count at its largest stays: it neither runs over into its neighbour nor keeps a group from its verdict.
    function increment(RecordSlot slot, IAttestations.Verdict verdict) internal pure returns (RecordSlot) {
        unchecked {
            return RecordSlot.wrap(RecordSlot.unwrap(slot) + _step(slot, verdict));
        }
    }

    /// @dev The count is above 0 because a group gives this verdict. From its largest it doesn't come down: how many
    /// there were beyond it is not known.
    function decrement(RecordSlot slot, IAttestations.Verdict verdict) internal pure returns (RecordSlot) {
        unchecked {
            return RecordSlot.wrap(RecordSlot.unwrap(slot) - _step(slot, verdict));
        }
    }

    /// @dev One in the verdict's counter, or nothing if that is at its largest.
    function _step(RecordSlot slot, IAttestations.Verdict verdict) private pure returns (uint256) {
        uint256 full = COUNTER_MAX << _shift(verdict);
        return RecordSlot.unwrap(slot) & full == full ? 0 : 1 << _shift(verdict);
    }

    /// @dev verdict is not None: None has no counter.
    function _shift(IAttestations.Verdict verdict) private pure returns (uint256) {
        unchecked {
            return COUNTERS + (uint256(verdict) - 1) * COUNTER_BITS;
        }
    }
}
