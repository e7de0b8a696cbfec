// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {ERC165} from "@openzeppelin/contracts/utils/introspection/ERC165.sol";

import {IAttestations} from "../interfaces/IAttestations.sol";
import {IBatches} from "../interfaces/IBatches.sol";
import {IForeignAttestations} from "../interfaces/IForeignAttestations.sol";
import {IGroups} from "../interfaces/IGroups.sol";
import {ILabRegistry} from "../interfaces/ILabRegistry.sol";
import {ILineage} from "../interfaces/ILineage.sol";
import {IRecords} from "../interfaces/IRecords.sol";
import {ISeals} from "../interfaces/ISeals.sol";
import {Batches} from "./modules/Batches.sol";
import {ForeignAttestations} from "./modules/ForeignAttestations.sol";
import {Groups} from "./modules/Groups.sol";
import {LineageStatus} from "./modules/LineageStatus.sol";
import {Seals} from "./modules/Seals.sol";

/// @title A lab's registry
/// @notice Deployed and owned by a lab or a consortium. Its owner creates groups (or leaves that open) and announces a
/// successor; over groups and records the owner has no power at all.
contract LabRegistry is ILabRegistry, Seals, ForeignAttestations, Batches, LineageStatus, ERC165 {
    /// @dev Solidity's interfaceId leaves inherited functions out.
    bytes4 private constant INTERFACE_ID = type(ILabRegistry).interfaceId ^ type(IGroups).interfaceId
        ^ type(IRecords).interfaceId ^ type(IAttestations).interfaceId ^ type(ISeals).interfaceId
        ^ type(IBatches).interfaceId ^ type(ILineage).interfaceId ^ type(IForeignAttestations).interfaceId;

    /// @inheritdoc ILabRegistry
    address public successor;

    /// @param owner who creates groups if they are not open, and announces a successor
    /// @param openGroupCreation_ whether anyone may create groups
    constructor(address owner, bool openGroupCreation_)
        Ownable(owner)
        EIP712("BlockchainTracer LabRegistry", "1")
        Groups(openGroupCreation_)
    {}

    /// @inheritdoc ILabRegistry
    function announceSuccessor(address successor_) external onlyOwner {
        successor = successor_;
        emit SuccessorAnnounced(successor_);
    }

    /// @inheritdoc ERC165
    function supportsInterface(bytes4 interfaceId) public view override returns (bool) {
        return interfaceId == INTERFACE_ID || super.supportsInterface(interfaceId);
    }
}
