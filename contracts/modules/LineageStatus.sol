// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {ILineage} from "../../interfaces/ILineage.sol";
import {Link, RecordKey} from "../../interfaces/IRecords.sol";
import {StructHash} from "../libraries/StructHash.sol";
import {Vocabulary} from "../libraries/Vocabulary.sol";
import {RecordSlot} from "../types/RecordSlot.sol";
import {Records} from "./Records.sol";

/// @notice What a record rests on. Nothing is followed or searched: the caller brings the whole path and says where in
/// it each parent is, and that is checked. The cost grows with the path and its parents, whatever their ids.
abstract contract LineageStatus is ILineage, Records {
    /// @inheritdoc ILineage
    function lineageStatus(RecordKey[] calldata path, uint256[] calldata places)
        external
        view
        returns (Lineage lineage, bytes32 culprit)
    {
        if (path.length == 0) lineage = Lineage.Incomplete;
        bytes32[] memory ids = new bytes32[](path.length);
        for (uint256 i = 0; i < path.length; ++i) {
            RecordKey calldata key = path[i];
            Link[] calldata parents = key.parents;
            bytes32 id = _idFrom(StructHash.hash(key, parents));
            Lineage found = _lineageOf(id, parents, ids, places);
            if (found > lineage) (lineage, culprit) = (found, id);
            ids[i] = id;
            // a place that was not given is read as one beyond the path
            places = places[Math.min(parents.length, places.length):];
        }
    }

    /// @dev A place not filled yet holds 0, which is no record's parent: only keys before this one are found.
    /// @param ids of the keys before this one, each at its place
    /// @param places for each parent, where its id is; those of later keys follow
    function _lineageOf(bytes32 id, Link[] calldata parents, bytes32[] memory ids, uint256[] calldata places)
        private
        view
        returns (Lineage)
    {
        RecordSlot slot = _records[id];
        if (slot.retractedAt() != 0) return Lineage.Retracted;
        if (!slot.exists() || parents.length > places.length) return Lineage.Incomplete;
        for (uint256 i = 0; i < parents.length; ++i) {
            // what this record judges, repeats or replaces: whether that stands changes nothing here
            if (Vocabulary.isAbout(parents[i].relation)) continue;
            uint256 place = places[i];
            if (place >= ids.length || ids[place] != parents[i].parent) return Lineage.Incomplete;
        }
        return slot.kind() == Vocabulary.KIND_REFERENCE ? Lineage.Foreign : Lineage.Clean;
    }
}
