// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IAttestations} from "../../interfaces/IAttestations.sol";
import {IBatches} from "../../interfaces/IBatches.sol";
import {IForeignAttestations} from "../../interfaces/IForeignAttestations.sol";
import {IGroups} from "../../interfaces/IGroups.sol";
import {IRecords} from "../../interfaces/IRecords.sol";
import {ISeals} from "../../interfaces/ISeals.sol";
import {Proof} from "./Proof.sol";

/// @notice What holds across every call of every function, one check a function and one for all that are left, so that a
/// function that is added is covered from the first day.
abstract contract EveryFunction is Proof {
    /// @dev Makes the call and asserts what holds across it.
    function _around(address caller, bytes memory data, bytes4 selector) internal virtual;

    function check_record(address caller) public {
        _check(caller, IRecords.record.selector);
    }

    function check_recordMany(address caller) public {
        _check(caller, IRecords.recordMany.selector);
    }

    function check_recordBySig(address caller) public {
        _check(caller, IRecords.recordBySig.selector);
    }

    function check_retract(address caller) public {
        _check(caller, IRecords.retract.selector);
    }

    function check_attestWithEvidence(address caller) public {
        _check(caller, IAttestations.attestWithEvidence.selector);
    }

    function check_attestBySig(address caller) public {
        _check(caller, IAttestations.attestBySig.selector);
    }

    function check_attestWithEvidenceBySig(address caller) public {
        _check(caller, IAttestations.attestWithEvidenceBySig.selector);
    }

    function check_attestForeignWithEvidence(address caller) public {
        _check(caller, IForeignAttestations.attestForeignWithEvidence.selector);
    }

    function check_materialize(address caller) public {
        _check(caller, IBatches.materialize.selector);
    }

    function check_reveal(address caller) public {
        _check(caller, ISeals.reveal.selector);
    }

    function check_revealVerdictWithEvidence(address caller) public {
        _check(caller, ISeals.revealVerdictWithEvidence.selector);
    }

    function check_everyOther(address caller) public virtual {
        bytes memory data = _anyCall();
        bytes4 selector = bytes4(data);
        vm.assume(
            selector != IRecords.record.selector && selector != IRecords.recordMany.selector
                && selector != IRecords.recordBySig.selector && selector != IRecords.retract.selector
                && selector != IAttestations.attestWithEvidence.selector
                && selector != IAttestations.attestBySig.selector
                && selector != IAttestations.attestWithEvidenceBySig.selector
                && selector != IForeignAttestations.attestForeignWithEvidence.selector
                && selector != IBatches.materialize.selector && selector != ISeals.reveal.selector
                && selector != ISeals.revealVerdictWithEvidence.selector
        );
        _anyTime();
        _around(caller, data, selector);
    }

    function _check(address caller, bytes4 selector) internal {
        bytes memory data = _only(selector);
        _anyTime();
        _around(caller, data, selector);
    }
}
