// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IAttestations} from "./IAttestations.sol";
import {RecordKey} from "./IRecords.sol";

/// @title Seals: committed to now, shown later
/// @notice A seal proves that its author had fixed a plan, a result or a verdict before it was shown, and shows nothing
/// of it until then. It doesn't prove that nothing else was sealed: whoever reports a seal also reports how many of the
/// same group and author are unrevealed, which the events {Sealed}, {Revealed} and {VerdictRevealed} tell.
/// @dev A seal belongs to its group and author. The same commitment sealed by somebody else is another seal, and worth
/// nothing: what it commits to names the author.
interface ISeals {
    /// @notice The author is committed, for the group, from this block on.
    event Sealed(uint32 group, address indexed author, bytes32 indexed commitment);
    /// @notice The record that was just stored had been sealed at `sealedAt`, which its slot keeps.
    event Revealed(bytes32 indexed id, bytes32 indexed commitment, uint40 sealedAt);
    /// @notice The verdict that was just given had been sealed at `sealedAt`, which its slot keeps.
    event VerdictRevealed(uint32 indexed group, bytes32 indexed recordId, bytes32 indexed commitment, uint40 sealedAt);

    /// @notice The author sealed this for the group already, at this time, which doesn't change.
    error AlreadySealed(bytes32 commitment, uint40 sealedAt);
    /// @notice The author never sealed this for the group: the key, the verdict or the salt is another.
    error NotSealed(uint32 group, address author, bytes32 commitment);

    /// @notice Commits the caller, a RECORDER or REVIEWER of the group, to something not shown yet.
    /// @param commitment EIP-712's hashStruct of RecordCommitment (record id, salt) for a record, of VerdictCommitment
    /// (group, attester, record id, verdict, evidence, salt) for a verdict, evidence being the id of its record or
    /// zero. The salt is 32 random bytes, or the seal can be guessed. contracts/libraries/StructHash.sol has both
    /// types.
    function seal(uint32 group, bytes32 commitment) external;

    /// @notice Stores a sealed record of the caller, with the time of the seal beside that of the record. Its author
    /// must be a RECORDER of its group now.
    /// @dev A record that was stored without its seal can't be revealed any more: what is stored never changes.
    /// @return id the record's id
    function reveal(RecordKey calldata key, bytes32 salt) external returns (bytes32 id);

    /// @notice Gives a verdict that was sealed without evidence. Otherwise as {IAttestations-attest}.
    function revealVerdict(uint32 group, bytes32 recordId, IAttestations.Verdict verdict, bytes32 salt) external;

    /// @notice Gives a verdict that was sealed with evidence, and stores the evidence first if it isn't stored, which
    /// the caller must be the author of. Otherwise as {IAttestations-attestWithEvidence}.
    function revealVerdictWithEvidence(
        uint32 group,
        bytes32 recordId,
        IAttestations.Verdict verdict,
        RecordKey calldata evidence,
        bytes32 salt
    ) external;

    /// @notice When the author sealed this for the group, in Unix seconds; 0 if never.
    function sealedAt(uint32 group, address author, bytes32 commitment) external view returns (uint40);
}
