// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IAttestations} from "./IAttestations.sol";
import {IBatches} from "./IBatches.sol";
import {IForeignAttestations} from "./IForeignAttestations.sol";
import {IGroups} from "./IGroups.sol";
import {ILineage} from "./ILineage.sol";
import {IRecords} from "./IRecords.sol";
import {ISeals} from "./ISeals.sol";
import {ISignatures} from "./ISignatures.sol";

/// @title A lab's registry of records
/// @notice It answers the ERC-165 id of each interface that it inherits and has functions, and of this one by itself.
/// The registry has no proxy, no upgrade, no pause, no payable function and calls no other contract but the wallet
/// whose signature it checks.
interface ILabRegistry is
    IForeignAttestations,
    ISeals,
    IBatches,
    ILineage,
    IAttestations,
    IRecords,
    IGroups,
    ISignatures
{
    /// @notice The owner recommends another registry. Advisory: no contract follows it.
    event SuccessorAnnounced(uint256 indexed chainId, address indexed registry);

    /// @notice Names the registry that replaces this one, or zero for none. Only the registry's owner.
    /// @param chainId EIP-155 id of the chain it is on: the same address can be another contract on another chain
    /// @param registry its address there
    function announceSuccessor(uint256 chainId, address registry) external;

    /// @notice The registry that the owner recommends instead, or zero, and the EIP-155 id of its chain.
    function successor() external view returns (uint256 chainId, address registry);
}
