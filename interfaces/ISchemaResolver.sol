// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @notice An attestation as the Ethereum Attestation Service passes it to the resolver of its schema.
/// @param uid the attestation's id in EAS
/// @param schema id of its schema
/// @param time when it was made; this and the next two in Unix seconds
/// @param expirationTime when it ends, 0 for never
/// @param revocationTime when it was revoked, 0 if it was not
/// @param refUID another attestation that it is about, or zero
/// @param recipient whom it is about, or zero
/// @param attester who made it
/// @param revocable whether it can be revoked
/// @param data what it says, encoded by its schema
struct EASAttestation {
    bytes32 uid;
    bytes32 schema;
    uint64 time;
    uint64 expirationTime;
    uint64 revocationTime;
    bytes32 refUID;
    address recipient;
    address attester;
    bool revocable;
    bytes data;
}

/// @title What the Ethereum Attestation Service (1.x) asks of a schema's resolver that takes no payment
/// @notice EAS calls it while it stores or revokes an attestation; a refusal reverts both.
interface ISchemaResolver {
    /// @notice Only EAS may call.
    error NotEAS(address caller);
    /// @notice There is no contract at this address.
    error NoEAS(address candidate);
    /// @notice The attestation's data are shorter than the record id that they begin with.
    error RecordMissing(uint256 length);

    /// @notice Whether attestations of this schema may carry ether. They may not.
    function isPayable() external pure returns (bool);

    /// @notice Whether this attestation may be made.
    function attest(EASAttestation calldata attestation) external returns (bool);

    /// @notice Whether all of these attestations may be made.
    /// @param values ether for each, in wei; EAS refuses any but zero here
    function multiAttest(EASAttestation[] calldata attestations, uint256[] calldata values) external returns (bool);

    /// @notice Whether this attestation may be revoked.
    function revoke(EASAttestation calldata attestation) external returns (bool);

    /// @notice Whether all of these attestations may be revoked.
    function multiRevoke(EASAttestation[] calldata attestations, uint256[] calldata values) external returns (bool);
}
