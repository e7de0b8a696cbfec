// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {RecordKey} from "./IRecords.sol";

/// @title Lineage: what a record rests on
interface ILineage {
    /// @notice Clean: every record stands, and every parent of every one of them is among them. Foreign: the same, but
    /// a Reference is among them, whose own lineage is in another registry. Incomplete: a record is not stored, or a
    /// parent is not given before its child, at the place that was named for it, or no record was given. Retracted: one
    /// of them is retracted.
    enum Lineage {
        Clean,
        Foreign,
        Incomplete,
        Retracted
    }

    /// @notice Whether a record and everything it rests on stands. The worst that is found is the answer.
    /// @param path keys in topological order: every parent before its children, the record asked about last
    /// @param places for each key in turn, and each of its parents in their order, the parent's index in `path`
    /// @return lineage what the whole path is
    /// @return culprit the id of the first record for which it is that; zero if Clean or nothing was given
    function lineageStatus(RecordKey[] calldata path, uint256[] calldata places)
        external
        view
        returns (Lineage lineage, bytes32 culprit);
}
