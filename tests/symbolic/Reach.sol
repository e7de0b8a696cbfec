// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";

import {IAttestations} from "../../interfaces/IAttestations.sol";
import {IBatches} from "../../interfaces/IBatches.sol";
import {IForeignAttestations} from "../../interfaces/IForeignAttestations.sol";
import {IGroups} from "../../interfaces/IGroups.sol";
import {ILabRegistry} from "../../interfaces/ILabRegistry.sol";
import {IRecords} from "../../interfaces/IRecords.sol";
import {ISeals} from "../../interfaces/ISeals.sol";
import {Proof} from "./Proof.sol";

/// @notice Each function here claims that a call never succeeds, and must be refuted: what is proven of a call is proven of
/// calls that do something.
/// @custom:halmos --default-array-lengths 1 --default-bytes-lengths 65 --loop 8 --early-exit
contract Reach is Proof {
    function reach_attest() public {
        _claimUnreachable(IAttestations.attest.selector);
    }

    function reach_attestWithEvidence() public {
        _claimUnreachable(IAttestations.attestWithEvidence.selector);
    }

    function reach_createGroup() public {
        _claimUnreachable(IGroups.createGroup.selector);
    }

    function reach_describeGroup() public {
        _claimUnreachable(IGroups.describeGroup.selector);
    }

    function reach_transferGroup() public {
        _claimUnreachable(IGroups.transferGroup.selector);
    }

    function reach_acceptGroup() public {
        _claimUnreachable(IGroups.acceptGroup.selector);
    }

    function reach_invite() public {
        _claimUnreachable(IGroups.invite.selector);
    }

    function reach_join() public {
        _claimUnreachable(IGroups.join.selector);
    }

    function reach_joinBySig() public {
        _claimUnreachable(IGroups.joinBySig.selector);
    }

    function reach_removeMember() public {
        _claimUnreachable(IGroups.removeMember.selector);
    }

    function reach_record() public {
        _claimUnreachable(IRecords.record.selector);
    }

    function reach_recordMany() public {
        _claimUnreachable(IRecords.recordMany.selector);
    }

    function reach_recordBySig() public {
        _claimUnreachable(IRecords.recordBySig.selector);
    }

    function reach_cancel() public {
        _claimUnreachable(IRecords.cancel.selector);
    }

    function reach_retract() public {
        _claimUnreachable(IRecords.retract.selector);
    }

    function reach_attestBySig() public {
        _claimUnreachable(IAttestations.attestBySig.selector);
    }

    function reach_attestWithEvidenceBySig() public {
        _claimUnreachable(IAttestations.attestWithEvidenceBySig.selector);
    }

    function reach_withdraw() public {
        _claimUnreachable(IAttestations.withdraw.selector);
    }

    function reach_seal() public {
        _claimUnreachable(ISeals.seal.selector);
    }

    function reach_reveal() public {
        _claimUnreachable(ISeals.reveal.selector);
    }

    function reach_revealVerdict() public {
        _claimUnreachable(ISeals.revealVerdict.selector);
    }

    function reach_revealVerdictWithEvidence() public {
        _claimUnreachable(ISeals.revealVerdictWithEvidence.selector);
    }

    function reach_anchor() public {
        _claimUnreachable(IBatches.anchor.selector);
    }

    function reach_endBatch() public {
        _claimUnreachable(IBatches.endBatch.selector);
    }

    function reach_anchorLeaves() public {
        _claimUnreachable(IBatches.anchorLeaves.selector);
    }

    function reach_materialize() public {
        _claimUnreachable(IBatches.materialize.selector);
    }

    function reach_attestForeign() public {
        _claimUnreachable(IForeignAttestations.attestForeign.selector);
    }

    function reach_attestForeignWithEvidence() public {
        _claimUnreachable(IForeignAttestations.attestForeignWithEvidence.selector);
    }

    function reach_announceSuccessor() public {
        _claimUnreachable(ILabRegistry.announceSuccessor.selector);
    }

    function reach_transferOwnership() public {
        _claimUnreachable(Ownable.transferOwnership.selector);
    }

    function reach_renounceOwnership() public {
        _claimUnreachable(Ownable.renounceOwnership.selector);
    }

    function reach_acceptOwnership() public {
        _claimUnreachable(Ownable2Step.acceptOwnership.selector);
    }

    function _claimUnreachable(bytes4 selector) private {
        address caller = svm.createAddress("caller");
        bytes memory data = _only(selector);
        _anyTime();
        assert(!_callAs(caller, data));
    }
}
