// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {IERC165} from "@openzeppelin/contracts/utils/introspection/IERC165.sol";

import {IForeignAttestations} from "../../interfaces/IForeignAttestations.sol";
import {ISeals} from "../../interfaces/ISeals.sol";

/// @notice Seals of a later version, which have a function more.
interface ILaterSeals is ISeals {
    function isSealed(uint32 group, address author, bytes32[] calldata commitments) external view returns (bool);
}

/// @notice A later version of a registry, as those see it who read it: one function more, one interface given up.
contract LaterRegistry is IERC165 {
    address private immutable _first;

    constructor(address first) {
        _first = first;
    }

    fallback(bytes calldata question) external returns (bytes memory) {
        return Address.functionStaticCall(_first, question);
    }

    function isSealed(uint32 group, address author, bytes32[] calldata commitments) external view returns (bool) {
        for (uint256 i = 0; i < commitments.length; ++i) {
            if (ISeals(_first).sealedAt(group, author, commitments[i]) == 0) return false;
        }
        return true;
    }

    function supportsInterface(bytes4 id) external view returns (bool) {
        if (id == type(IForeignAttestations).interfaceId) return false;
        return id == (type(ISeals).interfaceId ^ type(ILaterSeals).interfaceId)
            || IERC165(_first).supportsInterface(id);
    }
}
