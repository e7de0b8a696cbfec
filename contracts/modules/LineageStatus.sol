// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ILineage} from "../../interfaces/ILineage.sol";
import {Link, RecordKey} from "../../interfaces/IRecords.sol";
import {Vocabulary} from "../libraries/Vocabulary.sol";
import {RecordSlot} from "../types/RecordSlot.sol";
import {Records} from "./Records.sol";

/// @notice What a record rests on. Nothing is followed: the caller brings the whole path, and it is checked.
abstract contract LineageStatus is ILineage, Records {
    /// @inheritdoc ILineage
    function lineageStatus(RecordKey[] calldata path) external view returns (Lineage lineage, bytes32 culprit) {
        bytes32[] memory ids = new bytes32[](path.length);
        if (path.length == 0) lineage = Lineage.Incomplete;
        for (uint256 i = 0; i < path.length; ++i) {
            bytes32 id = idOf(path[i]);
            Lineage found = _lineageOf(id, path[i].parents, ids, i);
            if (found > lineage) (lineage, culprit) = (found, id);
            ids[i] = id;
        }
    }

    /// @param before the ids of the keys before this one, `count` of them
    function _lineageOf(bytes32 id, Link[] calldata parents, bytes32[] memory before, uint256 count)
        private
        view
        returns (Lineage)
    {
        RecordSlot slot = _records[id];
        if (slot.retractedAt() != 0) return Lineage.Retracted;
        if (!slot.exists()) return Lineage.Incomplete;
        for (uint256 i = 0; i < parents.length; ++i) {
            if (!_isAmong(parents[i].parent, before, count)) return Lineage.Incomplete;
        }
        return slot.kind() == Vocabulary.KIND_REFERENCE ? Lineage.Foreign : Lineage.Clean;
    }

    function _isAmong(bytes32 id, bytes32[] memory ids, uint256 count) private pure returns (bool) {
        for (uint256 i = 0; i < count; ++i) {
            if (ids[i] == id) return true;
        }
        return false;
    }
}
