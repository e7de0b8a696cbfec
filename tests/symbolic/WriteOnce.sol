// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IBatches} from "../../interfaces/IBatches.sol";
import {IRecords} from "../../interfaces/IRecords.sol";
import {ISeals} from "../../interfaces/ISeals.sol";
import {EveryFunction} from "./EveryFunction.sol";

/// @notice No call of anything by anybody changes a stored record but by retracting it once, nor a seal, nor a batch; and
/// what is new has the block's time.
/// @custom:halmos --default-array-lengths 0,1 --default-bytes-lengths 65 --loop 8
contract WriteOnceProof is EveryFunction {
    /// @dev recordedAt, sealedAt, group, kind and flags, as drawn above RecordSlot.
    uint256 private constant FIXED = (1 << 40) - 1 | ((1 << 40) - 1) << 80 | ((1 << 48) - 1) << 120;

    function _around(address caller, bytes memory data, bytes4 selector) internal override {
        bytes32 id = svm.createBytes32("id");
        uint32 group = uint32(svm.createUint(32, "group"));
        address author = svm.createAddress("author");
        bytes32 name = svm.createBytes32("commitment or root");
        uint256 record = _record(id);
        uint40 sealedAt = _sealedAt(group, author, name);
        uint256 batch = _batch(group, author, name);

        bool success = _callAs(caller, data);

        _assertRecord(record, _record(id), selector);
        uint40 sealedAfter = _sealedAt(group, author, name);
        if (sealedAfter != sealedAt) {
            assert(success && selector == ISeals.seal.selector);
            assert(sealedAt == 0 && sealedAfter == block.timestamp && author == caller);
        }
        uint256 batchAfter = _batch(group, author, name);
        if (batchAfter != batch && selector == IBatches.endBatch.selector) {
            assert(uint40(batch) != 0 && uint40(batch >> 96) == 0);
            assert(batchAfter == batch | block.timestamp << 96);
        } else if (batchAfter != batch) {
            assert(success && (selector == IBatches.anchor.selector || selector == IBatches.anchorLeaves.selector));
            assert(uint40(batch) == 0 && uint40(batchAfter) == block.timestamp && author == caller);
        }
    }

    function _assertRecord(uint256 before, uint256 after_, bytes4 selector) private view {
        if (after_ == before) return;
        if (uint40(before) != 0) {
            assert((after_ ^ before) & FIXED == 0);
            if (uint40(after_ >> 40) != uint40(before >> 40)) {
                assert(selector == IRecords.retract.selector);
                assert(uint40(before >> 40) == 0 && uint40(after_ >> 40) == block.timestamp);
            }
        } else if (selector == IRecords.cancel.selector) {
            // the flag alone: nothing that makes it a record
            assert(after_ == before | uint256(2) << 160);
        } else if (uint40(after_) != 0) {
            assert(selector == IBatches.materialize.selector || uint40(after_) == block.timestamp);
            // neither retracted nor counted at its birth, but for the verdict on something else
            assert(uint40(after_ >> 40) == 0 && after_ >> 168 == 0);
        }
    }
}
