// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title Deploys registries that can be told from look-alikes
/// @notice Everything that makes a registry what it is (its code, owner, rule and salt) is inside its address. Anyone
/// may send a deployment: whoever does, the result is the same registry of the same owner's address, and nobody can
/// take the address with anything else. The same factory stands at the same address on every chain, and so do its
/// registries. An owner that is a contract can be another contract at the same address elsewhere, of somebody else.
/// @dev No owner, no fee, nothing that can be changed. Chains that run no EVM bytecode (zkSync's own) are no home for
/// it: they have no code to copy and derive addresses in another way.
interface ILabRegistryFactory {
    /// @notice The registry's own refusal of an owner that could never act.
    error OwnableInvalidOwner(address owner);

    /// @notice A registry was deployed. Its owner may have handed it on since.
    event RegistryDeployed(address indexed registry, address indexed owner, bool openGroupCreation, bytes32 salt);

    /// @notice Deploys a registry, or answers with the one that is there already, without an event.
    /// @dev A second time is no error: else whoever sends the owner's deployment first would make the owner's own fail.
    /// Reverts with OwnableInvalidOwner if `owner` is zero, and with OpenZeppelin's FailedDeployment if the gas runs
    /// out.
    /// @param owner who owns the registry from its first block on
    /// @param openGroupCreation whether anyone may create groups in it
    /// @param salt tells several registries of one owner apart
    /// @return registry its address, which is that of `addressOf`
    function deploy(address owner, bool openGroupCreation, bytes32 salt) external returns (address registry);

    /// @notice Where the registry of these settings is, or would be.
    function addressOf(address owner, bool openGroupCreation, bytes32 salt) external view returns (address);

    /// @notice Whether this factory deployed the contract: then it runs exactly the code that `creationCode` holds.
    /// @dev Proves its code and nothing else: not who owns it now, not who its groups and members are, not that
    /// anything recorded in it is true. Another build of the same sources is another factory's registry, and false
    /// here.
    function isGenuine(address registry) external view returns (bool);

    /// @notice The two contracts whose codes are each one STOP byte and then one half of the registry's creation code,
    /// which no contract can hold beside its own. Nobody can call or change them.
    function creationCode() external view returns (address firstHalf, address secondHalf);
}
