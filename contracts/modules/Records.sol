// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ROLE_MAINTAINER, ROLE_RECORDER} from "../../interfaces/IGroups.sol";
import {IRecords, Link, RecordKey} from "../../interfaces/IRecords.sol";
import {StructHash} from "../libraries/StructHash.sol";
import {Vocabulary} from "../libraries/Vocabulary.sol";
import {RecordSlot, RecordSlotLib} from "../types/RecordSlot.sol";
import {Groups} from "./Groups.sol";

/// @notice Records: written once, retracted at most once.
abstract contract Records is IRecords, Groups {
    uint256 private constant MAX_PARENTS = 1024;

    mapping(bytes32 id => RecordSlot) internal _records;

    /// @inheritdoc IRecords
    function record(RecordKey calldata key) external returns (bytes32 id) {
        _requireAuthor(key);
        Link[] calldata parents = key.parents;
        id = _hashTypedDataV4(StructHash.hash(key, parents));
        // what _requireAbsent does, without the 31 gas of calling it
        RecordSlot slot = _records[id];
        if (slot.exists()) revert RecordExists(id, slot.recordedAt());
        _record(id, key, parents, msg.sender, 0);
    }

    /// @inheritdoc IRecords
    function recordMany(RecordKey[] calldata keys) external returns (bytes32[] memory ids) {
        ids = new bytes32[](keys.length);
        for (uint256 i = 0; i < keys.length; ++i) {
            RecordKey calldata key = keys[i];
            _requireAuthor(key);
            Link[] calldata parents = key.parents;
            bytes32 id = _hashTypedDataV4(StructHash.hash(key, parents));
            ids[i] = id;
            if (!_records[id].exists()) _record(id, key, parents, msg.sender, 0);
        }
    }

    /// @inheritdoc IRecords
    function recordBySig(RecordKey calldata key, uint40 deadline, bytes calldata signature)
        external
        returns (bytes32 id)
    {
        Link[] calldata parents = key.parents;
        bytes32 structHash = StructHash.hash(key, parents);
        id = _hashTypedDataV4(structHash);
        RecordSlot slot = _requireAbsent(id);
        if (slot.has(RecordSlotLib.FLAG_CANCELLED)) revert RecordIsCancelled(id);
        address author = key.author;
        _requireSignature(author, StructHash.recordAuthorization(structHash, deadline), deadline, signature);
        _record(id, key, parents, author, 0);
    }

    /// @inheritdoc IRecords
    function cancel(RecordKey calldata key) external returns (bytes32 id) {
        _requireAuthor(key);
        id = idOf(key);
        RecordSlot slot = _requireAbsent(id);
        _records[id] = slot.withFlag(RecordSlotLib.FLAG_CANCELLED);
        emit RecordCancelled(key.author, id);
    }

    /// @inheritdoc IRecords
    function retract(RecordKey calldata key, bytes32 reason) external returns (bytes32 id) {
        id = idOf(key);
        RecordSlot slot = _requireRecord(id);
        if (slot.retractedAt() != 0) revert AlreadyRetracted(id, slot.retractedAt());
        bool byAuthor = msg.sender == key.author && _hasRole(key.group, msg.sender, ROLE_RECORDER);
        if (!byAuthor && !_hasRole(key.group, msg.sender, ROLE_MAINTAINER)) revert NotAllowedToRetract(id, msg.sender);

        _records[id] = slot.withRetraction(uint40(block.timestamp));
        emit Retracted(key.group, msg.sender, id, reason);
        if (key.kind == Vocabulary.KIND_RUN) _withdrawVerdictsOn(id, key);
    }

    /// @inheritdoc IRecords
    function statusOf(bytes32 id) public view returns (RecordStatus memory) {
        return _records[id].status();
    }

    /// @inheritdoc IRecords
    function statusOfRecords(bytes32[] calldata ids) external view returns (RecordStatus[] memory statuses) {
        statuses = new RecordStatus[](ids.length);
        for (uint256 i = 0; i < ids.length; ++i) {
            statuses[i] = statusOf(ids[i]);
        }
    }

    /// @inheritdoc IRecords
    function isParent(RecordKey calldata key, bytes32 parent, uint8 relation) external view returns (bool) {
        return _records[idOf(key)].exists() && _hasLink(key.parents, parent, relation);
    }

    /// @inheritdoc IRecords
    function idOf(RecordKey calldata key) public view returns (bytes32) {
        return _hashTypedDataV4(StructHash.hash(key, key.parents));
    }

    /// @dev Takes back what its group said on the strength of a Run that is now retracted.
    function _withdrawVerdictsOn(bytes32 evidenceId, RecordKey calldata evidence) internal virtual;

    /// @dev Stores a record as of now. The caller has checked that it isn't stored and that `author`, the key's,
    /// consents.
    /// @param sealedAt_ when it was sealed, 0 if it was not
    function _record(bytes32 id, RecordKey calldata key, Link[] calldata parents, address author, uint40 sealedAt_)
        internal
    {
        uint32 group = key.group;
        _requireRole(group, author, ROLE_RECORDER);
        _store(id, key, parents, group, author, RecordSlotLib.pack(uint40(block.timestamp), sealedAt_, 0));
    }

    /// @dev The one place where a record is written. The caller has checked that it isn't stored, that its author
    /// consents to it and was a RECORDER at that time.
    /// @param slot its times and flags
    function _store(
        bytes32 id,
        RecordKey calldata key,
        Link[] calldata parents,
        uint32 group,
        address author,
        RecordSlot slot
    ) internal {
        (uint8 kind, uint8 subjectType) = (key.kind, key.subjectType);
        if (!Vocabulary.isKind(kind)) revert InvalidKind(kind);
        if (!Vocabulary.isSubjectType(subjectType)) revert InvalidSubjectType(subjectType);
        // most records have none: the check saves them 61 gas
        if (parents.length != 0) _requireParents(parents, slot.recordedAt());

        _records[id] = slot.withKey(group, kind);
        emit Recorded(group, author, id, subjectType, key.subject, kind, key.manifest, parents);
    }

    function _requireAbsent(bytes32 id) internal view returns (RecordSlot slot) {
        slot = _records[id];
        if (slot.exists()) revert RecordExists(id, slot.recordedAt());
    }

    function _requireRecord(bytes32 id) internal view returns (RecordSlot slot) {
        slot = _records[id];
        if (!slot.exists()) revert UnknownRecord(id);
    }

    function _hasLink(Link[] calldata links, bytes32 parent, uint8 relation) internal pure returns (bool) {
        for (uint256 i = 0; i < links.length; ++i) {
            if (links[i].parent == parent && links[i].relation == relation) return true;
        }
        return false;
    }

    function _requireAuthor(RecordKey calldata key) internal view {
        if (key.author != msg.sender) revert NotAuthor(key.author, msg.sender);
    }

    /// @dev Strictly ascending, so that one lineage has one key; recorded before, so that time follows lineage.
    function _requireParents(Link[] calldata parents, uint40 recordedAt) private view {
        if (parents.length > MAX_PARENTS) revert TooManyParents(parents.length, MAX_PARENTS);
        bytes32 lastParent;
        uint8 lastRelation;
        for (uint256 i = 0; i < parents.length; ++i) {
            Link calldata link = parents[i];
            (bytes32 parent, uint8 relation) = (link.parent, link.relation);
            if (!Vocabulary.isRelation(relation)) revert InvalidRelation(relation);
            // the first comparison decides for all but wrong and equal ones
            if (parent <= lastParent && (parent < lastParent || relation <= lastRelation)) {
                revert ParentsNotAscending(i);
            }
            uint40 time = _records[parent].recordedAt();
            if (time == 0) revert UnknownParent(parent);
            if (time > recordedAt) revert ParentRecordedLater(parent, time, recordedAt);
            (lastParent, lastRelation) = (parent, relation);
        }
    }
}
