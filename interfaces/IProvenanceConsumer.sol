// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ILabRegistry} from "./ILabRegistry.sol";
import {ILineage} from "./ILineage.sol";
import {IRecords} from "./IRecords.sol";

/// @title What a contract that relies on a registry shows of it
/// @notice Anyone can deploy a registry. Whoever uses a consumer looks at {registry} first: everything rests on it.
interface IProvenanceConsumer {
    /// @notice There is no contract at this address, or it doesn't answer yes to every interface used here (ERC-165).
    error NotALabRegistry(address candidate);
    /// @notice The record is not stored, was cancelled, or was retracted.
    error RecordNotStanding(bytes32 id, IRecords.Status status);
    /// @notice The record doesn't name this parent in this relation.
    error NotAParent(bytes32 id, bytes32 parent, uint8 relation);
    /// @notice The record is no Plan of this group, or was not sealed before it was recorded.
    error NotASealedPlan(bytes32 plan, uint32 group);
    /// @notice The data were recorded by another group than the one whose word counts, or that is the run's own.
    error NotFromSource(bytes32 data, uint32 group, uint32 source);
    /// @notice The data were known when the plan was sealed, or in the same block.
    error DataKnownBefore(bytes32 data, uint40 knownSince, uint40 sealedAt);
    /// @notice Asking for nothing would be answered yes.
    error NoMinimum();
    /// @notice So many of the named groups say Reproduced now, each counted once and the record's own not at all.
    error TooFewReproductions(bytes32 id, uint256 count, uint256 minimum);
    /// @notice The key's own group and author anchored no batch with this root that the path leads to.
    error NotBatched(bytes32 id, bytes32 root);
    /// @notice What the record rests on doesn't stand, is elsewhere, or was not given whole; `culprit` is the first
    /// such record.
    error LineageNotClean(ILineage.Lineage lineage, bytes32 culprit);

    /// @notice The registry that this contract trusts, for good.
    function registry() external view returns (ILabRegistry);
}
