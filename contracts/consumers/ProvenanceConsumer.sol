// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ERC165Checker} from "@openzeppelin/contracts/utils/introspection/ERC165Checker.sol";

import {IAttestations} from "../../interfaces/IAttestations.sol";
import {IBatches} from "../../interfaces/IBatches.sol";
import {ILabRegistry} from "../../interfaces/ILabRegistry.sol";
import {ILineage} from "../../interfaces/ILineage.sol";
import {IProvenanceConsumer} from "../../interfaces/IProvenanceConsumer.sol";
import {IRecords, RecordKey} from "../../interfaces/IRecords.sol";

/// @title For contracts that act on what a registry says
/// @notice Pins one registry and asks it the questions that are easily asked wrong.
/// @dev All answers are of this moment: a record can be retracted and a verdict withdrawn in the next block. Ask when
/// you act, and keep no answer.
abstract contract ProvenanceConsumer is IProvenanceConsumer {
    /// @inheritdoc IProvenanceConsumer
    ILabRegistry public immutable registry;

    /// @dev ERC-165 keeps mistakes out, not lies: a hostile contract answers yes as well. Deploy with a registry that
    /// you know.
    constructor(ILabRegistry registry_) {
        if (!ERC165Checker.supportsAllInterfaces(address(registry_), _usedInterfaces())) {
            revert NotALabRegistry(address(registry_));
        }
        registry = registry_;
    }

    /// @dev The ERC-165 ids of the registry's interfaces that this contract calls; a later registry that has these and
    /// more will do. Override it if you call others, or only some of these.
    function _usedInterfaces() internal pure virtual returns (bytes4[] memory ids) {
        ids = new bytes4[](4);
        ids[0] = type(IRecords).interfaceId;
        ids[1] = type(IAttestations).interfaceId;
        ids[2] = type(IBatches).interfaceId;
        ids[3] = type(ILineage).interfaceId;
    }

    /// @notice The record of this key is stored and not retracted. Every field of the key is thereby proven.
    /// @dev Proven is who committed to what, not that you meant it: compare the group, author, kind or subject that
    /// matter to you, because anyone in any group can record anything.
    function _requireRecorded(RecordKey calldata key) internal view returns (bytes32 id) {
        id = registry.idOf(key);
        _requireStanding(id);
    }

    /// @notice The record of this id is stored and not retracted.
    function _requireStanding(bytes32 id) internal view returns (IRecords.RecordStatus memory status) {
        status = registry.statusOf(id);
        // stored is not enough: a retracted record is stored
        if (status.status != IRecords.Status.Recorded) revert RecordNotStanding(id, status.status);
    }

    /// @notice The record stands, and at least `minimum` of the named groups say now that they reproduced it.
    /// @dev Groups come from you, never from a caller: whoever may create groups can make any number of them agree. For
    /// the same reason the registry's counts are no substitute. Other groups' NotReproduced is not looked at.
    /// @param groups those whose word you take; a group named twice counts once, the record's own never
    function _requireReproducedBy(RecordKey calldata key, uint32[] memory groups, uint256 minimum)
        internal
        view
        returns (bytes32 id)
    {
        if (minimum == 0) revert NoMinimum();
        id = _requireRecorded(key);
        uint256 count = 0;
        for (uint256 i = 0; i < groups.length; ++i) {
            if (groups[i] == key.group || _isRepeated(groups, i)) continue;
            if (registry.verdictOf(groups[i], id).verdict == IAttestations.Verdict.Reproduced) ++count;
        }
        if (count < minimum) revert TooFewReproductions(id, count, minimum);
    }

    /// @notice The key's author committed to the record in a batch, and neither cancelled nor retracted it since.
    /// @dev The batch is looked up by the group and author of the key: anyone can put the id of another's record into a
    /// batch of theirs, which says nothing. A record that was never stored has only been committed to: its kind and its
    /// parents were checked by nobody, and it can't be retracted until somebody materializes it.
    /// @param proof Merkle path from the record to the root
    /// @return id the record's id
    /// @return anchoredAt when its author was committed to it, in Unix seconds
    function _requireBatched(RecordKey calldata key, bytes32 root, bytes32[] calldata proof)
        internal
        view
        returns (bytes32 id, uint40 anchoredAt)
    {
        id = registry.idOf(key);
        IRecords.Status status = registry.statusOf(id).status;
        if (status != IRecords.Status.Unknown && status != IRecords.Status.Recorded) {
            revert RecordNotStanding(id, status);
        }
        anchoredAt = registry.verifyBatched(key.group, key.author, id, root, proof);
        if (anchoredAt == 0) revert NotBatched(id, root);
    }

    /// @notice The last record of the path and everything it rests on, in this registry, stands.
    /// @dev Compare the id that is returned with the record that you mean: the caller chose the path. Its cost grows
    /// with the path and its parents. A Reference in it is refused, because what that rests on is elsewhere.
    /// @param path keys in topological order: every parent before its children, the record asked about last
    /// @param places for each key in turn, and each of its parents in their order, the parent's index in `path`
    /// @return id of the last record
    function _requireCleanLineage(RecordKey[] calldata path, uint256[] calldata places)
        internal
        view
        returns (bytes32 id)
    {
        (ILineage.Lineage lineage, bytes32 culprit) = registry.lineageStatus(path, places);
        if (lineage != ILineage.Lineage.Clean) revert LineageNotClean(lineage, culprit);
        id = registry.idOf(path[path.length - 1]);
    }

    function _isRepeated(uint32[] memory groups, uint256 index) private pure returns (bool) {
        for (uint256 i = 0; i < index; ++i) {
            if (groups[i] == groups[index]) return true;
        }
        return false;
    }
}
