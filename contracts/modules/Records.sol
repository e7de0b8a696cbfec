// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";

import {ROLE_MAINTAINER, ROLE_RECORDER} from "../../interfaces/IGroups.sol";
import {IRecords, Link, RecordKey} from "../../interfaces/IRecords.sol";
import {StructHash} from "../libraries/StructHash.sol";
import {Vocabulary} from "../libraries/Vocabulary.sol";
import {RecordSlot, RecordSlotLib} from "../types/RecordSlot.sol";
import {Groups} from "./Groups.sol";

/// @notice Records: written once, retracted at most once.
abstract contract Records is IRecords, Groups {
    uint256 private constant MAX_PARENTS = 1024;

    /// @dev The domain separator of the chain id at deployment. Ids keep it where a chain splits and takes another id,
    /// so that what was stored, sealed and anchored before is still reached by its key; signatures follow the chain id.
    bytes32 private immutable _idDomain;

    mapping(bytes32 id => RecordSlot) internal _records;

    constructor() {
        _idDomain = _domainSeparatorV4();
    }

    /// @inheritdoc IRecords
    function record(RecordKey calldata key) external returns (bytes32 id) {
        _requireAuthor(key);
        Link[] calldata parents = key.parents;
        id = _idFrom(StructHash.hash(key, parents));
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
            bytes32 id = _idFrom(StructHash.hash(key, parents));
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
        id = _idFrom(structHash);
        RecordSlot slot = _requireAbsent(id);
        if (slot.has(RecordSlotLib.FLAG_CANCELLED)) revert RecordIsCancelled(id);
        address author = key.author;
        _requireSignature(author, StructHash.recordAuthorization(structHash, deadline), deadline, signature);
        _record(id, key, parents, author, 0);
    }

    /// @inheritdoc IRecords
    function cancel(RecordKey calldata key) external returns (bytes32 id) {
        id = idOf(key);
        RecordSlot slot = _requireAbsent(id);
        _requireMayDisown(key.group, key.author);
        _records[id] = slot.withFlag(RecordSlotLib.FLAG_CANCELLED);
        emit RecordCancelled(key.group, msg.sender, id);
    }

    /// @inheritdoc IRecords
    function retract(RecordKey calldata key, bytes32 reason) external returns (bytes32 id) {
        id = idOf(key);
        RecordSlot slot = _requireRecord(id);
        if (slot.retractedAt() != 0) revert AlreadyRetracted(id, slot.retractedAt());
        _requireMayDisown(key.group, key.author);

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
        return _idFrom(StructHash.hash(key, key.parents));
    }

    /// @param structHash EIP-712's hashStruct of the key
    function _idFrom(bytes32 structHash) internal view returns (bytes32) {
        return MessageHashUtils.toTypedDataHash(_idDomain, structHash);
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

    /// @dev Who retracts and cancels the records of an author, and ends the author's batches.
    function _requireMayDisown(uint32 group, address author) internal view {
        _requireRole(group, msg.sender, msg.sender == author ? ROLE_MAINTAINER | ROLE_RECORDER : ROLE_MAINTAINER);
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
