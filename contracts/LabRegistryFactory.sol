// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Create2} from "@openzeppelin/contracts/utils/Create2.sol";

import {ILabRegistryFactory} from "../interfaces/ILabRegistryFactory.sol";
import {LabRegistry} from "./LabRegistry.sol";

/// @title The factory of registries
/// @notice Has no argument that could differ from chain to chain, so that its own address needn't either.
contract LabRegistryFactory is ILabRegistryFactory {
    /// @inheritdoc ILabRegistryFactory
    address public immutable creationCode;

    /// @inheritdoc ILabRegistryFactory
    mapping(address registry => bool) public isGenuine;

    constructor() {
        creationCode = address(new CreationCode(bytes.concat(hex"00", type(LabRegistry).creationCode)));
    }

    /// @inheritdoc ILabRegistryFactory
    function deploy(address owner, bool openGroupCreation, bytes32 salt) external returns (address registry) {
        bytes memory code = _codeOf(owner, openGroupCreation);
        registry = Create2.computeAddress(salt, keccak256(code));
        if (isGenuine[registry]) return registry;
        // a registry's constructor calls nobody, so nothing can come between
        registry = Create2.deploy(0, salt, code);
        isGenuine[registry] = true;
        emit RegistryDeployed(registry, owner, openGroupCreation, salt);
    }

    /// @inheritdoc ILabRegistryFactory
    function addressOf(address owner, bool openGroupCreation, bytes32 salt) external view returns (address) {
        return Create2.computeAddress(salt, keccak256(_codeOf(owner, openGroupCreation)));
    }

    /// @dev The registry's creation code and its constructor's arguments. The ABI decoder has refused an owner of more
    /// than 20 bytes and a flag other than 0 and 1, so that the same settings have one encoding.
    function _codeOf(address owner, bool openGroupCreation) private view returns (bytes memory) {
        address data = creationCode;
        // without the STOP in front
        bytes memory code = new bytes(data.code.length - 1);
        assembly ("memory-safe") {
            extcodecopy(data, add(code, 32), 1, mload(code))
        }
        return abi.encodePacked(code, abi.encode(owner, openGroupCreation));
    }
}

/// @title Creation code that is kept as a contract's code
contract CreationCode {
    /// @param data becomes the whole code; the chain refuses more than 24,576 bytes (EIP-170)
    constructor(bytes memory data) {
        assembly ("memory-safe") {
            return(add(data, 32), mload(data))
        }
    }
}
