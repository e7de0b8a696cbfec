// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ERC165Checker} from "@openzeppelin/contracts/utils/introspection/ERC165Checker.sol";

import {IAttestations} from "../../interfaces/IAttestations.sol";
import {IBatches} from "../../interfaces/IBatches.sol";
import {ILabRegistry} from "../../interfaces/ILabRegistry.sol";
import {ILineage} from "../../interfaces/ILineage.sol";
import {IProvenanceConsumer} from "../../interfaces/IProvenanceConsumer.sol";
import {IRecords, RecordKey} from "../../interfaces/IRecords.sol";
import {Vocabulary} from "../libraries/Vocabulary.sol";

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

    /// @notice The record of this key stands and names `parent` in `relation`, and the parent stands, too.
    /// @dev {IRecords-isParent} alone says nothing about today: a link stays when either of them is retracted. What the
    /// parent rests on is for {_requireCleanLineage}. The same content recorded again has another id: name the parent
    /// yourself, or a caller chooses it.
    /// @return id the record's id
    function _requireStandingParent(RecordKey calldata key, bytes32 parent, uint8 relation)
        internal
        view
        returns (bytes32 id)
    {
        id = _requireRecorded(key);
        if (!registry.isParent(key, parent, relation)) revert NotAParent(id, parent, relation);
        _requireStanding(parent);
    }

    /// @notice The run uses a plan of its own group that was sealed before the data were known; run, plan and data
    /// stand.
    /// @dev A record's time is not the age of its bytes: whoever has a file can record it again, with another manifest
    /// and a later time. So the data must be recorded by `source`, a group that you name and trust to record each file
    /// once, as it is taken; the run's own group is never that. Who shows an earlier record of the same subject proves
    /// that the data are older, by its own time or its batch's: {_knownSince}, {IBatches-batchedAt}. That nothing else
    /// was sealed, nothing here says.
    /// @param relation in which the run names the data
    /// @return id the run's id
    /// @return sealedAt when the plan was sealed, in Unix seconds
    function _requirePreregistered(
        RecordKey calldata run,
        RecordKey calldata plan,
        RecordKey calldata data,
        uint8 relation,
        uint32 source
    ) internal view returns (bytes32 id, uint40 sealedAt) {
        bytes32 planId = registry.idOf(plan);
        bytes32 dataId = registry.idOf(data);
        _requireStandingParent(run, planId, Vocabulary.RELATION_USES);
        id = _requireStandingParent(run, dataId, relation);
        sealedAt = registry.statusOf(planId).sealedAt;
        if (plan.kind != Vocabulary.KIND_PLAN || plan.group != run.group || sealedAt == 0) {
            revert NotASealedPlan(planId, run.group);
        }
        if (data.group != source || source == run.group) revert NotFromSource(dataId, data.group, source);
        uint40 known = _knownSince(dataId);
        if (known <= sealedAt) revert DataKnownBefore(dataId, known, sealedAt);
    }

    /// @notice Since when the registry shows that somebody had what this record is of: the time of its seal or batch,
    /// else of its record, also if it was retracted since; 0 if it is not stored.
    function _knownSince(bytes32 id) internal view returns (uint40) {
        IRecords.RecordStatus memory status = registry.statusOf(id);
        return status.sealedAt == 0 ? status.recordedAt : status.sealedAt;
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

    /// @notice The key's author committed to the record in a batch that has not ended, and the record is neither
    /// cancelled nor retracted now. One that was cancelled and that its author recorded since stands, and passes.
    /// @dev The batch is looked up by the group and author of the key: anyone can put the id of another's record into a
    /// batch of theirs, which says nothing. A record that was never stored has only been committed to: its kind and its
    /// parents were checked by nobody. Its group disowns it by {IRecords-cancel}, the whole batch by
    /// {IBatches-endBatch}. A record that was stored before its batch ended stands, and is refused here all the same.
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
        uint40 endedAt;
        (anchoredAt, endedAt) = registry.batchedAt(key.group, key.author, id, root, proof);
        if (anchoredAt == 0) revert NotBatched(id, root);
        if (endedAt != 0) revert IBatches.BatchHasEnded(root, endedAt);
    }

    /// @notice The last record of the path and everything it rests on, in this registry, stands.
    /// @dev Compare the id that is returned with the record that you mean: the caller chose the path. Its cost grows
    /// with the path and its parents. A Reference in it is refused, because what that rests on is elsewhere. What the
    /// record only speaks about may be retracted, and its author chose the relations: ask {_requireStandingParent} for
    /// the parent and relation that matter to you.
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
