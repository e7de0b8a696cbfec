// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Account} from "@openzeppelin/contracts/account/Account.sol";
import {ERC7821} from "@openzeppelin/contracts/account/extensions/draft-ERC7821.sol";
import {ERC4337Utils} from "@openzeppelin/contracts/account/utils/ERC4337Utils.sol";
import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {PackedUserOperation} from "@openzeppelin/contracts/interfaces/IERC4337.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {ERC7739} from "@openzeppelin/contracts/utils/cryptography/signers/draft-ERC7739.sol";
import {SignerEIP7702} from "@openzeppelin/contracts/utils/cryptography/signers/SignerEIP7702.sol";
import {SignerP256} from "@openzeppelin/contracts/utils/cryptography/signers/SignerP256.sol";
import {SignerWebAuthn} from "@openzeppelin/contracts/utils/cryptography/signers/SignerWebAuthn.sol";

/// @notice An account of OpenZeppelin's parts. Its key signs what it does, and whoever has coin sends that to the
/// EntryPoint, which checks nonce, chain and signature. Nobody else moves it, and it has no owner and no storage.
abstract contract SponsoredAccount is Account, ERC7821 {
    /// @dev The EntryPoint may carry out what it has let pass.
    function _erc7821AuthorizedExecutor(address caller, bytes32 mode, bytes calldata executionData)
        internal
        view
        override
        returns (bool)
    {
        return caller == address(entryPoint()) || super._erc7821AuthorizedExecutor(caller, mode, executionData);
    }

    /// @dev The key of the nonce is the deadline in Unix seconds, so the signature is of it too; 0 has no end.
    function _validateUserOp(PackedUserOperation calldata userOp, bytes32 userOpHash, bytes calldata signature)
        internal
        override
        returns (uint256)
    {
        bool valid = super._validateUserOp(userOp, userOpHash, signature) == ERC4337Utils.SIG_VALIDATION_SUCCESS;
        return ERC4337Utils.packValidationData(valid, 0, uint48(userOp.nonce >> 64));
    }
}

/// @notice What a member's own account delegates to by EIP-7702: it stays the account of the member's key.
contract MemberAccount is SponsoredAccount, SignerEIP7702 {}

/// @notice An account of a passkey (WebAuthn, P-256). As ERC-1271 it accepts what the passkey signed as it is: the
/// registry's messages name the account, so no other account of the same passkey can use such a signature.
contract PasskeyAccount is SponsoredAccount, SignerWebAuthn, IERC1271 {
    constructor(bytes32 qx, bytes32 qy) SignerP256(qx, qy) {}

    /// @inheritdoc IERC1271
    function isValidSignature(bytes32 hash, bytes calldata signature) external view returns (bytes4) {
        return _rawSignatureValidation(hash, signature) ? IERC1271.isValidSignature.selector : bytes4(0xffffffff);
    }
}

/// @notice The same, which accepts only signatures that name the account beside the message (ERC-7739).
contract NestingPasskeyAccount is SponsoredAccount, SignerWebAuthn, ERC7739 {
    constructor(bytes32 qx, bytes32 qy) SignerP256(qx, qy) EIP712("NestingPasskeyAccount", "1") {}
}
