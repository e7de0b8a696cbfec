// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {RecordKey} from "./IRecords.sol";

/// @title Batches: any number of records under one Merkle root
/// @notice Whoever anchors a root is committed to every record under it from that block on. The records are proven by
/// their keys and Merkle paths, and can be stored one by one when they are needed, with the batch's time.
/// @dev Trees are OpenZeppelin's StandardMerkleTree over one `bytes32`, the record's id: a leaf is
/// keccak256(keccak256(id)), so that an inner node never passes as a leaf. A batch belongs to its group and author, as
/// each of its records must.
///
/// A record has parents of other authors, too. Each author decides when a parent of theirs is stored; the author and
/// its group can cancel it or end its batch. A parent that is stored later than the batch was anchored, or never, keeps
/// its children from {materialize} for good. Store the parents of other authors before you anchor, or store the
/// children by {IRecords-record}.
interface IBatches {
    /// @notice A group's author is committed to all records under this root. `manifest` is the SHA-256 of the batch's
    /// description, kept off chain; `declaredCount` is how many records the author says there are.
    event Anchored(uint32 group, address indexed author, bytes32 indexed root, uint48 declaredCount, bytes32 manifest);
    /// @notice The same, with the ids of all records, from which the registry computed the root itself.
    event LeavesAnchored(uint32 group, address indexed author, bytes32 indexed root, uint48 count);
    /// @notice The batch of this author has ended: none of its records is stored from it any more.
    event BatchEnded(uint32 group, address indexed by, address indexed author, bytes32 indexed root);
    /// @notice The record that was just stored has the time of this batch.
    event Materialized(bytes32 indexed id, bytes32 indexed root, uint40 recordedAt);

    /// @notice The author anchored this root for the group already, at this time, which doesn't change.
    error BatchExists(bytes32 root, uint40 anchoredAt);
    /// @notice The key's author never anchored this root for the key's group.
    error UnknownBatch(uint32 group, address author, bytes32 root);
    /// @notice The batch was ended at this time, which doesn't change.
    error BatchHasEnded(bytes32 root, uint40 endedAt);
    /// @notice A batch has at least one record.
    error EmptyBatch();
    /// @notice Ids must be strictly ascending, so that each counts once; this one is not.
    error IdsNotAscending(uint256 index);
    /// @notice This Merkle path doesn't lead from the record to the root.
    error NotInBatch(bytes32 id, bytes32 root);

    /// @notice Commits the caller, a RECORDER of the group, to all records under a Merkle root.
    /// @dev A root is anchored once, by either function: one that was declared is never counted.
    /// @param declaredCount how many there are; declared, not checked
    /// @param manifest SHA-256 of the batch's description
    function anchor(uint32 group, bytes32 root, uint48 declaredCount, bytes32 manifest) external;

    /// @notice Commits the caller, a RECORDER of the group, to the records with these ids, whose number is checked. An
    /// account without code shows them in its transaction; a contract can call with ids that no transaction shows.
    /// @param ids strictly ascending
    /// @return root of the standard tree whose leaves stand in the order of the ids
    function anchorLeaves(uint32 group, bytes32[] calldata ids) external returns (bytes32 root);

    /// @notice Ends a batch, once and for good: none of its records is stored from it any more, and {batchedAt} tells
    /// the end. Its author while a RECORDER, or a MAINTAINER of its group, who may not know what is under the root.
    /// @dev A stolen key can anchor in one block what is shown years later, with the time of that block. What was
    /// stored from the batch before stays: {IRecords-retract} it. The root can't be anchored again by this author.
    function endBatch(uint32 group, address author, bytes32 root) external;

    /// @notice Stores a record from a batch of its own group and author, with the batch's time. Anyone may, once: the
    /// author consented by anchoring, and as a RECORDER then.
    /// @dev Every parent must be stored, with a time no later than the batch's. A cancelled record stays out, and so
    /// does every record of a batch that has ended.
    /// @return id the record's id
    function materialize(RecordKey calldata key, bytes32 root, bytes32[] calldata proof) external returns (bytes32 id);

    /// @notice When this group and author committed to a record with this id under this root, in Unix seconds; 0 if
    /// they didn't. The record need not be stored, and may be cancelled or retracted: {IRecords-statusOf} tells.
    /// `endedAt` is when the batch was ended, 0 if it wasn't: the group or the author has then disowned it.
    /// @dev Anyone can put the id of another's record into a batch of their own. Whose record it is, its key says: ask
    /// with the group and author of the key.
    function batchedAt(uint32 group, address author, bytes32 id, bytes32 root, bytes32[] calldata proof)
        external
        view
        returns (uint40 anchoredAt, uint40 endedAt);

    /// @notice A batch's time in Unix seconds, 0 if there is none; its number of records; whether the registry counted
    /// them; when it was ended, 0 if it wasn't.
    function batchOf(uint32 group, address author, bytes32 root)
        external
        view
        returns (uint40 anchoredAt, uint48 count, bool counted, uint40 endedAt);
}
