// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20, SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import {IAttestations} from "../../interfaces/IAttestations.sol";
import {IGroups} from "../../interfaces/IGroups.sol";
import {ILabRegistry} from "../../interfaces/ILabRegistry.sol";
import {
    CLAIM_WINDOW,
    GROUP_AGE,
    IReplicationBounty,
    MAX_DURATION,
    MAX_ELIGIBLE_GROUPS,
    MIN_VERDICT_WINDOW
} from "../../interfaces/IReplicationBounty.sol";
import {IRecords} from "../../interfaces/IRecords.sol";
import {ISeals} from "../../interfaces/ISeals.sol";
import {StructHash} from "../libraries/StructHash.sol";
import {EntrySlot, EntrySlotLib} from "../types/EntrySlot.sol";
import {ProvenanceConsumer} from "./ProvenanceConsumer.sol";

/// @title Bounties for reproducing a record
/// @notice Holds the money of many bounties and pays each group from its own bounty only.
/// @dev What is owed is counted, never read from a balance: ether or tokens sent here by force belong to nobody.
contract ReplicationBounty is IReplicationBounty, ProvenanceConsumer, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    /// @inheritdoc IReplicationBounty
    mapping(bytes32 id => uint256) public held;

    struct StoredEntry {
        EntrySlot slot;
        bytes32 commitment;
    }

    mapping(bytes32 id => mapping(uint32 group => StoredEntry)) private _entries;
    /// @dev A group that had a commitment for each outcome, each in another bounty, could choose after seeing a
    /// rival's.
    mapping(bytes32 recordId => mapping(uint32 group => bytes32)) private _commitments;

    constructor(ILabRegistry registry_) ProvenanceConsumer(registry_) {}

    /// @inheritdoc IReplicationBounty
    function fund(Bounty calldata bounty) external payable nonReentrant returns (bytes32 id) {
        if (msg.sender != bounty.sponsor) revert NotSponsor(bounty.sponsor, msg.sender);
        if (bounty.share == 0) revert NoShare();
        _requireTimes(bounty.entryUntil, bounty.verdictUntil);
        _requireGroups(bounty.recordId, bounty.groups);
        id = idOf(bounty);
        // nothing is paid out before these times are in the past, so an emptied bounty is not opened a second time
        if (held[id] != 0) revert BountyExists(id);

        uint256 total = bounty.share * bounty.groups.length;
        held[id] = total;
        emit Funded(id, msg.sender, bounty.recordId, bounty);
        _receive(bounty.token, total);
    }

    /// @inheritdoc IReplicationBounty
    function enter(Bounty calldata bounty, uint32 group, address attester, bytes32 commitment) external {
        bytes32 id = idOf(bounty);
        if (held[id] == 0) revert UnknownBounty(id);
        if (block.timestamp > bounty.entryUntil) revert TooLate(bounty.entryUntil, block.timestamp);
        if (!_isEligible(bounty.groups, group)) revert NotEligible(group);
        _requireOwner(group);
        StoredEntry storage entry = _entries[id][group];
        if (entry.slot.exists()) revert AlreadyEntered(group, entry.commitment);
        _requireNoVerdict(bounty.recordId, group);
        uint40 sealedAt = registry.sealedAt(group, attester, commitment);
        if (sealedAt == 0) revert ISeals.NotSealed(group, attester, commitment);
        bytes32 earlier = _commitments[bounty.recordId][group];
        if (earlier != 0 && earlier != commitment) revert OtherCommitment(group, earlier);

        _commitments[bounty.recordId][group] = commitment;
        _entries[id][group] = StoredEntry(EntrySlotLib.pack(attester, sealedAt), commitment);
        emit Entered(id, group, attester, commitment);
    }

    /// @inheritdoc IReplicationBounty
    function claim(Bounty calldata bounty, uint32 group, Opening calldata opening, address to) external nonReentrant {
        bytes32 id = idOf(bounty);
        StoredEntry storage entry = _entries[id][group];
        if (!entry.slot.exists()) revert NotEntered(id, group);
        if (entry.slot.paid()) revert AlreadyPaid(id, group);
        if (block.timestamp <= bounty.verdictUntil) revert TooEarly(bounty.verdictUntil, block.timestamp);
        uint256 until = _claimUntil(bounty);
        if (block.timestamp > until) revert TooLate(until, block.timestamp);
        _requireOwner(group);
        _requireOpening(bounty.recordId, group, entry, opening);
        _requireVerdict(bounty, group, entry.slot.sealedAt(), opening);

        entry.slot = entry.slot.withPayment();
        held[id] -= bounty.share;
        emit Claimed(id, group, to, opening.verdict);
        _pay(bounty.token, to, bounty.share);
    }

    /// @inheritdoc IReplicationBounty
    function refund(Bounty calldata bounty, address to) external nonReentrant {
        if (msg.sender != bounty.sponsor) revert NotSponsor(bounty.sponsor, msg.sender);
        bytes32 id = idOf(bounty);
        uint256 rest = held[id];
        if (rest == 0) revert UnknownBounty(id);
        uint256 until = _claimUntil(bounty);
        if (block.timestamp <= until) revert TooEarly(until, block.timestamp);

        held[id] = 0;
        emit Refunded(id, to, rest);
        _pay(bounty.token, to, rest);
    }

    /// @inheritdoc IReplicationBounty
    function entryOf(bytes32 id, uint32 group) external view returns (Entry memory) {
        StoredEntry storage entry = _entries[id][group];
        EntrySlot slot = entry.slot;
        return Entry(slot.attester(), entry.commitment, slot.sealedAt(), slot.paid());
    }

    /// @inheritdoc IReplicationBounty
    function idOf(Bounty calldata bounty) public pure returns (bytes32 id) {
        return keccak256(abi.encode(bounty));
    }

    /// @inheritdoc ProvenanceConsumer
    function _usedInterfaces() internal pure override returns (bytes4[] memory ids) {
        ids = new bytes4[](4);
        ids[0] = type(IRecords).interfaceId;
        ids[1] = type(IAttestations).interfaceId;
        ids[2] = type(ISeals).interfaceId;
        ids[3] = type(IGroups).interfaceId;
    }

    /// @dev The exact sum: with less, the last group of a bounty would be paid from another's money.
    function _receive(address token, uint256 total) private {
        uint256 value = token == address(0) ? total : 0;
        if (msg.value != value) revert WrongPayment(value, msg.value);
        if (token == address(0)) return;
        if (token.code.length == 0) revert NotAToken(token);
        uint256 before = IERC20(token).balanceOf(address(this));
        IERC20(token).safeTransferFrom(msg.sender, address(this), total);
        uint256 received = IERC20(token).balanceOf(address(this)) - before;
        if (received != total) revert WrongPayment(total, received);
    }

    /// @dev The last thing that a function does. Whoever reverts here keeps only its own money waiting.
    function _pay(address token, address to, uint256 amount) private {
        if (to == address(0) || to == address(this)) revert InvalidRecipient(to);
        if (token == address(0)) Address.sendValue(payable(to), amount);
        else IERC20(token).safeTransfer(to, amount);
    }

    function _requireTimes(uint40 entryUntil, uint40 verdictUntil) private view {
        bool inOrder = block.timestamp < entryUntil && uint256(entryUntil) + MIN_VERDICT_WINDOW <= verdictUntil;
        if (!inOrder || verdictUntil > block.timestamp + MAX_DURATION) {
            revert InvalidTimes(block.timestamp, entryUntil, verdictUntil);
        }
    }

    function _requireGroups(bytes32 recordId, uint32[] calldata groups) private view {
        uint256 count = groups.length;
        if (count == 0 || count > MAX_ELIGIBLE_GROUPS) revert GroupCountOutOfRange(count, MAX_ELIGIBLE_GROUPS);
        uint32 own = _requireStanding(recordId).group;
        uint32 last = 0;
        for (uint256 i = 0; i < count; ++i) {
            uint32 group = groups[i];
            if (group <= last) revert GroupsNotAscending(i);
            if (group == own) revert IAttestations.OwnRecord(group, recordId);
            _requireAge(group);
            _requireNoVerdict(recordId, group);
            last = group;
        }
    }

    /// @dev Groups are numbered in order: the number of one that doesn't exist yet, or whose block a reorganisation can
    /// still undo, could become anybody's.
    function _requireAge(uint32 group) private view {
        (,, uint40 createdAt) = registry.groupOf(group);
        if (createdAt == 0) revert IGroups.UnknownGroup(group);
        if (block.timestamp < createdAt + GROUP_AGE) revert GroupTooYoung(group, createdAt);
    }

    /// @dev A withdrawn verdict was seen, too.
    function _requireNoVerdict(bytes32 recordId, uint32 group) private view {
        uint32 version = registry.verdictOf(group, recordId).version;
        if (version != 0) revert VerdictAlreadyGiven(group, version);
    }

    function _requireOwner(uint32 group) private view {
        (address owner,,) = registry.groupOf(group);
        if (owner != msg.sender) revert IGroups.NotGroupOwner(group, msg.sender);
    }

    /// @dev Two seals of one block have one time; the noted commitment tells them apart.
    function _requireOpening(bytes32 recordId, uint32 group, StoredEntry storage entry, Opening calldata opening)
        private
        view
    {
        bytes32 shown = StructHash.verdictCommitment(
            group, entry.slot.attester(), recordId, uint8(opening.verdict), opening.evidence, opening.salt
        );
        if (shown != entry.commitment) revert NotTheCommitment(entry.commitment, shown);
        bool paid = opening.verdict == IAttestations.Verdict.Reproduced
            || opening.verdict == IAttestations.Verdict.NotReproduced;
        if (!paid) revert VerdictNotPaid(opening.verdict);
    }

    /// @dev Version 1 is the group's first and only word. A group that showed its verdict while others could still
    /// enter has spent it: showing early neither locks others out nor pays.
    function _requireVerdict(Bounty calldata bounty, uint32 group, uint40 sealedAt, Opening calldata opening)
        private
        view
    {
        IAttestations.Attestation memory current = registry.verdictOf(group, bounty.recordId);
        bool stands = current.version == 1 && current.verdict == opening.verdict
            && current.evidence == uint136(uint256(opening.evidence)) && current.sealedAt == sealedAt;
        if (!stands) revert VerdictNotStanding(group, current);
        if (current.attestedAt <= bounty.entryUntil || current.attestedAt > bounty.verdictUntil) {
            revert VerdictOutOfTime(current.attestedAt, bounty.entryUntil, bounty.verdictUntil);
        }
    }

    function _isEligible(uint32[] calldata groups, uint32 group) private pure returns (bool) {
        for (uint256 i = 0; i < groups.length; ++i) {
            if (groups[i] == group) return true;
        }
        return false;
    }

    function _claimUntil(Bounty calldata bounty) private pure returns (uint256) {
        return uint256(bounty.verdictUntil) + CLAIM_WINDOW;
    }
}
