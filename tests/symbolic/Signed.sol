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
    /// @dev Whether the invitation at hand can be accepted, by the state before.
    bool private _mayBeAccepted;

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
            "Record(uint32 group,address author,uint8 subjectType,bytes32 subject,uint8 kind,bytes32 manifest,Link[] parents)"
        );
        _assertSigned(key.author, keccak256(abi.encode(typehash, structHash, deadline)), signature);
    }

    function check_attestBySig(
        uint32 group,
        address attester,
        bytes32 recordId,
        IAttestations.Verdict verdict,
        uint40 deadline,
        bytes memory signature,
        address relayer
    ) public {
        uint40 time = _anyTime();
        uint256 before = _attestation(recordId, group);
        vm.prank(relayer);
        registry.attestBySig(group, attester, recordId, verdict, deadline, signature);
        assert(time <= deadline);
        _assertAttested(group, attester, recordId, verdict, 0, deadline, before, signature);
    }

    /// @custom:halmos --default-array-lengths 0
    function check_attestWithEvidenceBySig(
        uint32 group,
        address attester,
        bytes32 recordId,
        IAttestations.Verdict verdict,
        RecordKey memory evidence,
        uint40 deadline,
        bytes memory signature,
        address relayer
    ) public {
        uint40 time = _anyTime();
        uint256 before = _attestation(recordId, group);
        vm.prank(relayer);
        registry.attestWithEvidenceBySig(group, attester, recordId, verdict, evidence, deadline, signature);
        assert(time <= deadline);
        _assertAttested(group, attester, recordId, verdict, registry.idOf(evidence), deadline, before, signature);
    }

    function check_joinBySig(IGroups.Invitation memory invitation, bytes memory signature, address caller) public {
        uint256 expected = _expected(invitation, caller);
        vm.prank(caller);
        registry.joinBySig(invitation, signature);
        assert(_mayBeAccepted);
        assert(_membership(invitation.group, caller) == expected);
        _assertSigned(invitation.inviter, _hash(invitation), signature);
    }

    function check_join(IGroups.Invitation memory invitation, address caller) public {
        uint256 expected = _expected(invitation, caller);
        bool invited = _invited(_hash(invitation));
        vm.prank(caller);
        registry.join(invitation);
        assert(_mayBeAccepted);
        assert(_membership(invitation.group, caller) == expected);
        assert(invited);
    }

    /// @dev Only its inviter makes an invitation, by the right of now, and of it and nothing else.
    function check_invite(IGroups.Invitation memory invitation, bytes32 other, address caller) public {
        _expected(invitation, invitation.account);
        bool before = _invited(other);
        vm.prank(caller);
        registry.invite(invitation);
        assert(caller == invitation.inviter);
        assert(_invited(_hash(invitation)));
        assert(_invited(other) == (before || other == _hash(invitation)));
        assert(_mayBeAccepted);
    }

    /// @dev The membership that an invitation gives, if it can be accepted at a time that this chooses.
    function _expected(IGroups.Invitation memory invitation, address caller) private returns (uint256) {
        uint40 time = _anyTime();
        uint256 before = _membership(invitation.group, invitation.account);
        uint256 ofInviter = _membership(invitation.group, invitation.inviter);
        // the owner gives every role; a MAINTAINER the other two, to who is no MAINTAINER
        bool maintains = _holds(invitation.group, invitation.inviter, ROLE_MAINTAINER)
            && !_holds(invitation.group, invitation.account, ROLE_MAINTAINER) && invitation.roles & ROLE_MAINTAINER == 0;
        _mayBeAccepted = caller == invitation.account && time <= invitation.deadline && time < invitation.until
            && invitation.roles != 0 && invitation.roles < 8
            && (maintains || _groupOwner(invitation.group) == invitation.inviter)
            // so that the same invitation never serves again
            && invitation.version == uint32(before >> 112)
            // nor any that its inviter made before its own membership changed
            && invitation.inviterVersion == uint32(ofInviter >> 112);
        return uint256(invitation.roles) | uint256(time) << 32 | uint256(invitation.until) << 72
            | (uint256(invitation.version) + 1) << 112;
    }

    function _hash(IGroups.Invitation memory invitation) private pure returns (bytes32) {
        bytes32 typehash = keccak256(
            "Invitation(uint32 group,address inviter,address account,uint32 roles,uint40 until,uint32 inviterVersion,uint32 version,uint40 deadline)"
        );
        return keccak256(abi.encode(typehash, invitation));
    }

    function _assertAttested(
        uint32 group,
        address attester,
        bytes32 recordId,
        IAttestations.Verdict verdict,
        bytes32 evidenceId,
        uint40 deadline,
        uint256 before,
        bytes memory signature
    ) private view {
        uint32 version = uint32(before >> 224);
        assert(_holds(group, attester, ROLE_REVIEWER));
        // so that the same signature never serves again
        assert(uint32(_attestation(recordId, group) >> 224) != version);
        bytes32 typehash = keccak256(
            "AttestationAuthorization(uint32 group,address attester,bytes32 recordId,uint8 verdict,bytes32 evidence,uint32 version,uint40 deadline)"
        );
        _assertSigned(
            attester,
            keccak256(abi.encode(typehash, group, attester, recordId, verdict, evidenceId, version, deadline)),
            signature
        );
    }

    function _assertSigned(address signer, bytes32 structHash, bytes memory signature) private view {
        (bytes32 r, bytes32 s, uint8 v) = (bytes32(0), bytes32(0), 0);
        assembly ("memory-safe") {
            r := mload(add(signature, 0x20))
            s := mload(add(signature, 0x40))
            v := byte(0, mload(add(signature, 0x60)))
        }
        assert(signer != address(0));
        bytes32 digest = keccak256(abi.encodePacked(hex"1901", _domain(block.chainid), structHash));
        assert(ecrecover(digest, v, r, s) == signer);
    }
}
