// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";

import {IForeignAttestations} from "../../interfaces/IForeignAttestations.sol";
import {ROLE_REVIEWER} from "../../interfaces/IGroups.sol";
import {RecordKey} from "../../interfaces/IRecords.sol";
import {Hex} from "../libraries/Hex.sol";
import {Vocabulary} from "../libraries/Vocabulary.sol";
import {ForeignAttestationSlot, ForeignAttestationSlotLib} from "../types/ForeignAttestationSlot.sol";
import {Attestations} from "./Attestations.sol";

/// @notice Verdicts on records of other registries and chains, which nothing here counts.
abstract contract ForeignAttestations is IForeignAttestations, Attestations {
    /// @dev The evidence's whole id, because its retraction is looked up when the verdict is read.
    struct StoredAttestation {
        bytes32 evidence;
        ForeignAttestationSlot slot;
    }

    mapping(bytes32 foreign => mapping(uint32 group => StoredAttestation)) private _foreignAttestations;

    /// @inheritdoc IForeignAttestations
    function attestForeign(uint32 group, ForeignRecord calldata foreign, Verdict verdict) external {
        _requireForeignReviewer(group, foreign);
        _requireNoneNeeded(verdict);
        if (verdict == Verdict.None && foreignVerdictOf(group, foreign).verdict == Verdict.None) {
            revert NoVerdict(group, foreign.recordId);
        }
        _attestForeign(group, foreign, verdict, 0);
    }

    /// @inheritdoc IForeignAttestations
    function attestForeignWithEvidence(
        uint32 group,
        ForeignRecord calldata foreign,
        Verdict verdict,
        RecordKey calldata referenceKey,
        RecordKey calldata run
    ) external {
        _requireForeignReviewer(group, foreign);
        if (!_needsEvidence(verdict)) revert InvalidVerdict(verdict);
        bytes32 referenceId = _requireReference(referenceKey, foreign);
        _attestForeign(group, foreign, verdict, _requireEvidence(group, referenceId, verdict, run));
    }

    /// @inheritdoc IForeignAttestations
    function foreignVerdictOf(uint32 group, ForeignRecord calldata foreign)
        public
        view
        returns (ForeignAttestation memory)
    {
        StoredAttestation storage stored = _foreignAttestations[_foreignId(foreign)][group];
        (bytes32 evidence, ForeignAttestationSlot slot) = (stored.evidence, stored.slot);
        // no link leads from the evidence to a foreign verdict, so its retraction is seen here
        if (_records[evidence].retractedAt() != 0) return ForeignAttestation(Verdict.None, 0, 0, slot.version());
        return ForeignAttestation(slot.verdict(), evidence, slot.attestedAt(), slot.version());
    }

    function _attestForeign(uint32 group, ForeignRecord calldata foreign, Verdict verdict, bytes32 evidenceId) private {
        StoredAttestation storage stored = _foreignAttestations[_foreignId(foreign)][group];
        bool takenBack = verdict == Verdict.None;
        uint32 version = takenBack ? stored.slot.lastVersion() : stored.slot.nextVersion();
        uint40 attestedAt = takenBack ? 0 : uint40(block.timestamp);
        stored.evidence = evidenceId;
        stored.slot = ForeignAttestationSlotLib.pack(verdict, attestedAt, version);
        emit ForeignAttested(
            group, msg.sender, foreign.recordId, foreign.chainId, foreign.registry, verdict, evidenceId, version
        );
    }

    function _requireForeignReviewer(uint32 group, ForeignRecord calldata foreign) private view {
        if (foreign.registry == address(this) && foreign.chainId == block.chainid) revert NotForeign(foreign.recordId);
        _requireRole(group, msg.sender, ROLE_REVIEWER);
    }

    /// @dev The Reference that a Run names instead of the foreign record, which can't be its parent.
    function _requireReference(RecordKey calldata referenceKey, ForeignRecord calldata foreign)
        private
        view
        returns (bytes32 id)
    {
        // 20 bytes at the upper end of a word: 40 digits
        (bytes32 registryUpper, bytes32 registryLower) = Hex.digits(bytes32(bytes20(foreign.registry)));
        (bytes32 upper, bytes32 lower) = Hex.digits(foreign.recordId);
        bytes32 subject = sha256(
            abi.encodePacked(
                "eip155:",
                Strings.toString(foreign.chainId),
                ":0x",
                registryUpper,
                bytes8(registryLower),
                "/0x",
                upper,
                lower
            )
        );
        id = idOf(referenceKey);
        if (
            referenceKey.kind != Vocabulary.KIND_REFERENCE || referenceKey.subjectType != Vocabulary.SUBJECT_IDENTIFIER
                || referenceKey.subject != subject
        ) revert NotTheReference(id, subject);
        if (_records[id].retractedAt() != 0) revert EvidenceUnusable(id, EvidenceFault.Retracted);
    }

    function _foreignId(ForeignRecord calldata foreign) private pure returns (bytes32) {
        return keccak256(abi.encode(foreign));
    }
}
