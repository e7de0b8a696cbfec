// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IBatches} from "../../interfaces/IBatches.sol";
import {ROLE_RECORDER} from "../../interfaces/IGroups.sol";
import {RecordKey} from "../../interfaces/IRecords.sol";
import {MerkleTree} from "../libraries/MerkleTree.sol";
import {BatchSlot, BatchSlotLib} from "../types/BatchSlot.sol";
import {MemberId, memberId} from "../types/MembershipSlot.sol";
import {RecordSlot, RecordSlotLib} from "../types/RecordSlot.sol";
import {Records} from "./Records.sol";

/// @notice Many records under one Merkle root, stored one by one when they are needed.
abstract contract Batches is IBatches, Records {
    mapping(MemberId author => mapping(bytes32 root => BatchSlot)) private _batches;

    /// @inheritdoc IBatches
    function anchor(uint32 group, bytes32 root, uint48 declaredCount, bytes32 manifest) external {
        if (declaredCount == 0) revert EmptyBatch();
        _anchor(group, root, declaredCount, false);
        emit Anchored(group, msg.sender, root, declaredCount, manifest);
    }

    /// @inheritdoc IBatches
    function anchorLeaves(uint32 group, bytes32[] calldata ids) external returns (bytes32 root) {
        if (ids.length == 0) revert EmptyBatch();
        bytes32[] memory nodes = new bytes32[](2 * ids.length - 1);
        bytes32 last;
        for (uint256 i = 0; i < ids.length; ++i) {
            bytes32 id = ids[i];
            if (id <= last) revert IdsNotAscending(i);
            last = id;
            nodes[i] = MerkleTree.leaf(id);
        }
        root = MerkleTree.root(nodes);
        _anchor(group, root, uint48(ids.length), true);
        emit LeavesAnchored(group, msg.sender, root, uint48(ids.length));
    }

    /// @inheritdoc IBatches
    function endBatch(uint32 group, address author, bytes32 root) external {
        _requireMayDisown(group, author);
        BatchSlot batch = _requireOpenBatch(group, author, root);
        _batches[memberId(group, author)][root] = batch.withEnd(uint40(block.timestamp));
        emit BatchEnded(group, msg.sender, author, root);
    }

    /// @inheritdoc IBatches
    function materialize(RecordKey calldata key, bytes32 root, bytes32[] calldata proof) external returns (bytes32 id) {
        id = idOf(key);
        RecordSlot slot = _requireAbsent(id);
        if (slot.has(RecordSlotLib.FLAG_CANCELLED)) revert RecordIsCancelled(id);
        // found by the key's own group and author: nobody's batch holds a record of somebody else
        uint40 time = _requireOpenBatch(key.group, key.author, root).anchoredAt();
        if (!_isUnder(root, id, proof)) revert NotInBatch(id, root);
        _store(id, key, key.parents, key.group, key.author, RecordSlotLib.pack(time, 0, RecordSlotLib.FLAG_BATCHED));
        emit Materialized(id, root, time);
    }

    /// @inheritdoc IBatches
    function batchedAt(uint32 group, address author, bytes32 id, bytes32 root, bytes32[] calldata proof)
        external
        view
        returns (uint40 anchoredAt, uint40 endedAt)
    {
        if (!_isUnder(root, id, proof)) return (0, 0);
        BatchSlot batch = _batches[memberId(group, author)][root];
        return (batch.anchoredAt(), batch.endedAt());
    }

    /// @inheritdoc IBatches
    function batchOf(uint32 group, address author, bytes32 root)
        external
        view
        returns (uint40 anchoredAt, uint48 count, bool counted, uint40 endedAt)
    {
        BatchSlot batch = _batches[memberId(group, author)][root];
        return (batch.anchoredAt(), batch.count(), batch.counted(), batch.endedAt());
    }

    function _anchor(uint32 group, bytes32 root, uint48 count, bool counted) private {
        _requireRole(group, msg.sender, ROLE_RECORDER);
        mapping(bytes32 root => BatchSlot) storage batches = _batches[memberId(group, msg.sender)];
        uint40 time = batches[root].anchoredAt();
        if (time != 0) revert BatchExists(root, time);
        batches[root] = BatchSlotLib.pack(uint40(block.timestamp), count, counted);
    }

    function _requireOpenBatch(uint32 group, address author, bytes32 root) private view returns (BatchSlot batch) {
        batch = _batches[memberId(group, author)][root];
        if (batch.anchoredAt() == 0) revert UnknownBatch(group, author, root);
        if (batch.endedAt() != 0) revert BatchHasEnded(root, batch.endedAt());
    }

    function _isUnder(bytes32 root, bytes32 id, bytes32[] calldata proof) private pure returns (bool) {
        return MerkleTree.isUnder(root, MerkleTree.leaf(id), proof);
    }
}
