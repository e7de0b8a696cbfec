// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IAttestations} from "../../interfaces/IAttestations.sol";
import {IRecords} from "../../interfaces/IRecords.sol";
import {AttestationSlot, AttestationSlotLib} from "../../contracts/types/AttestationSlot.sol";
import {BatchSlot, BatchSlotLib} from "../../contracts/types/BatchSlot.sol";
import {EntrySlot, EntrySlotLib} from "../../contracts/types/EntrySlot.sol";
import {ForeignAttestationSlot, ForeignAttestationSlotLib} from "../../contracts/types/ForeignAttestationSlot.sol";
import {GroupSlot, GroupSlotLib} from "../../contracts/types/GroupSlot.sol";
import {MemberId, memberId, MembershipSlot, MembershipSlotLib} from "../../contracts/types/MembershipSlot.sol";
import {RecordSlot, RecordSlotLib} from "../../contracts/types/RecordSlot.sol";

/// @notice The packed words, for every value of every field and every word whatever.
contract SlotsProof {
    uint256 private constant COUNTER_MAX = (1 << 22) - 1;

    function check_recordSlotRoundTrips(
        uint40 recordedAt,
        uint40 sealedAt,
        uint8 flags,
        uint32 group,
        uint8 kind,
        uint40 retractedAt
    ) public pure {
        RecordSlot slot =
            RecordSlotLib.pack(recordedAt, sealedAt, flags).withKey(group, kind).withRetraction(retractedAt);
        assert(slot.recordedAt() == recordedAt);
        assert(slot.retractedAt() == retractedAt);
        assert(slot.sealedAt() == sealedAt);
        assert(slot.group() == group);
        assert(slot.kind() == kind);
        assert(slot.flags() == flags);
        assert(slot.exists() == (recordedAt != 0));
        assert(RecordSlot.unwrap(slot) >> 168 == 0);
    }

    function check_recordSlotIsMadeOfItsFields(uint256 word) public pure {
        RecordSlot slot = RecordSlot.wrap(word);
        uint256 built = uint256(slot.recordedAt()) | uint256(slot.retractedAt()) << 40 | uint256(slot.sealedAt()) << 80
            | uint256(slot.group()) << 120 | uint256(slot.kind()) << 152 | uint256(slot.flags()) << 160
            | uint256(slot.count(IAttestations.Verdict.Reviewed)) << 168
            | uint256(slot.count(IAttestations.Verdict.Reproduced)) << 190
            | uint256(slot.count(IAttestations.Verdict.NotReproduced)) << 212
            | uint256(slot.count(IAttestations.Verdict.Disputed)) << 234;
        assert(built == word);
    }

    function check_statusSaysWhatTheSlotHolds(uint256 word) public pure {
        RecordSlot slot = RecordSlot.wrap(word);
        IRecords.RecordStatus memory status = slot.status();
        assert(status.recordedAt == slot.recordedAt());
        assert(status.retractedAt == slot.retractedAt());
        assert(status.sealedAt == slot.sealedAt());
        assert(status.group == slot.group());
        assert(status.kind == slot.kind());
        assert(status.flags == slot.flags());
        assert(status.reviewed == slot.count(IAttestations.Verdict.Reviewed));
        assert(status.reproduced == slot.count(IAttestations.Verdict.Reproduced));
        assert(status.notReproduced == slot.count(IAttestations.Verdict.NotReproduced));
        assert(status.disputed == slot.count(IAttestations.Verdict.Disputed));
        assert((status.status == IRecords.Status.Retracted) == (slot.retractedAt() != 0));
        assert(status.status != IRecords.Status.Recorded || slot.exists());
        assert(status.status != IRecords.Status.Cancelled || !slot.exists());
    }

    function check_incrementTouchesOneCounter(uint256 word, IAttestations.Verdict verdict) public pure {
        if (verdict == IAttestations.Verdict.None) return;
        uint256 shift = _shift(verdict);
        uint256 after_ = RecordSlot.unwrap(RecordSlot.wrap(word).increment(verdict));
        assert((after_ ^ word) & ~(COUNTER_MAX << shift) == 0);
        uint256 count = word >> shift & COUNTER_MAX;
        assert(after_ >> shift & COUNTER_MAX == (count == COUNTER_MAX ? count : count + 1));
    }

    /// @dev With a count above 0, which a group that gives this verdict is in.
    function check_decrementTouchesOneCounter(uint256 word, IAttestations.Verdict verdict) public pure {
        if (verdict == IAttestations.Verdict.None) return;
        uint256 shift = _shift(verdict);
        uint256 count = word >> shift & COUNTER_MAX;
        if (count == 0) return;
        uint256 after_ = RecordSlot.unwrap(RecordSlot.wrap(word).decrement(verdict));
        assert((after_ ^ word) & ~(COUNTER_MAX << shift) == 0);
        assert(after_ >> shift & COUNTER_MAX == (count == COUNTER_MAX ? count : count - 1));
    }

    function check_decrementNeverReachesBelowTheCounters(uint256 word, IAttestations.Verdict verdict) public pure {
        if (verdict == IAttestations.Verdict.None) return;
        uint256 after_ = RecordSlot.unwrap(RecordSlot.wrap(word).decrement(verdict));
        assert((after_ ^ word) & ((1 << 168) - 1) == 0);
    }

    function check_flagAndRetractionTouchThemselvesAlone(uint256 word, uint8 flag, uint40 time) public pure {
        RecordSlot slot = RecordSlot.wrap(word);
        uint256 flagged = RecordSlot.unwrap(slot.withFlag(flag));
        assert((flagged ^ word) & ~(uint256(0xff) << 160) == 0);
        assert(RecordSlot.wrap(flagged).flags() == slot.flags() | flag);
        if (slot.retractedAt() != 0) return;
        uint256 retracted = RecordSlot.unwrap(slot.withRetraction(time));
        assert((retracted ^ word) & ~(uint256(type(uint40).max) << 40) == 0);
        assert(RecordSlot.wrap(retracted).retractedAt() == time);
    }

    function check_attestationSlotRoundTrips(
        IAttestations.Verdict verdict,
        bytes32 evidence,
        uint40 attestedAt,
        uint40 sealedAt,
        uint32 version
    ) public pure {
        AttestationSlot slot = AttestationSlotLib.pack(verdict, evidence, attestedAt, sealedAt, version);
        assert(slot.evidence() == uint136(uint256(evidence)));
        assert(slot.standsOn(evidence));
        assert(slot.attestedAt() == attestedAt);
        assert(slot.sealedAt() == sealedAt);
        assert(slot.verdict() == verdict);
        assert(slot.version() == version);
    }

    function check_foreignAttestationSlotRoundTrips(IAttestations.Verdict verdict, uint40 attestedAt, uint32 version)
        public
        pure
    {
        ForeignAttestationSlot slot = ForeignAttestationSlotLib.pack(verdict, attestedAt, version);
        assert(slot.verdict() == verdict);
        assert(slot.attestedAt() == attestedAt);
        assert(slot.version() == version);
        assert(ForeignAttestationSlot.unwrap(slot) >> 80 == 0);
    }

    function check_groupSlotRoundTrips(address owner, uint40 createdAt) public pure {
        GroupSlot slot = GroupSlotLib.pack(owner, createdAt);
        assert(slot.owner() == owner);
        assert(slot.createdAt() == createdAt);
        assert(GroupSlot.unwrap(slot) >> 200 == 0);
    }

    function check_entrySlotRoundTrips(address attester, uint40 sealedAt) public pure {
        EntrySlot slot = EntrySlotLib.pack(attester, sealedAt);
        assert(slot.attester() == attester && slot.exists() == (attester != address(0)));
        assert(slot.sealedAt() == sealedAt);
        assert(!slot.paid() && slot.withPayment().paid());
        assert(slot.withPayment().attester() == attester && slot.withPayment().sealedAt() == sealedAt);
    }

    function check_membershipSlotRoundTrips(uint32 roles, uint40 since, uint40 until, uint32 version) public pure {
        MembershipSlot slot = MembershipSlotLib.pack(roles, since, until, version);
        assert(slot.roles() == roles);
        assert(slot.since() == since);
        assert(slot.until() == until);
        assert(slot.version() == version);
        assert(MembershipSlot.unwrap(slot) >> 144 == 0);
    }

    function check_memberIdIsOfOneMember(uint32 group, address account, uint32 group2, address account2) public pure {
        bool same = MemberId.unwrap(memberId(group, account)) == MemberId.unwrap(memberId(group2, account2));
        assert(same == (group == group2 && account == account2));
    }

    function check_batchSlotRoundTrips(uint40 anchoredAt, uint48 count, bool counted) public pure {
        BatchSlot slot = BatchSlotLib.pack(anchoredAt, count, counted);
        assert(slot.anchoredAt() == anchoredAt);
        assert(slot.count() == count);
        assert(slot.counted() == counted);
        assert(BatchSlot.unwrap(slot) >> 96 == 0);
    }

    function _shift(IAttestations.Verdict verdict) private pure returns (uint256) {
        return 168 + 22 * (uint256(verdict) - 1);
    }
}
