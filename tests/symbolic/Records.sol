// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ROLE_MAINTAINER, ROLE_RECORDER} from "../../interfaces/IGroups.sol";
import {RecordKey} from "../../interfaces/IRecords.sol";
import {Proof} from "./Proof.sol";

/// @notice What is stored of a new record, by whom, and that its time follows its parents'; who retracts.
/// @custom:halmos --default-array-lengths 0,1,2 --default-bytes-lengths 65 --loop 8
contract RecordsProof is Proof {
    function check_record(RecordKey memory key, address caller) public {
        uint40 time = _anyTime();
        uint256 before = _record(registry.idOf(key));
        vm.prank(caller);
        bytes32 id = registry.record(key);
        assert(uint40(before) == 0);
        assert(caller == key.author && _holds(key.group, caller, ROLE_RECORDER));
        assert(_record(id) == _fresh(key, time, 0, 0));
        _assertParents(key, time);
    }

    /// @custom:halmos --array-lengths keys={1,2},keys[0].parents={0,1},keys[1].parents={0,1}
    function check_recordMany(RecordKey[] memory keys, address caller) public {
        uint40 time = _anyTime();
        uint256[] memory before = new uint256[](keys.length);
        for (uint256 i = 0; i < keys.length; ++i) {
            before[i] = _record(registry.idOf(keys[i]));
        }
        vm.prank(caller);
        bytes32[] memory ids = registry.recordMany(keys);
        for (uint256 i = 0; i < keys.length; ++i) {
            assert(caller == keys[i].author);
            if (uint40(before[i]) != 0) {
                assert(_record(ids[i]) == before[i]);
            } else {
                assert(_holds(keys[i].group, caller, ROLE_RECORDER));
                assert(_record(ids[i]) == _fresh(keys[i], time, 0, 0));
                _assertParents(keys[i], time);
            }
        }
    }

    function check_reveal(RecordKey memory key, bytes32 salt, address caller) public {
        uint40 time = _anyTime();
        uint256 before = _record(registry.idOf(key));
        vm.prank(caller);
        bytes32 id = registry.reveal(key, salt);
        bytes32 typehash = keccak256("RecordCommitment(bytes32 recordId,bytes32 salt)");
        uint40 sealedAt = _sealedAt(key.group, caller, keccak256(abi.encode(typehash, id, salt)));
        assert(uint40(before) == 0 && sealedAt != 0);
        assert(caller == key.author && _holds(key.group, caller, ROLE_RECORDER));
        assert(_record(id) == _fresh(key, time, sealedAt, 0));
        _assertParents(key, time);
    }

    /// @custom:halmos --array-lengths proof={0,1,2},key.parents={0,1}
    function check_materialize(RecordKey memory key, bytes32 root, bytes32[] memory proof, address caller) public {
        _anyTime();
        uint256 before = _record(registry.idOf(key));
        uint256 batch = _batch(key.group, key.author, root);
        uint40 anchoredAt = uint40(batch);
        vm.prank(caller);
        bytes32 id = registry.materialize(key, root, proof);
        // neither stored nor cancelled
        assert(uint40(before) == 0 && uint8(before >> 160) & 2 == 0);
        assert(anchoredAt != 0 && uint40(batch >> 96) == 0);
        assert(_record(id) == _fresh(key, anchoredAt, 0, 1));
        _assertParents(key, anchoredAt);
    }

    function check_retract(RecordKey memory key, bytes32 reason, address caller) public {
        uint40 time = _anyTime();
        uint256 before = _record(registry.idOf(key));
        bool byAuthor = caller == key.author && _holds(key.group, caller, ROLE_RECORDER);
        vm.prank(caller);
        bytes32 id = registry.retract(key, reason);
        assert(uint40(before) != 0 && uint40(before >> 40) == 0);
        assert(byAuthor || _holds(key.group, caller, ROLE_MAINTAINER));
        assert(uint40(_record(id) >> 40) == time);
    }

    function check_cancel(RecordKey memory key, address caller) public {
        _anyTime();
        uint256 before = _record(registry.idOf(key));
        vm.prank(caller);
        bytes32 id = registry.cancel(key);
        bool byAuthor = caller == key.author && _holds(key.group, caller, ROLE_RECORDER);
        assert(byAuthor || _holds(key.group, caller, ROLE_MAINTAINER));
        assert(uint40(before) == 0);
        assert(_record(id) == before | uint256(2) << 160);
    }

    function check_endBatch(uint32 group, address author, bytes32 root, address caller) public {
        uint40 time = _anyTime();
        uint256 before = _batch(group, author, root);
        bool byAuthor = caller == author && _holds(group, caller, ROLE_RECORDER);
        vm.prank(caller);
        registry.endBatch(group, author, root);
        assert(byAuthor || _holds(group, caller, ROLE_MAINTAINER));
        assert(uint40(before) != 0 && uint40(before >> 96) == 0);
        assert(_batch(group, author, root) == before | uint256(time) << 96);
    }

    function _assertParents(RecordKey memory key, uint40 time) private view {
        for (uint256 i = 0; i < key.parents.length; ++i) {
            uint40 parentsTime = uint40(_record(key.parents[i].parent));
            assert(parentsTime != 0 && parentsTime <= time);
            if (i == 0) continue;
            bytes32 last = key.parents[i - 1].parent;
            assert(
                last < key.parents[i].parent || last == key.parents[i].parent
                    && key.parents[i - 1].relation < key.parents[i].relation
            );
        }
    }
}
