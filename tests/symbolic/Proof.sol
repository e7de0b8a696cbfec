// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {LabRegistry} from "../../contracts/LabRegistry.sol";
import {IForeignAttestations} from "../../interfaces/IForeignAttestations.sol";
import {RecordKey} from "../../interfaces/IRecords.sol";
import {memberId, MemberId} from "../../contracts/types/MembershipSlot.sol";

interface IVm {
    function assume(bool condition) external pure;
    function chainId(uint256 id) external;
    function getCode(string calldata contractName) external view returns (bytes memory);
    function load(address account, bytes32 slot) external view returns (bytes32);
    function prank(address caller) external;
    function store(address account, bytes32 slot, bytes32 word) external;
    function warp(uint256 time) external;
}

interface ISvm {
    function createAddress(string calldata name) external returns (address);
    function createBool(string calldata name) external returns (bool);
    function createBytes32(string calldata name) external returns (bytes32);
    function createCalldata(string calldata contractName) external returns (bytes memory);
    function createUint(uint256 bits, string calldata name) external returns (uint256);
    function createUint256(string calldata name) external returns (uint256);
    function enableSymbolicStorage(address account) external;
}

/// @notice A registry in any state whatever, and anybody who calls anything of it at any time.
/// @dev Nothing is assumed of the storage, so that what is proven of one call holds after any number of calls. The slots of
/// the storage are written down here; tools/prove.py compares them with the compiler's.
abstract contract Proof {
    IVm internal constant vm = IVm(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);
    ISvm internal constant svm = ISvm(0xF3993A62377BCd56AE39D773740A5390411E8BC9);

    uint256 internal constant SLOT_OWNER = 0;
    uint256 internal constant SLOT_PENDING_OWNER = 1;
    uint256 internal constant SLOT_LAST_GROUP = 4;
    uint256 internal constant SLOT_GROUPS = 5;
    uint256 internal constant SLOT_MEMBERSHIPS = 6;
    uint256 internal constant SLOT_INVITED = 7;
    uint256 internal constant SLOT_RECORDS = 8;
    uint256 internal constant SLOT_ATTESTATIONS = 9;
    uint256 internal constant SLOT_SEALED_AT = 10;
    uint256 internal constant SLOT_BATCHES = 12;

    LabRegistry internal registry;

    function setUp() public virtual {
        registry = _deploy();
    }

    function _deploy() internal returns (LabRegistry deployed) {
        // by its code: with `new`, the compiler would optimise the registry anew for every contract here
        bytes memory creation = bytes.concat(
            vm.getCode(".build/prove/out/LabRegistry.sol/LabRegistry.json"),
            abi.encode(address(0xA11CE), svm.createBool("openGroupCreation"))
        );
        assembly ("memory-safe") {
            deployed := create(0, add(creation, 0x20), mload(creation))
        }
        assert(address(deployed) != address(0));
        svm.enableSymbolicStorage(address(deployed));
        vm.store(address(deployed), bytes32(SLOT_OWNER), bytes32(uint256(uint160(svm.createAddress("owner")))));
        vm.store(
            address(deployed), bytes32(SLOT_PENDING_OWNER), bytes32(uint256(uint160(svm.createAddress("pendingOwner"))))
        );
    }

    /// @dev Any call of any function, with arrays of the lengths that stand above each proof.
    function _anyCall() internal virtual returns (bytes memory) {
        return svm.createCalldata("LabRegistry");
    }

    /// @dev Any call of one function.
    function _only(bytes4 selector) internal returns (bytes memory data) {
        data = _anyCall();
        vm.assume(bytes4(data) == selector);
        // of a foreign record's chain the digits are written, which needs their number: chain 1 stands for all
        if (selector == IForeignAttestations.attestForeignWithEvidence.selector) {
            assembly ("memory-safe") {
                mstore(add(data, 0x44), 1)
            }
        }
    }

    /// @dev The word of this index of a call's arguments.
    function _word(bytes memory data, uint256 index) internal pure returns (bytes32 word) {
        assembly ("memory-safe") {
            word := mload(add(add(data, 0x24), mul(index, 0x20)))
        }
    }

    /// @dev Any time from 1970 to the year 36812, where 40 bits end.
    function _anyTime() internal returns (uint40 time) {
        time = uint40(svm.createUint(40, "time"));
        vm.assume(time != 0);
        vm.warp(time);
    }

    function _callAs(address caller, bytes memory data) internal returns (bool success) {
        vm.prank(caller);
        (success,) = address(registry).call(data);
    }

    function _load(bytes32 slot) internal view returns (uint256) {
        return uint256(vm.load(address(registry), slot));
    }

    function _record(bytes32 id) internal view returns (uint256) {
        return _load(keccak256(abi.encode(id, SLOT_RECORDS)));
    }

    function _membership(uint32 group, address account) internal view returns (uint256) {
        return _load(keccak256(abi.encode(MemberId.unwrap(memberId(group, account)), SLOT_MEMBERSHIPS)));
    }

    function _invited(bytes32 invitationHash) internal view returns (bool) {
        return uint8(_load(keccak256(abi.encode(invitationHash, SLOT_INVITED)))) != 0;
    }

    function _groupOwner(uint32 group) internal view returns (address) {
        return address(uint160(_load(keccak256(abi.encode(group, SLOT_GROUPS)))));
    }

    function _pendingGroupOwner(uint32 group) internal view returns (address) {
        return address(uint160(_load(bytes32(uint256(keccak256(abi.encode(group, SLOT_GROUPS))) + 1))));
    }

    function _attestation(bytes32 recordId, uint32 group) internal view returns (uint256) {
        return _load(keccak256(abi.encode(group, keccak256(abi.encode(recordId, SLOT_ATTESTATIONS)))));
    }

    function _sealedAt(uint32 group, address author, bytes32 commitment) internal view returns (uint40) {
        bytes32 author_ = MemberId.unwrap(memberId(group, author));
        return uint40(_load(keccak256(abi.encode(commitment, keccak256(abi.encode(author_, SLOT_SEALED_AT))))));
    }

    function _batch(uint32 group, address author, bytes32 root) internal view returns (uint256) {
        bytes32 author_ = MemberId.unwrap(memberId(group, author));
        return _load(keccak256(abi.encode(root, keccak256(abi.encode(author_, SLOT_BATCHES)))));
    }

    function _holds(uint32 group, address account, uint32 roles) internal view returns (bool) {
        uint256 slot = _membership(group, account);
        return uint32(slot) & roles != 0 && block.timestamp < uint40(slot >> 72);
    }

    /// @dev The word of a record that nobody has said anything of yet.
    function _fresh(RecordKey memory key, uint40 recordedAt, uint40 sealedAt, uint8 flags)
        internal
        pure
        returns (uint256)
    {
        return uint256(recordedAt) | uint256(sealedAt) << 80 | uint256(key.group) << 120 | uint256(key.kind) << 152
            | uint256(flags) << 160;
    }

    /// @dev EIP-712 as it is written, without a line of the registry's.
    function _recordHash(RecordKey memory key) internal pure returns (bytes32) {
        bytes32[] memory links = new bytes32[](key.parents.length);
        bytes32 linkTypehash = keccak256("Link(bytes32 parent,uint8 relation)");
        for (uint256 i = 0; i < links.length; ++i) {
            links[i] = keccak256(abi.encode(linkTypehash, key.parents[i].parent, key.parents[i].relation));
        }
        bytes32 typehash = keccak256(
            "Record(uint32 group,address author,uint8 subjectType,bytes32 subject,uint8 kind,bytes32 manifest,Link[] parents)"
            "Link(bytes32 parent,uint8 relation)"
        );
        return keccak256(
            abi.encode(
                typehash,
                key.group,
                key.author,
                key.subjectType,
                key.subject,
                key.kind,
                key.manifest,
                keccak256(abi.encodePacked(links))
            )
        );
    }

    function _domain(uint256 chain) internal view returns (bytes32) {
        return keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("BlockchainTracer LabRegistry"),
                keccak256("1"),
                chain,
                address(registry)
            )
        );
    }
}
