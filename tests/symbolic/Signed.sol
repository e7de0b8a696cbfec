// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IAttestations} from "../../interfaces/IAttestations.sol";
import {IGroups, ROLE_MAINTAINER, ROLE_RECORDER, ROLE_REVIEWER} from "../../interfaces/IGroups.sol";
import {RecordKey} from "../../interfaces/IRecords.sol";
import {Proof} from "./Proof.sol";

/// @notice What a relayed signature must be of: every field as it is carried out, by somebody who holds the role now.
/// @dev The signer is any account without code; ecrecover is any function of digest and signature.
/// @custom:halmos --default-array-lengths 0,1,2 --default-bytes-lengths 65 --loop 8
contract SignaturesProof is Proof {
    function check_recordBySig(RecordKey memory key, uint40 deadline, bytes memory signature, address relayer) public {
        uint40 time = _anyTime();
        bytes32 structHash = _recordHash(key);
        uint256 before = _record(registry.idOf(key));
        vm.prank(relayer);
        bytes32 id = registry.recordBySig(key, deadline, signature);
        // neither stored nor cancelled
        assert(uint40(before) == 0 && uint8(before >> 160) & 2 == 0);
        assert(_holds(key.group, key.author, ROLE_RECORDER) && time <= deadline);
        assert(_record(id) == _fresh(key, time, 0, 0));
        bytes32 typehash = keccak256(
            "RecordAuthorization(Record record,uint40 deadline)Link(bytes32 parent,uint8 relation)"
            "Record(uint32 group,uint8 kind,uint8 subjectType,address author,bytes32 subject,bytes32 manifest,Link[] parents)"
        );
        _assertSigned(key.author, keccak256(abi.encode(typehash, structHash, deadline)), signature);
    }

    /// @custom:halmos --default-array-lengths 0
    function check_attestBySig(
        bytes32 recordId,
        uint32 group,
        IAttestations.Verdict verdict,
        RecordKey memory evidence,
        address attester,
        uint40 deadline,
        bytes memory signature,
        address relayer
    ) public {
        uint40 time = _anyTime();
        uint32 version = uint32(_attestation(recordId, group) >> 224);
        bytes32 evidenceId = evidence.group == 0 ? bytes32(0) : registry.idOf(evidence);
        vm.prank(relayer);
        registry.attestBySig(recordId, group, verdict, evidence, attester, deadline, signature);
        assert(_holds(group, attester, ROLE_REVIEWER) && time <= deadline);
        // so that the same signature never serves again
        assert(uint32(_attestation(recordId, group) >> 224) != version);
        bytes32 typehash = keccak256(
            "AttestationAuthorization(bytes32 recordId,uint32 group,uint8 verdict,bytes32 evidence,address attester,"
            "uint32 version,uint40 deadline)"
        );
        _assertSigned(
            attester,
            keccak256(abi.encode(typehash, recordId, group, verdict, evidenceId, attester, version, deadline)),
            signature
        );
    }

    function check_joinBySig(IGroups.Invitation memory invitation, bytes memory signature, address caller) public {
        uint40 time = _anyTime();
        uint256 before = _membership(invitation.group, invitation.account);
        address owner = _groupOwner(invitation.group);
        bool maintains = _holds(invitation.group, invitation.inviter, ROLE_MAINTAINER);
        bool ofMaintainer = _holds(invitation.group, invitation.account, ROLE_MAINTAINER);
        vm.prank(caller);
        registry.joinBySig(invitation, signature);
        assert(caller == invitation.account && time <= invitation.deadline);
        assert(invitation.roles != 0 && invitation.roles < 8);
        // the owner gives every role; a MAINTAINER the other two, to who is no MAINTAINER
        if (owner != invitation.inviter) assert(maintains && !ofMaintainer && invitation.roles & ROLE_MAINTAINER == 0);
        // so that the same invitation never serves again
        assert(invitation.version == uint32(before >> 112));
        assert(
            _membership(invitation.group, caller)
                == uint256(invitation.roles) | uint256(time) << 32 | uint256(invitation.until) << 72
                    | (uint256(invitation.version) + 1) << 112
        );
        bytes32 typehash = keccak256(
            "Invitation(uint32 group,address account,uint32 roles,uint40 until,uint32 version,address inviter,uint40 deadline)"
        );
        _assertSigned(invitation.inviter, keccak256(abi.encode(typehash, invitation)), signature);
    }

    function _assertSigned(address signer, bytes32 structHash, bytes memory signature) private view {
        (bytes32 r, bytes32 s, uint8 v) = (bytes32(0), bytes32(0), 0);
        assembly ("memory-safe") {
            r := mload(add(signature, 0x20))
            s := mload(add(signature, 0x40))
            v := byte(0, mload(add(signature, 0x60)))
        }
        assert(signer != address(0));
        assert(ecrecover(keccak256(abi.encodePacked(hex"1901", _domain(), structHash)), v, r, s) == signer);
    }
}
