// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IAttestations} from "./IAttestations.sol";
import {IGroups} from "./IGroups.sol";
import {ILineage} from "./ILineage.sol";
import {IRecords, RecordKey} from "./IRecords.sol";

/// @title Many questions to one registry in one call
/// @notice Reads any registry and keeps nothing. All answers are of one block. Every answer says whether it was read:
/// a registry of another version, a contract that is no registry or an address without code spoils no other answer.
/// @dev An answer is as true as the registry: the Lens repeats what the contract at that address says, checks only its
/// form, and does not know whether it is genuine. {ILabRegistryFactory-isGenuine} or the hash of its code tells that.
/// A registry gets at most half of the gas, in equal shares of what is left. It can waste its own share and
/// cannot make the call fail. A contract that acts on an answer refuses every reading but Read: whoever sends the
/// transaction chooses its gas, and can make any answer Refused.
interface IRegistryLens {
    /// @notice NoContract: no code is at the registry's address. Refused: the registry reverted, has no such function,
    /// or needed more gas than its share. Malformed: what it returned is not an answer of this version. Read: this is
    /// what it said. All but Read leave the rest of the answer zero.
    enum Reading {
        NoContract,
        Refused,
        Malformed,
        Read
    }

    struct StatusReading {
        Reading reading;
        IRecords.RecordStatus status;
    }

    struct VerdictReading {
        Reading reading;
        IAttestations.Attestation attestation;
    }

    struct BatchReading {
        Reading reading;
        uint40 anchoredAt;
        uint48 count;
        bool counted;
        uint40 endedAt;
    }

    struct LineageReading {
        Reading reading;
        ILineage.Lineage lineage;
        bytes32 culprit;
    }

    struct MembershipReading {
        Reading reading;
        IGroups.Membership membership;
    }

    /// @notice What names a batch.
    struct BatchName {
        uint32 group;
        address author;
        bytes32 root;
    }

    /// @notice What {ILineage-lineageStatus} takes.
    struct Path {
        RecordKey[] keys;
        uint256[] places;
    }

    /// @notice What {ask} is asked. An empty list asks nothing.
    /// @param ids records whose status is asked
    /// @param groups whose verdicts are asked on each record of `judged`
    /// @param memberOf groups in which the membership of each of `accounts` is asked
    struct Questions {
        bytes32[] ids;
        uint32[] groups;
        bytes32[] judged;
        BatchName[] batches;
        Path[] paths;
        uint32[] memberOf;
        address[] accounts;
    }

    /// @notice What {ask} answers: as the functions below, in their order.
    struct Answers {
        StatusReading[] statuses;
        VerdictReading[][] verdicts;
        BatchReading[] batches;
        LineageReading[] lineages;
        MembershipReading[][] memberships;
    }

    /// @notice The version of this Lens; another version has another address.
    function version() external view returns (uint256);

    /// @notice Everything at once, of one block.
    function ask(address registry, Questions calldata questions) external view returns (Answers memory);

    /// @notice {IRecords-statusOf} of each id, in order.
    function statusesOf(address registry, bytes32[] calldata ids) external view returns (StatusReading[] memory);

    /// @notice {IAttestations-verdictOf}: for each group in order, its verdict on each id in order.
    function verdictsOf(address registry, uint32[] calldata groups, bytes32[] calldata ids)
        external
        view
        returns (VerdictReading[][] memory);

    /// @notice {IBatches-batchOf} of each, in order.
    function batchesOf(address registry, BatchName[] calldata batches) external view returns (BatchReading[] memory);

    /// @notice {ILineage-lineageStatus} of each path, in order.
    function lineagesOf(address registry, Path[] calldata paths) external view returns (LineageReading[] memory);

    /// @notice {IGroups-membershipOf}: for each group in order, the membership of each account in order.
    function membershipsOf(address registry, uint32[] calldata groups, address[] calldata accounts)
        external
        view
        returns (MembershipReading[][] memory);
}
