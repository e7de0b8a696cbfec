// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {RecordKey} from "./IRecords.sol";

/// @title Lineage: what a record rests on
/// @notice A record rests on its parents, except on those that it only speaks about: relations 8 Reproduces,
/// 9 Supersedes, 10 Evaluates, 11 Confirms, 12 Supports and 13 Witnesses. Such a record stands when the parent is
/// retracted, so that no author can taint what corrects or contradicts it. docs/contracts.md argues each.
interface ILineage {
    /// @notice Clean: every record stands, and whatever each of them rests on is among them. Foreign: the same, but a
    /// Reference is among them, whose own lineage is in another registry. Incomplete: a record is not stored, or a
    /// parent that its child rests on is not given before it, at the place that was named for it, or no record was
    /// given. Retracted: one of them is retracted.
    enum Lineage {
        Clean,
        Foreign,
        Incomplete,
        Retracted
    }

    /// @notice Whether a record and everything it rests on stands. The worst that is found is the answer.
    /// @param path keys in topological order: every parent before its children, the record asked about last
    /// A record in it counts, also one that nothing else rests on: leave out what is only spoken about
    /// @param places for each key in turn, and each of its parents in their order, the parent's index in `path`; a
    /// place for a parent that is only spoken about is not looked at
    /// @return lineage what the whole path is
    /// @return culprit the id of the first record for which it is that; zero if Clean or nothing was given
    function lineageStatus(RecordKey[] calldata path, uint256[] calldata places)
        external
        view
        returns (Lineage lineage, bytes32 culprit);
}
