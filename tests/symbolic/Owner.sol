// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";

import {IGroups} from "../../interfaces/IGroups.sol";
import {ILabRegistry} from "../../interfaces/ILabRegistry.sol";
import {EveryFunction} from "./EveryFunction.sol";

/// @notice Whether the caller owns the registry makes no difference to any call but those that are the owner's.
/// @custom:halmos --default-array-lengths 0 --default-bytes-lengths 65 --loop 8
contract OwnerProof is EveryFunction {
    struct Probe {
        bytes32 id;
        uint32 group;
        address account;
        bytes32 name;
    }

    /// @dev The same call twice, from the same state but for the owner, which is the caller once and any other once.
    function _around(address caller, bytes memory data, bytes4 selector) internal override {
        vm.assume(
            selector != IGroups.createGroup.selector && selector != ILabRegistry.announceSuccessor.selector
                && selector != Ownable.renounceOwnership.selector && selector != Ownable.transferOwnership.selector
                && selector != Ownable2Step.acceptOwnership.selector
        );
        address other = svm.createAddress("other owner");
        vm.assume(other != caller);
        Probe memory probe = Probe({
            id: svm.createBytes32("id"),
            group: uint32(svm.createUint(32, "group")),
            account: svm.createAddress("account"),
            name: svm.createBytes32("commitment or root")
        });
        bytes32 asOwner = _outcome(caller, caller, data, probe);
        bytes32 asStranger = _outcome(other, caller, data, probe);
        assert(asOwner == asStranger);
    }

    function _outcome(address owner, address caller, bytes memory data, Probe memory probe)
        private
        returns (bytes32 result)
    {
        try this.attempt(owner, caller, data, probe) {
            assert(false);
        } catch (bytes memory outcome) {
            result = keccak256(outcome);
        }
    }

    /// @dev Always reverts, with what the call did, so that nothing of it stays.
    function attempt(address owner, address caller, bytes calldata data, Probe calldata probe) external {
        vm.store(address(registry), bytes32(SLOT_OWNER), bytes32(uint256(uint160(owner))));
        vm.prank(caller);
        (bool success, bytes memory answer) = address(registry).call(data);
        bytes memory outcome = abi.encode(
            success,
            answer,
            _record(probe.id),
            _membership(probe.group, probe.account),
            _attestation(probe.id, probe.group),
            _groupOwner(probe.group),
            _sealedAt(probe.group, probe.account, probe.name),
            _batch(probe.group, probe.account, probe.name)
        );
        assembly ("memory-safe") {
            revert(add(outcome, 0x20), mload(outcome))
        }
    }
}
