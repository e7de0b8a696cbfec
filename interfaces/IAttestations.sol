// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {RecordKey} from "./IRecords.sol";

/// @title Verdicts of other groups
/// @notice A group has one current verdict on a record, or none; the history is in the events. No group can attest to
/// a record of its own. Reproduced and NotReproduced stand on evidence, a Run of the attesting group, and fall when it
/// is retracted. Reviewed and Disputed are opinions: they may name evidence, and stay when that is retracted.
/// @dev A record that was retracted can be attested to, and keeps its verdicts: that somebody could or could not
/// reproduce it stays true. It doesn't stand by that: read {IRecords-statusOf} beside a verdict.
interface IAttestations {
    /// @notice What a group says of another group's record.
    enum Verdict {
        None,
        Reviewed,
        Reproduced,
        NotReproduced,
        Disputed
    }

    /// @notice Why a record can't be evidence. NotRecorded, Retracted, NotARun, OtherGroup (not the attesting group's),
    /// NotLinked (doesn't name the record in relation Reproduces).
    enum EvidenceFault {
        NotRecorded,
        Retracted,
        NotARun,
        OtherGroup,
        NotLinked
    }

    /// @notice A group's current verdict.
    /// @param verdict None if there is none
    /// @param evidence low 136 bits of the evidence's record id, 0 for none: whoever is shown the evidence checks it
    /// @param attestedAt Unix time in seconds
    /// @param sealedAt Unix time in seconds of the sealed commitment it was revealed from; 0 if none
    /// @param version raised by every change; a signature names it and is used at most once. At 4,294,967,295 it stays,
    /// and no further verdict is given
    struct Attestation {
        Verdict verdict;
        uint136 evidence;
        uint40 attestedAt;
        uint40 sealedAt;
        uint32 version;
    }

    /// @notice The group's verdict on the record is now this one. `evidence` is a record id, or zero.
    event Attested(
        uint32 indexed group,
        address indexed attester,
        bytes32 indexed recordId,
        Verdict verdict,
        bytes32 evidence,
        uint32 version
    );
    /// @notice The group has no verdict on the record any more; it had this one, or None: then only signatures of the
    /// version before were taken back.
    event VerdictWithdrawn(
        uint32 indexed group, address indexed by, bytes32 indexed recordId, Verdict verdict, uint32 version
    );

    /// @notice A group can't attest to its own record.
    error OwnRecord(uint32 group, bytes32 recordId);
    /// @notice None is not a verdict to give; use {withdraw}.
    error InvalidVerdict(Verdict verdict);
    /// @notice Reproduced and NotReproduced need a Run as evidence.
    error EvidenceRequired(Verdict verdict);
    /// @notice The evidence given can't carry this verdict.
    error EvidenceUnusable(bytes32 evidence, EvidenceFault fault);

    /// @notice Gives the group's verdict Reviewed or Disputed on a record, in place of the one before, without
    /// evidence. Only a REVIEWER of the group.
    function attest(uint32 group, bytes32 recordId, Verdict verdict) external;

    /// @notice Gives the group's verdict on a record, in place of the one before. Only a REVIEWER of the group.
    /// @param evidence for Reproduced and NotReproduced the key of a stored, unretracted Run of `group` that names the
    /// record in relation Reproduces (and so was recorded after it); for the others any unretracted record of `group`
    function attestWithEvidence(uint32 group, bytes32 recordId, Verdict verdict, RecordKey calldata evidence) external;

    /// @notice {attest} by a signature over AttestationAuthorization (group, attester, record id, verdict, evidence,
    /// version, deadline), whose evidence is zero; contracts/libraries/StructHash.sol has the type. The version is the
    /// one that {verdictOf} shows.
    /// @param attester who signed; must be a REVIEWER of the group now
    /// @param deadline Unix time in seconds after which the signature is refused
    function attestBySig(
        uint32 group,
        address attester,
        bytes32 recordId,
        Verdict verdict,
        uint40 deadline,
        bytes calldata signature
    ) external;

    /// @notice {attestWithEvidence} by the same signature, which names the evidence's id.
    function attestWithEvidenceBySig(
        uint32 group,
        address attester,
        bytes32 recordId,
        Verdict verdict,
        RecordKey calldata evidence,
        uint40 deadline,
        bytes calldata signature
    ) external;

    /// @notice Takes the group's verdict back, if there is one, and with it every signed verdict of the version before
    /// that nobody has relayed yet: the version grows. The record is stored. Any REVIEWER of the group.
    /// @dev A verdict that was signed for a version to come is not ended: sign none ahead.
    function withdraw(uint32 group, bytes32 recordId) external;

    /// @notice The group's current verdict on a record.
    function verdictOf(uint32 group, bytes32 recordId) external view returns (Attestation memory);
}
