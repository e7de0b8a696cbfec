// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IGroups} from "../../interfaces/IGroups.sol";
import {Link, RecordKey} from "../../interfaces/IRecords.sol";

/// @notice EIP-712 hashStruct of everything that is identified or signed. Nothing is hashed elsewhere.
library StructHash {
    bytes32 internal constant LINK_TYPEHASH = keccak256("Link(bytes32 parent,uint8 relation)");

    bytes32 internal constant RECORD_TYPEHASH = keccak256(
        "Record(uint32 group,uint8 kind,uint8 subjectType,address author,bytes32 subject,bytes32 manifest,Link[] parents)"
        "Link(bytes32 parent,uint8 relation)"
    );

    bytes32 internal constant RECORD_AUTHORIZATION_TYPEHASH = keccak256(
        "RecordAuthorization(Record record,uint40 deadline)"
        "Link(bytes32 parent,uint8 relation)"
        "Record(uint32 group,uint8 kind,uint8 subjectType,address author,bytes32 subject,bytes32 manifest,Link[] parents)"
    );

    bytes32 internal constant ATTESTATION_AUTHORIZATION_TYPEHASH = keccak256(
        "AttestationAuthorization(bytes32 recordId,uint32 group,uint8 verdict,bytes32 evidence,address attester,"
        "uint8 version,uint40 deadline)"
    );

    bytes32 internal constant INVITATION_TYPEHASH = keccak256(
        "Invitation(uint32 group,address account,uint32 roles,uint40 until,uint32 version,address inviter,uint40 deadline)"
    );

    function hash(RecordKey calldata key) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                RECORD_TYPEHASH,
                key.group,
                key.kind,
                key.subjectType,
                key.author,
                key.subject,
                key.manifest,
                _hash(key.parents)
            )
        );
    }

    function recordAuthorization(bytes32 recordHash, uint40 deadline) internal pure returns (bytes32) {
        return keccak256(abi.encode(RECORD_AUTHORIZATION_TYPEHASH, recordHash, deadline));
    }

    function attestationAuthorization(
        bytes32 recordId,
        uint32 group,
        uint8 verdict,
        bytes32 evidence,
        address attester,
        uint8 version,
        uint40 deadline
    ) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                ATTESTATION_AUTHORIZATION_TYPEHASH, recordId, group, verdict, evidence, attester, version, deadline
            )
        );
    }

    function hash(IGroups.Invitation calldata invitation) internal pure returns (bytes32) {
        return keccak256(abi.encode(INVITATION_TYPEHASH, invitation));
    }

    /// @dev EIP-712: an array is hashed as the concatenation of its members' hashes.
    function _hash(Link[] calldata links) private pure returns (bytes32) {
        bytes32[] memory hashes = new bytes32[](links.length);
        for (uint256 i = 0; i < links.length; ++i) {
            hashes[i] = keccak256(abi.encode(LINK_TYPEHASH, links[i].parent, links[i].relation));
        }
        return keccak256(abi.encodePacked(hashes));
    }
}
