// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {MultiSignerERC7913} from "@openzeppelin/contracts/utils/cryptography/signers/MultiSignerERC7913.sol";
import {ERC7739} from "@openzeppelin/contracts/utils/cryptography/signers/draft-ERC7739.sol";

import {Executor} from "./Wallets.sol";

/// @notice A wallet of several owners, so many of whom must sign, made of OpenZeppelin's parts. What they sign names the
/// wallet and holds the application's typed data (ERC-7739).
contract MultiOwnerWallet is Executor, ERC7739, MultiSignerERC7913 {
    constructor(bytes[] memory owners, uint64 threshold_)
        EIP712("MultiOwnerWallet", "1")
        MultiSignerERC7913(owners, threshold_)
    {}

    /// @notice Takes an owner's right away.
    function removeOwner(bytes calldata owner) external {
        bytes[] memory owners = new bytes[](1);
        owners[0] = owner;
        _removeSigners(owners);
    }
}
