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
    function seal(bytes32 commitment, uint32 group) external {
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
    function revealVerdict(bytes32 recordId, uint32 group, Verdict verdict, RecordKey calldata evidence, bytes32 salt)
        external
    {
        bytes32 evidenceId = evidence.group == 0 ? bytes32(0) : idOf(evidence);
        bytes32 commitment = StructHash.verdictCommitment(recordId, group, uint8(verdict), evidenceId, msg.sender, salt);
        uint40 time = _requireSeal(group, commitment);
        if (evidenceId != 0 && !_records[evidenceId].exists()) {
            _requireAuthor(evidence);
            _recordSealed(evidenceId, evidence, commitment, time);
        }
        _attestSealed(recordId, group, verdict, evidence, time);
        emit VerdictRevealed(recordId, group, commitment, time);
    }

    /// @inheritdoc ISeals
    function sealedAt(uint32 group, address author, bytes32 commitment) public view returns (uint40) {
        return uint40(_sealedAt[memberId(group, author)][commitment]);
    }

    function _recordSealed(bytes32 id, RecordKey calldata key, bytes32 commitment, uint40 time) private {
        _record(id, key, key.parents, msg.sender, time);
        emit Revealed(id, commitment, time);
    }

    function _requireSeal(uint32 group, bytes32 commitment) private view returns (uint40 time) {
        time = sealedAt(group, msg.sender, commitment);
        if (time == 0) revert NotSealed(group, msg.sender, commitment);
    }
}
