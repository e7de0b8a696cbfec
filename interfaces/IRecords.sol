// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @notice An edge of the lineage: this record stands in `relation` to the record `parent`.
struct Link {
    bytes32 parent;
    uint8 relation;
}

/// @notice Everything that identifies a record. Its EIP-712 digest under the registry's domain is the record's id, so
/// whoever passes a key and finds its id stored has proven every field of it.
/// @param group the lab group it belongs to, from 1
/// @param author the account that answers for it
/// @param subjectType what `subject` is: 1 the SHA-256 of a file, 2 the SHA-256 of a folder's canonical SHA256SUMS,
/// 3 a salted commitment, 4 the SHA-256 of an identifier (a run's own UUID), 5 the EIP-712 digest of a signed
/// statement, 6 the root of a hash tree that the manifest describes; 128 to 255 are the lab's own (a digest by another
/// hash, for one), the others are reserved
/// @param subject digest of what is recorded, as `subjectType` says
/// @param kind 1 Dataset, 2 Model, 3 Run, 4 Result, 5 Plan, 6 Software, 7 Environment, 8 Document, 9 Deployment,
/// 10 Reference, 11 IdentityClaim, 12 Witness, 13 Renewal, 14 Evaluation; 128 to 255 are the lab's own
/// @param manifest SHA-256 of the RFC 8785 manifest
/// @param parents strictly ascending by (parent, relation), every one of them recorded before, at most 1,024: so many
/// verdicts can be taken back in one transaction
struct RecordKey {
    uint32 group;
    address author;
    uint8 subjectType;
    bytes32 subject;
    uint8 kind;
    bytes32 manifest;
    Link[] parents;
}

/// @title Records: who committed to what, and when
/// @notice A record is written once. Nobody can alter, re-date, forge or delete it; it can be retracted, once, and
/// keeps its time. The registry proves who committed to which digests and when, never that they are true.
interface IRecords {
    /// @notice Unknown: nothing is stored. Cancelled: nothing is stored and signatures over it are refused. Recorded:
    /// it stands. Retracted: it stood from recordedAt to retractedAt.
    enum Status {
        Unknown,
        Cancelled,
        Recorded,
        Retracted
    }

    /// @notice What one storage slot says about a record.
    /// @dev The counts say how many groups currently give each verdict; at 4,194,303 a count stays. They are
    /// information, not independence: one person can own several groups. A consumer that acts on verdicts names the
    /// groups it trusts.
    /// @param flags bit 0: stored from a batch; bit 1: a relayed signature is refused
    struct RecordStatus {
        uint32 group;
        uint8 kind;
        Status status;
        uint8 flags;
        uint40 recordedAt;
        uint40 retractedAt;
        uint40 sealedAt;
        uint32 reviewed;
        uint32 reproduced;
        uint32 notReproduced;
        uint32 disputed;
    }

    /// @notice A record was written. The event holds its whole key.
    event Recorded(
        uint32 group,
        address author,
        bytes32 indexed id,
        uint8 subjectType,
        bytes32 indexed subject,
        uint8 kind,
        bytes32 manifest,
        Link[] parents
    );
    /// @notice Every signature over this record, and every batch that holds it, is refused from now on.
    event RecordCancelled(uint32 indexed group, address indexed by, bytes32 indexed id);
    /// @notice The record was retracted. It keeps its time, and its parents and children keep their links.
    event Retracted(uint32 indexed group, address indexed by, bytes32 indexed id, bytes32 reason);

    /// @notice The record is stored already, since this time.
    error RecordExists(bytes32 id, uint40 recordedAt);
    /// @notice No such record is stored.
    error UnknownRecord(bytes32 id);
    /// @notice Only the author may do this; others relay the author's signature.
    error NotAuthor(address author, address caller);
    /// @notice The kind is neither known nor one of the lab's own (128 to 255).
    error InvalidKind(uint8 kind);
    /// @notice The relation is neither known nor one of the lab's own (128 to 255).
    error InvalidRelation(uint8 relation);
    /// @notice The subject type is neither known nor one of the lab's own (128 to 255).
    error InvalidSubjectType(uint8 subjectType);
    /// @notice Parents must be strictly ascending by (parent, relation); this one is not.
    error ParentsNotAscending(uint256 index);
    /// @notice More parents than a record can have.
    error TooManyParents(uint256 count, uint256 maximum);
    /// @notice A parent must be recorded before its child.
    error UnknownParent(bytes32 parent);
    /// @notice A record from a batch has the batch's time, which is before the parent's.
    error ParentRecordedLater(bytes32 parent, uint40 parentRecordedAt, uint40 recordedAt);
    /// @notice It was retracted already, at this time.
    error AlreadyRetracted(bytes32 id, uint40 retractedAt);
    /// @notice This record was cancelled: signatures over it and batches that hold it are refused.
    error RecordIsCancelled(bytes32 id);

    /// @notice Stores a record of the caller, who must be its author and a RECORDER of its group.
    /// @return id the record's id
    function record(RecordKey calldata key) external returns (bytes32 id);

    /// @notice Stores many records of the caller in order; one may be the parent of a later one. Records that are
    /// stored already are skipped, so that nobody can break a batch by relaying one of its signatures first. A
    /// retracted record is stored, and skipped as well: read {statusOf} where it matters.
    /// @return ids the ids of all keys, in order, skipped ones included
    function recordMany(RecordKey[] calldata keys) external returns (bytes32[] memory ids);

    /// @notice Stores a record that its author signed as `RecordAuthorization(Record record,uint40 deadline)`.
    /// @dev It has the time of this transaction, also if a batch of its author holds it: {IBatches-batchedAt} still
    /// gives the batch's time. Who signs a record and anchors it, too, lets others choose which of the two it has.
    /// @param deadline Unix time in seconds after which the signature is refused
    /// @param signature 65 bytes of ECDSA, or what the author's ERC-1271 wallet accepts
    function recordBySig(RecordKey calldata key, uint40 deadline, bytes calldata signature)
        external
        returns (bytes32 id);

    /// @notice Refuses all signatures over a record that is not stored yet, and all batches that hold it. Its author
    /// while a RECORDER, or a MAINTAINER of its group. The author can still store it by {record}.
    function cancel(RecordKey calldata key) external returns (bytes32 id);

    /// @notice Retracts a record, once and for good. Its author while a RECORDER, or a MAINTAINER of its group.
    /// @dev A Run that is the evidence of its group's Reproduced or NotReproduced takes that verdict with it.
    /// @param reason SHA-256 of the reason's text, which is kept off chain as manifests are; zero if none is given
    function retract(RecordKey calldata key, bytes32 reason) external returns (bytes32 id);

    /// @notice The id of a key, stored or not.
    /// @dev Its domain has the chain id at deployment, for good: a chain that splits and takes another id keeps the
    /// ids.
    function idOf(RecordKey calldata key) external view returns (bytes32 id);

    /// @notice What is known of a record; the status says why it counts or does not.
    function statusOf(bytes32 id) external view returns (RecordStatus memory);

    /// @notice {statusOf} for many ids, in order.
    function statusOfRecords(bytes32[] calldata ids) external view returns (RecordStatus[] memory);

    /// @notice Whether the record of this key is stored and names `parent` in `relation`, retracted or not.
    function isParent(RecordKey calldata key, bytes32 parent, uint8 relation) external view returns (bool);
}
