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
        if (path.length == 0) lineage = Lineage.Incomplete;
        // half of it stays free, so that looking up an id takes a few steps however long the path is
        bytes32[] memory seen = new bytes32[](2 * path.length);
        for (uint256 i = 0; i < path.length; ++i) {
            bytes32 id = idOf(path[i]);
            Lineage found = _lineageOf(id, path[i].parents, seen);
            if (found > lineage) (lineage, culprit) = (found, id);
            seen[_placeOf(id, seen)] = id;
        }
    }

    /// @dev A stored record has no parent 0, which would look like a free place.
    /// @param seen the ids of the keys before this one
    function _lineageOf(bytes32 id, Link[] calldata parents, bytes32[] memory seen) private view returns (Lineage) {
        RecordSlot slot = _records[id];
        if (slot.retractedAt() != 0) return Lineage.Retracted;
        if (!slot.exists()) return Lineage.Incomplete;
        for (uint256 i = 0; i < parents.length; ++i) {
            bytes32 parent = parents[i].parent;
            if (seen[_placeOf(parent, seen)] != parent) return Lineage.Incomplete;
        }
        return slot.kind() == Vocabulary.KIND_REFERENCE ? Lineage.Foreign : Lineage.Clean;
    }

    /// @dev A hash table with linear probing: where the id is, or else the free place where it belongs. Ids are hashes.
    function _placeOf(bytes32 id, bytes32[] memory seen) private pure returns (uint256 place) {
        place = uint256(id) % seen.length;
        while (seen[place] != 0 && seen[place] != id) {
            place = (place + 1) % seen.length;
        }
    }
}
