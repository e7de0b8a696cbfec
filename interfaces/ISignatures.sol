// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title What every signed operation can be refused for
/// @notice Signatures are EIP-712 over the registry's domain (ERC-5267 describes it), so none is valid on another chain
/// or in another registry.
interface ISignatures {
    /// @notice The deadline has passed.
    error SignatureExpired(uint40 deadline, uint40 time);
    /// @notice Neither ECDSA nor the account's ERC-1271 accepts it. As ECDSA, high-s and 64-byte (EIP-2098) forms are
    /// refused; which forms a wallet accepts is for its ERC-1271 to say. A signature over a version that is past is one
    /// over another message: it meets this refusal, as a forged one does.
    error InvalidSignature(address signer);
}
