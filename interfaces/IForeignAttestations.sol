// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IAttestations} from "./IAttestations.sol";
import {RecordKey} from "./IRecords.sol";

/// @title Verdicts on records of other registries and chains
/// @notice This registry can't see the other one: neither that the record exists nor whose it is nor whether it was
/// retracted. So these verdicts stand apart: nothing counts them, and whoever uses them checks the record where it is.
interface IForeignAttestations {
    /// @notice A record elsewhere.
    /// @param chainId EIP-155 chain id
    /// @param registry the registry's address there
    /// @param recordId the record's id there
    struct ForeignRecord {
        uint256 chainId;
        address registry;
        bytes32 recordId;
    }

    /// @notice A group's current verdict on a foreign record.
    /// @param verdict None if there is none, or if its evidence was retracted since
    /// @param evidence id of the Run that it stands on, 0 for none
    /// @param attestedAt Unix time in seconds
    /// @param version raised by every verdict that is given or taken back; the retraction of the evidence changes the
    /// verdict without it
    struct ForeignAttestation {
        IAttestations.Verdict verdict;
        bytes32 evidence;
        uint40 attestedAt;
        uint32 version;
    }

    /// @notice The group's verdict on the foreign record is now this one; None takes it back.
    event ForeignAttested(
        uint32 indexed group,
        address indexed attester,
        bytes32 indexed recordId,
        uint256 chainId,
        address registry,
        IAttestations.Verdict verdict,
        bytes32 evidence,
        uint32 version
    );

    /// @notice There is no verdict on the foreign record to take back.
    error NoVerdict(uint32 group, bytes32 recordId);
    /// @notice This record is of this very registry: use {IAttestations-attest}.
    error NotForeign(bytes32 recordId);
    /// @notice The key is not that of a Reference to this foreign record, whose subject would be `subject`.
    error NotTheReference(bytes32 id, bytes32 subject);

    /// @notice Gives the group's verdict Reviewed or Disputed on a foreign record, in place of the one before; None
    /// takes it back. Only a REVIEWER of the group.
    function attestForeign(uint32 group, ForeignRecord calldata foreign, IAttestations.Verdict verdict) external;

    /// @notice Gives the group's verdict Reproduced or NotReproduced on a foreign record, in place of the one before,
    /// which falls when the Run is retracted. Only a REVIEWER of the group.
    /// @param referenceKey key of an unretracted Reference to the foreign record: its subject is the SHA-256 of the
    /// text `eip155:<chain id>:<registry>/<record id>` (after CAIP-10), both as 0x-hex in lower case
    /// @param run key of a stored, unretracted Run of `group` that names the Reference in relation Reproduces
    function attestForeignWithEvidence(
        uint32 group,
        ForeignRecord calldata foreign,
        IAttestations.Verdict verdict,
        RecordKey calldata referenceKey,
        RecordKey calldata run
    ) external;

    /// @notice The group's current verdict on a foreign record.
    function foreignVerdictOf(uint32 group, ForeignRecord calldata foreign)
        external
        view
        returns (ForeignAttestation memory);
}
