// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";

import {IForeignAttestations} from "../../interfaces/IForeignAttestations.sol";
import {ROLE_REVIEWER} from "../../interfaces/IGroups.sol";
import {RecordKey} from "../../interfaces/IRecords.sol";
import {Hex} from "../libraries/Hex.sol";
import {Vocabulary} from "../libraries/Vocabulary.sol";
import {Attestations} from "./Attestations.sol";

/// @notice Verdicts on records of other registries and chains, which nothing here counts.
abstract contract ForeignAttestations is IForeignAttestations, Attestations {
    mapping(bytes32 foreign => mapping(uint32 group => ForeignAttestation)) private _foreignAttestations;

    /// @inheritdoc IForeignAttestations
    function attestForeign(
        ForeignRecord calldata foreign,
        uint32 group,
        Verdict verdict,
        ForeignEvidence calldata evidence
    ) external {
        if (foreign.registry == address(this) && foreign.chainId == block.chainid) {
            revert NotForeign(foreign.recordId);
        }
        _requireRole(group, msg.sender, ROLE_REVIEWER);
        bytes32 evidenceId;
        if (_needsEvidence(verdict)) {
            bytes32 referenceId = _requireReference(evidence.referenceKey, foreign);
            evidenceId = _requireEvidence(referenceId, group, verdict, evidence.run);
        }
        if (verdict == Verdict.None && foreignAttestation(foreign, group).verdict == Verdict.None) {
            revert NoVerdict(foreign.recordId, group);
        }
        ForeignAttestation storage current = _foreignAttestations[_foreignId(foreign)][group];
        uint32 version = current.version + 1;
        current.evidence = evidenceId;
        current.attestedAt = verdict == Verdict.None ? 0 : uint40(block.timestamp);
        current.verdict = verdict;
        current.version = version;
        emit ForeignAttested(
            foreign.chainId, foreign.registry, foreign.recordId, group, msg.sender, verdict, evidenceId, version
        );
    }

    /// @inheritdoc IForeignAttestations
    function foreignAttestation(ForeignRecord calldata foreign, uint32 group)
        public
        view
        returns (ForeignAttestation memory current)
    {
        current = _foreignAttestations[_foreignId(foreign)][group];
        // no link leads from the evidence to a foreign verdict, so its retraction is seen here
        if (_records[current.evidence].retractedAt() != 0) {
            (current.verdict, current.evidence, current.attestedAt) = (Verdict.None, 0, 0);
        }
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
