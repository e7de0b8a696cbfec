// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IAttestations} from "../../interfaces/IAttestations.sol";
import {ROLE_REVIEWER} from "../../interfaces/IGroups.sol";
import {Link, RecordKey} from "../../interfaces/IRecords.sol";
import {StructHash} from "../libraries/StructHash.sol";
import {Vocabulary} from "../libraries/Vocabulary.sol";
import {AttestationSlot, AttestationSlotLib} from "../types/AttestationSlot.sol";
import {RecordSlot} from "../types/RecordSlot.sol";
import {Records} from "./Records.sol";

/// @notice Verdicts of groups on other groups' records.
abstract contract Attestations is IAttestations, Records {
    mapping(bytes32 recordId => mapping(uint32 group => AttestationSlot)) private _attestations;

    /// @inheritdoc IAttestations
    function attest(uint32 group, bytes32 recordId, Verdict verdict) external {
        _requireNoneNeeded(verdict);
        _attest(group, msg.sender, recordId, verdict, 0, _attestations[recordId][group], 0);
    }

    /// @inheritdoc IAttestations
    function attestWithEvidence(uint32 group, bytes32 recordId, Verdict verdict, RecordKey calldata evidence) external {
        bytes32 evidenceId = _requireEvidence(group, recordId, verdict, evidence);
        _attest(group, msg.sender, recordId, verdict, evidenceId, _attestations[recordId][group], 0);
    }

    /// @inheritdoc IAttestations
    function attestBySig(
        uint32 group,
        address attester,
        bytes32 recordId,
        Verdict verdict,
        uint40 deadline,
        bytes calldata signature
    ) external {
        _requireNoneNeeded(verdict);
        _attestBySig(group, attester, recordId, verdict, 0, deadline, signature);
    }

    /// @inheritdoc IAttestations
    function attestWithEvidenceBySig(
        uint32 group,
        address attester,
        bytes32 recordId,
        Verdict verdict,
        RecordKey calldata evidence,
        uint40 deadline,
        bytes calldata signature
    ) external {
        bytes32 evidenceId = _requireEvidence(group, recordId, verdict, evidence);
        _attestBySig(group, attester, recordId, verdict, evidenceId, deadline, signature);
    }

    /// @inheritdoc IAttestations
    function withdraw(uint32 group, bytes32 recordId) external {
        _requireRole(group, msg.sender, ROLE_REVIEWER);
        _withdraw(group, recordId, _attestations[recordId][group]);
    }

    /// @inheritdoc IAttestations
    function verdictOf(uint32 group, bytes32 recordId) external view returns (Attestation memory) {
        AttestationSlot slot = _attestations[recordId][group];
        return Attestation(slot.verdict(), slot.evidence(), slot.attestedAt(), slot.sealedAt(), slot.version());
    }

    /// @inheritdoc Records
    function _withdrawVerdictsOn(bytes32 evidenceId, RecordKey calldata evidence) internal override {
        for (uint256 i = 0; i < evidence.parents.length; ++i) {
            Link calldata link = evidence.parents[i];
            if (link.relation != Vocabulary.RELATION_REPRODUCES) continue;
            AttestationSlot current = _attestations[link.parent][evidence.group];
            if (_needsEvidence(current.verdict()) && current.standsOn(evidenceId)) {
                _withdraw(evidence.group, link.parent, current);
            }
        }
    }

    /// @dev The caller's verdict, from a seal. The caller of this function has checked the evidence.
    function _attestSealed(uint32 group, bytes32 recordId, Verdict verdict, bytes32 evidenceId, uint40 sealedAt_)
        internal
    {
        _attest(group, msg.sender, recordId, verdict, evidenceId, _attestations[recordId][group], sealedAt_);
    }

    function _attestBySig(
        uint32 group,
        address attester,
        bytes32 recordId,
        Verdict verdict,
        bytes32 evidenceId,
        uint40 deadline,
        bytes calldata signature
    ) private {
        AttestationSlot current = _attestations[recordId][group];
        bytes32 structHash = StructHash.attestationAuthorization(
            group, attester, recordId, uint8(verdict), evidenceId, current.version(), deadline
        );
        _requireSignature(attester, structHash, deadline, signature);
        _attest(group, attester, recordId, verdict, evidenceId, current, 0);
    }

    function _attest(
        uint32 group,
        address attester,
        bytes32 recordId,
        Verdict verdict,
        bytes32 evidenceId,
        AttestationSlot current,
        uint40 sealedAt_
    ) private {
        _requireRole(group, attester, ROLE_REVIEWER);
        RecordSlot slot = _requireRecord(recordId);
        if (slot.group() == group) revert OwnRecord(group, recordId);
        if (verdict == Verdict.None) revert InvalidVerdict(verdict);

        uint32 version = current.nextVersion();
        if (current.verdict() != Verdict.None) slot = slot.decrement(current.verdict());
        _records[recordId] = slot.increment(verdict);
        _attestations[recordId][group] =
            AttestationSlotLib.pack(verdict, evidenceId, uint40(block.timestamp), sealedAt_, version);
        emit Attested(group, attester, recordId, verdict, evidenceId, version);
    }

    function _withdraw(uint32 group, bytes32 recordId, AttestationSlot current) private {
        Verdict verdict = current.verdict();
        uint32 version = current.lastVersion();
        RecordSlot slot = _requireRecord(recordId);
        if (verdict != Verdict.None) _records[recordId] = slot.decrement(verdict);
        _attestations[recordId][group] = AttestationSlotLib.pack(Verdict.None, 0, 0, 0, version);
        emit VerdictWithdrawn(group, msg.sender, recordId, verdict, version);
    }

    /// @dev Returns the evidence's id. A record naming another as its parent was stored after it.
    function _requireEvidence(uint32 group, bytes32 recordId, Verdict verdict, RecordKey calldata evidence)
        internal
        view
        returns (bytes32 id)
    {
        id = idOf(evidence);
        RecordSlot slot = _records[id];
        if (!slot.exists()) revert EvidenceUnusable(id, EvidenceFault.NotRecorded);
        if (slot.retractedAt() != 0) revert EvidenceUnusable(id, EvidenceFault.Retracted);
        if (slot.group() != group) revert EvidenceUnusable(id, EvidenceFault.OtherGroup);
        if (!_needsEvidence(verdict)) return id;
        if (slot.kind() != Vocabulary.KIND_RUN) revert EvidenceUnusable(id, EvidenceFault.NotARun);
        if (!_hasLink(evidence.parents, recordId, Vocabulary.RELATION_REPRODUCES)) {
            revert EvidenceUnusable(id, EvidenceFault.NotLinked);
        }
    }

    function _requireNoneNeeded(Verdict verdict) internal pure {
        if (_needsEvidence(verdict)) revert EvidenceRequired(verdict);
    }

    function _needsEvidence(Verdict verdict) internal pure returns (bool) {
        return verdict == Verdict.Reproduced || verdict == Verdict.NotReproduced;
    }
}
