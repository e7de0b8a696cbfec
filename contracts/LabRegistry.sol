// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

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
    struct Successor {
        uint256 chainId;
        address registry;
    }

    /// @inheritdoc ILabRegistry
    Successor public successor;

    /// @param owner who creates groups if they are not open, and announces a successor
    /// @param openGroupCreation_ whether anyone may create groups
    constructor(address owner, bool openGroupCreation_)
        Ownable(owner)
        EIP712("BlockchainTracer LabRegistry", "1")
        Groups(openGroupCreation_)
    {}

    /// @inheritdoc ILabRegistry
    function announceSuccessor(uint256 chainId, address registry) external onlyOwner {
        successor = Successor(chainId, registry);
        emit SuccessorAnnounced(chainId, registry);
    }

    /// @inheritdoc ERC165
    function supportsInterface(bytes4 interfaceId) public view virtual override returns (bool) {
        return interfaceId == type(IRecords).interfaceId || interfaceId == type(IGroups).interfaceId
            || interfaceId == type(IAttestations).interfaceId || interfaceId == type(ISeals).interfaceId
            || interfaceId == type(IBatches).interfaceId || interfaceId == type(ILineage).interfaceId
            || interfaceId == type(IForeignAttestations).interfaceId || interfaceId == type(ILabRegistry).interfaceId
            || super.supportsInterface(interfaceId);
    }
}
