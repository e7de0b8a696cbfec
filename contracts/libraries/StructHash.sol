// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IGroups} from "../../interfaces/IGroups.sol";
import {Link, RecordKey} from "../../interfaces/IRecords.sol";

/// @notice EIP-712 hashStruct of everything that is identified or signed. Nothing is hashed elsewhere.
library StructHash {
    bytes32 internal constant LINK_TYPEHASH = keccak256("Link(bytes32 parent,uint8 relation)");

    bytes32 internal constant RECORD_TYPEHASH = keccak256(
        "Record(uint32 group,address author,uint8 subjectType,bytes32 subject,uint8 kind,bytes32 manifest,Link[] parents)"
        "Link(bytes32 parent,uint8 relation)"
    );

    bytes32 internal constant RECORD_AUTHORIZATION_TYPEHASH = keccak256(
        "RecordAuthorization(Record record,uint40 deadline)" "Link(bytes32 parent,uint8 relation)"
        "Record(uint32 group,address author,uint8 subjectType,bytes32 subject,uint8 kind,bytes32 manifest,Link[] parents)"
    );

    bytes32 internal constant ATTESTATION_AUTHORIZATION_TYPEHASH = keccak256(
        "AttestationAuthorization(uint32 group,address attester,bytes32 recordId,uint8 verdict,bytes32 evidence,uint32 version,uint40 deadline)"
    );

    bytes32 internal constant INVITATION_TYPEHASH = keccak256(
        "Invitation(uint32 group,address inviter,address account,uint32 roles,uint40 until,uint32 inviterVersion,uint32 version,uint40 deadline)"
    );

    bytes32 internal constant RECORD_COMMITMENT_TYPEHASH = keccak256("RecordCommitment(bytes32 recordId,bytes32 salt)");

    bytes32 internal constant VERDICT_COMMITMENT_TYPEHASH = keccak256(
        "VerdictCommitment(uint32 group,address attester,bytes32 recordId,uint8 verdict,bytes32 evidence,bytes32 salt)"
    );

    /// @dev The six static fields of a key stand side by side in calldata as EIP-712 wants them, so they are copied as
    /// they are. `parents` are the key's. A field with dirty high bits would give an id that no valid key has: whoever
    /// stores a record reads every field by its type first, which refuses such a key.
    function hash(RecordKey calldata key, Link[] calldata parents) internal pure returns (bytes32 result) {
        bytes32 typehash = RECORD_TYPEHASH;
        bytes32 lineage = _hash(parents);
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, typehash)
            calldatacopy(add(free, 0x20), key, 0xc0)
            mstore(add(free, 0xe0), lineage)
            result := keccak256(free, 0x100)
        }
    }

    function recordAuthorization(bytes32 recordHash, uint40 deadline) internal pure returns (bytes32) {
        return keccak256(abi.encode(RECORD_AUTHORIZATION_TYPEHASH, recordHash, deadline));
    }

    function attestationAuthorization(
        uint32 group,
        address attester,
        bytes32 recordId,
        uint8 verdict,
        bytes32 evidence,
        uint32 version,
        uint40 deadline
    ) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                ATTESTATION_AUTHORIZATION_TYPEHASH, group, attester, recordId, verdict, evidence, version, deadline
            )
        );
    }

    function hash(IGroups.Invitation calldata invitation) internal pure returns (bytes32) {
        return keccak256(abi.encode(INVITATION_TYPEHASH, invitation));
    }

    /// @dev A commitment needs no domain: the record's id is bound to one.
    function recordCommitment(bytes32 recordId, bytes32 salt) internal pure returns (bytes32) {
        return keccak256(abi.encode(RECORD_COMMITMENT_TYPEHASH, recordId, salt));
    }

    function verdictCommitment(
        uint32 group,
        address attester,
        bytes32 recordId,
        uint8 verdict,
        bytes32 evidence,
        bytes32 salt
    ) internal pure returns (bytes32) {
        return keccak256(abi.encode(VERDICT_COMMITMENT_TYPEHASH, group, attester, recordId, verdict, evidence, salt));
    }

    /// @dev EIP-712: an array is hashed as the concatenation of its members' hashes. Each link is two words of
    /// calldata.
    function _hash(Link[] calldata links) private pure returns (bytes32 result) {
        bytes32 typehash = LINK_TYPEHASH;
        assembly ("memory-safe") {
            let link := mload(0x40)
            let hashes := add(link, 0x60)
            mstore(link, typehash)
            for { let i := 0 } lt(i, links.length) { i := add(i, 1) } {
                calldatacopy(add(link, 0x20), add(links.offset, mul(i, 0x40)), 0x40)
                mstore(add(hashes, mul(i, 0x20)), keccak256(link, 0x60))
            }
            result := keccak256(hashes, mul(links.length, 0x20))
        }
    }
}
