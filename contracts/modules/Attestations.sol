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
    function attest(bytes32 recordId, uint32 group, Verdict verdict) external {
        if (_needsEvidence(verdict)) revert EvidenceRequired(verdict);
        _attest(recordId, group, verdict, 0, msg.sender, _attestations[recordId][group], 0);
    }

    /// @inheritdoc IAttestations
    function attest(bytes32 recordId, uint32 group, Verdict verdict, RecordKey calldata evidence) external {
        bytes32 evidenceId = _requireEvidence(recordId, group, verdict, evidence);
        _attest(recordId, group, verdict, evidenceId, msg.sender, _attestations[recordId][group], 0);
    }

    /// @inheritdoc IAttestations
    function attestBySig(
        bytes32 recordId,
        uint32 group,
        Verdict verdict,
        RecordKey calldata evidence,
        address attester,
        uint40 deadline,
        bytes calldata signature
    ) external {
        bytes32 evidenceId = _evidenceOrNone(recordId, group, verdict, evidence);
        AttestationSlot current = _attestations[recordId][group];
        bytes32 structHash = StructHash.attestationAuthorization(
            recordId, group, uint8(verdict), evidenceId, attester, current.version(), deadline
        );
        _requireSignature(attester, structHash, deadline, signature);
        _attest(recordId, group, verdict, evidenceId, attester, current, 0);
    }

    /// @inheritdoc IAttestations
    function withdraw(bytes32 recordId, uint32 group) external {
        _requireRole(group, msg.sender, ROLE_REVIEWER);
        _withdraw(recordId, group, _attestations[recordId][group]);
    }

    /// @inheritdoc IAttestations
    function verdictOf(bytes32 recordId, uint32 group) external view returns (Attestation memory) {
        AttestationSlot slot = _attestations[recordId][group];
        return Attestation(slot.evidence(), slot.attestedAt(), slot.sealedAt(), slot.verdict(), slot.version());
    }

    /// @inheritdoc Records
    function _withdrawVerdictsOn(bytes32 evidenceId, RecordKey calldata evidence) internal override {
        for (uint256 i = 0; i < evidence.parents.length; ++i) {
            Link calldata link = evidence.parents[i];
            if (link.relation != Vocabulary.RELATION_REPRODUCES) continue;
            AttestationSlot current = _attestations[link.parent][evidence.group];
            if (_needsEvidence(current.verdict()) && current.standsOn(evidenceId)) {
                _withdraw(link.parent, evidence.group, current);
            }
        }
    }

    /// @dev The verdict of the caller, from a seal.
    function _attestSealed(
        bytes32 recordId,
        uint32 group,
        Verdict verdict,
        RecordKey calldata evidence,
        uint40 sealedAt_
    ) internal {
        bytes32 evidenceId = _evidenceOrNone(recordId, group, verdict, evidence);
        _attest(recordId, group, verdict, evidenceId, msg.sender, _attestations[recordId][group], sealedAt_);
    }

    function _attest(
        bytes32 recordId,
        uint32 group,
        Verdict verdict,
        bytes32 evidenceId,
        address attester,
        AttestationSlot current,
        uint40 sealedAt_
    ) private {
        _requireRole(group, attester, ROLE_REVIEWER);
        RecordSlot slot = _requireRecord(recordId);
        if (slot.group() == group) revert OwnRecord(recordId, group);
        if (verdict == Verdict.None) revert InvalidVerdict(verdict);

        uint32 version = current.nextVersion();
        if (current.verdict() != Verdict.None) slot = slot.decrement(current.verdict());
        _records[recordId] = slot.increment(verdict);
        _attestations[recordId][group] =
            AttestationSlotLib.pack(evidenceId, uint40(block.timestamp), sealedAt_, verdict, version);
        emit Attested(recordId, group, attester, verdict, evidenceId, version);
    }

    function _withdraw(bytes32 recordId, uint32 group, AttestationSlot current) private {
        Verdict verdict = current.verdict();
        uint32 version = current.nextVersion();
        RecordSlot slot = _requireRecord(recordId);
        if (verdict != Verdict.None) _records[recordId] = slot.decrement(verdict);
        _attestations[recordId][group] = AttestationSlotLib.pack(0, 0, 0, Verdict.None, version);
        emit VerdictWithdrawn(recordId, group, msg.sender, verdict, version);
    }

    /// @dev The evidence's id, or zero for a key whose group is 0.
    function _evidenceOrNone(bytes32 recordId, uint32 group, Verdict verdict, RecordKey calldata evidence)
        private
        view
        returns (bytes32)
    {
        if (evidence.group != 0) return _requireEvidence(recordId, group, verdict, evidence);
        if (_needsEvidence(verdict)) revert EvidenceRequired(verdict);
        return 0;
    }

    /// @dev Returns the evidence's id. A record naming another as its parent was stored after it.
    function _requireEvidence(bytes32 recordId, uint32 group, Verdict verdict, RecordKey calldata evidence)
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

    function _needsEvidence(Verdict verdict) internal pure returns (bool) {
        return verdict == Verdict.Reproduced || verdict == Verdict.NotReproduced;
    }
}
