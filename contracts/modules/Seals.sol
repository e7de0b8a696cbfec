// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ROLE_RECORDER, ROLE_REVIEWER} from "../../interfaces/IGroups.sol";
import {RecordKey} from "../../interfaces/IRecords.sol";
import {ISeals} from "../../interfaces/ISeals.sol";
import {StructHash} from "../libraries/StructHash.sol";
import {MemberId, memberId} from "../types/MembershipSlot.sol";
import {Attestations} from "./Attestations.sol";

/// @notice What was committed to before it was shown: sealed records and blind verdicts.
abstract contract Seals is ISeals, Attestations {
    mapping(MemberId author => mapping(bytes32 commitment => uint256)) private _sealedAt;

    /// @inheritdoc ISeals
    function seal(uint32 group, bytes32 commitment) external {
        _requireRole(group, msg.sender, ROLE_RECORDER | ROLE_REVIEWER);
        mapping(bytes32 commitment => uint256) storage seals = _sealedAt[memberId(group, msg.sender)];
        uint256 time = seals[commitment];
        if (time != 0) revert AlreadySealed(commitment, uint40(time));
        seals[commitment] = block.timestamp;
        emit Sealed(group, msg.sender, commitment);
    }

    /// @inheritdoc ISeals
    function reveal(RecordKey calldata key, bytes32 salt) external returns (bytes32 id) {
        _requireAuthor(key);
        id = idOf(key);
        _requireAbsent(id);
        bytes32 commitment = StructHash.recordCommitment(id, salt);
        _recordSealed(id, key, commitment, _requireSeal(key.group, commitment));
    }

    /// @inheritdoc ISeals
    function revealVerdict(uint32 group, bytes32 recordId, Verdict verdict, bytes32 salt) external {
        (bytes32 commitment, uint40 time) = _requireVerdictSeal(group, recordId, verdict, 0, salt);
        _requireNoneNeeded(verdict);
        _revealVerdict(group, recordId, verdict, 0, commitment, time);
    }

    /// @inheritdoc ISeals
    function revealVerdictWithEvidence(
        uint32 group,
        bytes32 recordId,
        Verdict verdict,
        RecordKey calldata evidence,
        bytes32 salt
    ) external {
        bytes32 evidenceId = idOf(evidence);
        (bytes32 commitment, uint40 time) = _requireVerdictSeal(group, recordId, verdict, evidenceId, salt);
        if (!_records[evidenceId].exists()) {
            _requireAuthor(evidence);
            _recordSealed(evidenceId, evidence, commitment, time);
        }
        _requireEvidence(group, recordId, verdict, evidence);
        _revealVerdict(group, recordId, verdict, evidenceId, commitment, time);
    }

    /// @inheritdoc ISeals
    function sealedAt(uint32 group, address author, bytes32 commitment) public view returns (uint40) {
        return uint40(_sealedAt[memberId(group, author)][commitment]);
    }

    function _recordSealed(bytes32 id, RecordKey calldata key, bytes32 commitment, uint40 time) private {
        _record(id, key, key.parents, msg.sender, time);
        emit Revealed(id, commitment, time);
    }

    function _revealVerdict(
        uint32 group,
        bytes32 recordId,
        Verdict verdict,
        bytes32 evidenceId,
        bytes32 commitment,
        uint40 time
    ) private {
        _attestSealed(group, recordId, verdict, evidenceId, time);
        emit VerdictRevealed(group, recordId, commitment, time);
    }

    function _requireVerdictSeal(uint32 group, bytes32 recordId, Verdict verdict, bytes32 evidenceId, bytes32 salt)
        private
        view
        returns (bytes32 commitment, uint40 time)
    {
        commitment = StructHash.verdictCommitment(group, msg.sender, recordId, uint8(verdict), evidenceId, salt);
        time = _requireSeal(group, commitment);
    }

    function _requireSeal(uint32 group, bytes32 commitment) private view returns (uint40 time) {
        time = sealedAt(group, msg.sender, commitment);
        if (time == 0) revert NotSealed(group, msg.sender, commitment);
    }
}
