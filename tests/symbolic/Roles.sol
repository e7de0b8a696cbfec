// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IAttestations} from "../../interfaces/IAttestations.sol";
import {IBatches} from "../../interfaces/IBatches.sol";
import {IForeignAttestations} from "../../interfaces/IForeignAttestations.sol";
import {IGroups, ROLE_MAINTAINER, ROLE_RECORDER, ROLE_REVIEWER} from "../../interfaces/IGroups.sol";
import {IRecords} from "../../interfaces/IRecords.sol";
import {ISeals} from "../../interfaces/ISeals.sol";
import {EveryFunction} from "./EveryFunction.sol";

/// @notice Whoever changes something of a group holds the role for it in that group, at that time.
/// @custom:halmos --default-array-lengths 0,1 --default-bytes-lengths 65 --loop 8 --solver-timeout-assertion 20m
contract RolesProof is EveryFunction {
    struct Rights {
        bool owns;
        bool maintains;
        bool records;
        bool reviews;
    }

    bool private _others;

    function check_createGroup(address caller) public {
        _check(caller, IGroups.createGroup.selector);
    }

    function check_describeGroup(address caller) public {
        _check(caller, IGroups.describeGroup.selector);
    }

    function check_transferGroup(address caller) public {
        _check(caller, IGroups.transferGroup.selector);
    }

    function check_acceptGroup(address caller) public {
        _check(caller, IGroups.acceptGroup.selector);
    }

    function check_invite(address caller) public {
        _check(caller, IGroups.invite.selector);
    }

    function check_join(address caller) public {
        _check(caller, IGroups.join.selector);
    }

    function check_joinBySig(address caller) public {
        _check(caller, IGroups.joinBySig.selector);
    }

    function check_removeMember(address caller) public {
        _check(caller, IGroups.removeMember.selector);
    }

    function check_cancel(address caller) public {
        _check(caller, IRecords.cancel.selector);
    }

    function check_attest(address caller) public {
        _check(caller, IAttestations.attest.selector);
    }

    function check_withdraw(address caller) public {
        _check(caller, IAttestations.withdraw.selector);
    }

    function check_attestForeign(address caller) public {
        _check(caller, IForeignAttestations.attestForeign.selector);
    }

    function check_anchor(address caller) public {
        _check(caller, IBatches.anchor.selector);
    }

    function check_anchorLeaves(address caller) public {
        _check(caller, IBatches.anchorLeaves.selector);
    }

    function check_endBatch(address caller) public {
        _check(caller, IBatches.endBatch.selector);
    }

    function check_seal(address caller) public {
        _check(caller, ISeals.seal.selector);
    }

    function check_revealVerdict(address caller) public {
        _check(caller, ISeals.revealVerdict.selector);
    }

    /// @dev One statement for these took hours, and nothing is kept of a statement that has not ended.
    function check_everyOther(address caller) public override {
        _others = true;
        super.check_everyOther(caller);
    }

    function _anyCall() internal override returns (bytes memory data) {
        data = super._anyCall();
        if (_others) vm.assume(!_isOfItsOwn(bytes4(data)));
    }

    function _around(address caller, bytes memory data, bytes4 selector) internal override {
        uint32 group = uint32(svm.createUint(32, "group"));
        address account = svm.createAddress("account");
        bytes32 id = svm.createBytes32("id");
        uint256 lastGroup = uint32(_load(bytes32(SLOT_LAST_GROUP)));
        uint256 membership = _membership(group, account);
        uint256 attestation = _attestation(id, group);
        address owner = _groupOwner(group);
        address pendingOwner = _pendingGroupOwner(group);
        Rights memory rights = Rights({
            owns: owner == caller,
            maintains: _holds(group, caller, ROLE_MAINTAINER),
            records: _holds(group, caller, ROLE_RECORDER),
            reviews: _holds(group, caller, ROLE_REVIEWER)
        });

        bool success = _callAs(caller, data);

        if (success) _assertRole(selector, data, group, rights);
        if (_attestation(id, group) != attestation) {
            if (selector == IRecords.retract.selector) assert(rights.records || rights.maintains);
            // of a signed one, see SignaturesProof
            else assert(_isSigned(selector) || rights.reviews);
        }
        if (selector == IGroups.createGroup.selector && group == lastGroup + 1) return;
        _assertMembership(membership, _membership(group, account), account == caller, selector, rights);
        if (_groupOwner(group) != owner) {
            assert(selector == IGroups.acceptGroup.selector && caller == pendingOwner);
            assert(_groupOwner(group) == caller);
        }
        if (_pendingGroupOwner(group) != pendingOwner) {
            assert(
                selector == IGroups.transferGroup.selector && rights.owns || selector == IGroups.acceptGroup.selector
                    && caller == pendingOwner
            );
        }
    }

    /// @dev The group of a call is its first word.
    function _assertRole(bytes4 selector, bytes memory data, uint32 group, Rights memory rights) private pure {
        if (uint256(_word(data, 0)) != group) return;
        if (selector == IBatches.anchor.selector || selector == IBatches.anchorLeaves.selector) {
            assert(rights.records);
        } else if (selector == IBatches.endBatch.selector) {
            assert(rights.records || rights.maintains);
        } else if (selector == ISeals.seal.selector) {
            assert(rights.records || rights.reviews);
        } else if (
            selector == IAttestations.attest.selector || selector == IAttestations.attestWithEvidence.selector
                || selector == IAttestations.withdraw.selector || selector == ISeals.revealVerdict.selector
                || selector == ISeals.revealVerdictWithEvidence.selector
                || selector == IForeignAttestations.attestForeign.selector
                || selector == IForeignAttestations.attestForeignWithEvidence.selector
        ) {
            assert(rights.reviews);
        }
    }

    /// @dev Whether a function that `EveryFunction` does not name has a check of its own here.
    function _isOfItsOwn(bytes4 selector) private pure returns (bool) {
        return _changesGroups(selector) || _changesVerdicts(selector) || _commits(selector);
    }

    function _changesGroups(bytes4 selector) private pure returns (bool) {
        return selector == IGroups.createGroup.selector || selector == IGroups.describeGroup.selector
            || selector == IGroups.transferGroup.selector || selector == IGroups.acceptGroup.selector
            || selector == IGroups.invite.selector || selector == IGroups.join.selector
            || selector == IGroups.joinBySig.selector || selector == IGroups.removeMember.selector;
    }

    function _changesVerdicts(bytes4 selector) private pure returns (bool) {
        return selector == IAttestations.attest.selector || selector == IAttestations.withdraw.selector
            || selector == IForeignAttestations.attestForeign.selector || selector == ISeals.revealVerdict.selector;
    }

    function _commits(bytes4 selector) private pure returns (bool) {
        return selector == IRecords.cancel.selector || selector == ISeals.seal.selector
            || selector == IBatches.anchor.selector || selector == IBatches.anchorLeaves.selector
            || selector == IBatches.endBatch.selector;
    }

    function _isSigned(bytes4 selector) private pure returns (bool) {
        return
            selector == IAttestations.attestBySig.selector || selector == IAttestations.attestWithEvidenceBySig.selector;
    }

    function _assertMembership(uint256 before, uint256 after_, bool own, bytes4 selector, Rights memory rights)
        private
        view
    {
        if (after_ == before) return;
        if (selector == IGroups.joinBySig.selector || selector == IGroups.join.selector) {
            // the account consents; of the inviter's right, see SignaturesProof
            assert(own);
            return;
        }
        if (selector == IGroups.acceptGroup.selector) {
            // of the owner before, and nothing but the version; above it no history leads to a bit
            assert(uint112(after_) == uint112(before));
            return;
        }
        assert(selector == IGroups.removeMember.selector);
        assert(own || rights.owns || rights.maintains);
        bool ofMaintainer = uint32(before) & ROLE_MAINTAINER != 0 && block.timestamp < uint40(before >> 72);
        assert(own || rights.owns || !ofMaintainer);
        // it ends, and nothing else but its version changes
        assert(uint72(after_) == uint72(before));
        assert(uint40(after_ >> 72) <= uint40(before >> 72) && uint40(after_ >> 72) <= block.timestamp);
    }
}
