// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Create2} from "@openzeppelin/contracts/utils/Create2.sol";

import {ILabRegistryFactory} from "../interfaces/ILabRegistryFactory.sol";
import {LabRegistry} from "./LabRegistry.sol";

/// @title The factory of registries
/// @notice Has no argument that could differ from chain to chain, so that its own address needn't either.
contract LabRegistryFactory is ILabRegistryFactory {
    address private immutable _firstHalf;
    address private immutable _secondHalf;

    /// @inheritdoc ILabRegistryFactory
    mapping(address registry => bool) public isGenuine;

    constructor() {
        bytes memory code = type(LabRegistry).creationCode;
        uint256 middle = code.length / 2;
        _firstHalf = address(new CodePart(code, 0, middle));
        _secondHalf = address(new CodePart(code, middle, code.length));
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

    /// @inheritdoc ILabRegistryFactory
    function creationCode() external view returns (address firstHalf, address secondHalf) {
        return (_firstHalf, _secondHalf);
    }

    /// @dev The registry's creation code and its constructor's arguments. The ABI decoder has refused an owner of more
    /// than 20 bytes and a flag other than 0 and 1, so that the same settings have one encoding.
    function _codeOf(address owner, bool openGroupCreation) private view returns (bytes memory) {
        return bytes.concat(_partOf(_firstHalf), _partOf(_secondHalf), abi.encode(owner, openGroupCreation));
    }

    /// @dev What a contract holds behind the STOP in front.
    function _partOf(address holder) private view returns (bytes memory part) {
        part = new bytes(holder.code.length - 1);
        assembly ("memory-safe") {
            extcodecopy(holder, add(part, 32), 1, mload(part))
        }
    }
}

/// @title A part of some code that is kept as a contract's code, behind a STOP
contract CodePart {
    /// @param code of which the bytes from `start` to before `end` are kept
    constructor(bytes memory code, uint256 start, uint256 end) {
        assembly ("memory-safe") {
            // the byte in front of the part: of the length, or of another part
            let head := add(add(code, 31), start)
            mstore8(head, 0)
            return(head, add(sub(end, start), 1))
        }
    }
}
