// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {LabRegistry} from "../../contracts/LabRegistry.sol";
import {RecordKey} from "../../interfaces/IRecords.sol";
import {Proof} from "./Proof.sol";

/// @notice What an id says of its key, as far as keccak256 has no collision.
/// @custom:halmos --default-array-lengths 0,1,2
contract IdsProof is Proof {
    uint256 private _chain;

    /// @dev On a chain of any number: the registry's cached domain then holds that number.
    function setUp() public override {
        _chain = svm.createUint(64, "chain");
        vm.chainId(_chain);
        super.setUp();
    }

    function check_equalIdsAreOfEqualKeys(RecordKey memory a, RecordKey memory b) public view {
        if (registry.idOf(a) != registry.idOf(b)) return;
        assert(a.group == b.group);
        assert(a.kind == b.kind);
        assert(a.subjectType == b.subjectType);
        assert(a.author == b.author);
        assert(a.subject == b.subject);
        assert(a.manifest == b.manifest);
        assert(a.parents.length == b.parents.length);
        for (uint256 i = 0; i < a.parents.length; ++i) {
            assert(a.parents[i].parent == b.parents[i].parent);
            assert(a.parents[i].relation == b.parents[i].relation);
        }
    }

    function check_equalKeysHaveEqualIds(RecordKey memory a, address caller) public {
        bytes32 id = registry.idOf(a);
        vm.prank(caller);
        _anyTime();
        assert(registry.idOf(a) == id);
    }

    function check_idsDifferBetweenRegistries(RecordKey memory a, RecordKey memory b) public {
        LabRegistry other = _deploy();
        assert(registry.idOf(a) != other.idOf(b));
    }

    /// @dev Even at the same address: as `check_idIsTheTypedDataHash` says, `b` has this id there.
    function check_idsDifferBetweenChains(RecordKey memory a, RecordKey memory b, uint64 other) public view {
        if (other == _chain) return;
        assert(registry.idOf(a) != _idOn(other, b));
    }

    /// @dev Under the chain's number at deployment, whatever number the chain has taken since.
    function check_idIsTheTypedDataHash(RecordKey memory key, uint64 chain) public {
        vm.chainId(chain);
        assert(registry.idOf(key) == _idOn(_chain, key));
    }

    function _idOn(uint256 chain, RecordKey memory key) private view returns (bytes32) {
        return keccak256(abi.encodePacked(hex"1901", _domain(chain), _recordHash(key)));
    }
}
