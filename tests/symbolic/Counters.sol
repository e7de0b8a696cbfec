// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IAttestations} from "../../interfaces/IAttestations.sol";
import {RecordKey} from "../../interfaces/IRecords.sol";
import {Proof} from "./Proof.sol";

/// @notice A record's counters change by exactly what its groups' verdicts change by.
/// @dev Taken for granted: a verdict that is stored is one of the five, and is counted, which holds of an empty registry.
/// @custom:halmos --default-array-lengths 0,1 --default-bytes-lengths 65 --loop 8
contract CountersProof is Proof {
    uint256 private constant COUNTER_MAX = (1 << 22) - 1;

    uint32 private _other;

    function check_attest(bytes32 id, uint32 group, IAttestations.Verdict verdict, address caller) public {
        _anyTime();
        (uint256 word, uint256 current, uint256 others) = _before(id, group);
        vm.prank(caller);
        registry.attest(group, id, verdict);
        assert(_verdict(_attestation(id, group)) == uint256(verdict));
        _after(id, group, word, current, others);
    }

    function check_attestWithEvidence(
        bytes32 id,
        uint32 group,
        IAttestations.Verdict verdict,
        RecordKey memory evidence,
        address caller
    ) public {
        _anyTime();
        (uint256 word, uint256 current, uint256 others) = _before(id, group);
        vm.prank(caller);
        registry.attestWithEvidence(group, id, verdict, evidence);
        assert(_verdict(_attestation(id, group)) == uint256(verdict));
        _after(id, group, word, current, others);
    }

    function check_withdraw(bytes32 id, uint32 group, address caller) public {
        _anyTime();
        (uint256 word, uint256 current, uint256 others) = _before(id, group);
        vm.prank(caller);
        registry.withdraw(group, id);
        assert(_verdict(_attestation(id, group)) == 0);
        _after(id, group, word, current, others);
    }

    /// @dev Retracting a Run takes back what stands on it, here of any record, its parent or not.
    function check_retract(RecordKey memory key, bytes32 reason, bytes32 id, address caller) public {
        _anyTime();
        vm.assume(id != registry.idOf(key));
        (uint256 word, uint256 current, uint256 others) = _before(id, key.group);
        vm.prank(caller);
        registry.retract(key, reason);
        _after(id, key.group, word, current, others);
    }

    /// @dev The record's word, its group's verdict, and that of any other group.
    function _before(bytes32 id, uint32 group) private returns (uint256 word, uint256 current, uint256 others) {
        uint32 other = uint32(svm.createUint(32, "other group"));
        vm.assume(other != group);
        _other = other;
        (word, current, others) = (_record(id), _attestation(id, group), _attestation(id, other));
        uint256 verdict = _verdict(current);
        vm.assume(verdict <= 4 && (verdict == 0 || _count(word, verdict) != 0));
    }

    function _after(bytes32 id, uint32 group, uint256 word, uint256 current, uint256 others) private view {
        uint256 after_ = _record(id);
        uint256 was = _verdict(current);
        uint256 is_ = _verdict(_attestation(id, group));
        for (uint256 verdict = 1; verdict <= 4; ++verdict) {
            uint256 count = _count(word, verdict);
            // one that is full stays full: see RecordSlot
            if (was == verdict && count != COUNTER_MAX) --count;
            if (is_ == verdict && count != COUNTER_MAX) ++count;
            assert(_count(after_, verdict) == count);
        }
        assert(uint168(after_) == uint168(word));
        assert(_attestation(id, _other) == others);
    }

    function _verdict(uint256 attestation) private pure returns (uint256) {
        return uint8(attestation);
    }

    function _count(uint256 word, uint256 verdict) private pure returns (uint256) {
        return word >> (168 + 22 * (verdict - 1)) & COUNTER_MAX;
    }
}
