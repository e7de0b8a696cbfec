// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IAttestations} from "./IAttestations.sol";

/// @dev So many groups can be named at most: funding looks at each of them.
uint256 constant MAX_ELIGIBLE_GROUPS = 32;
/// @dev Between the last entry and the last verdict there is at least this, so that nobody is kept from revealing.
uint40 constant MIN_VERDICT_WINDOW = 3 days;
/// @dev So long can groups claim; only then the sponsor takes what is left.
uint40 constant CLAIM_WINDOW = 30 days;
/// @dev So long must an eligible group have existed when the bounty is funded: a reorganisation of the chain could give
/// the number of a newer one to another group.
uint40 constant GROUP_AGE = 1 days;
/// @dev A bounty ends within this time, so that its money waits no longer for a mistake in the terms. What is left goes
/// to the sponsor alone: a sponsor that can't call any more leaves it here.
uint40 constant MAX_DURATION = 1826 days;

/// @title Bounties for reproducing a record, whatever comes out
/// @notice A sponsor names a record, the groups that may try, and a fixed share for each. A group is paid for
/// Reproduced or for NotReproduced, if it had committed to its verdict before any verdict that this bounty pays was
/// shown.
///
///   fund ......... entryUntil ............. verdictUntil .............. + CLAIM_WINDOW
///   | seal, enter  | reveal in the registry | claim                     | refund
///
/// Nobody owns this contract, and nobody can change or cancel a bounty. The sponsor could be the record's author:
/// therefore a retraction of the record after funding changes nothing for the groups.
///
/// That is within one bounty. A verdict that another bounty for the record paid for, or that a group gave without any,
/// is public: a group can copy it into its seal. Look for verdicts and other bounties before you fund, and name the
/// groups that you trust to work.
/// @dev A bounty is known by the hash of its terms, which every call brings: its id doesn't shift in a reorganisation,
/// and no caller is shown other terms than those funded. Group numbers can shift until a block is final, so a group
/// must be GROUP_AGE old. A share is one group's, whether or not others earn theirs.
interface IReplicationBounty {
    /// @notice The terms of a bounty, complete.
    /// @param sponsor who pays, and gets back what nobody earned
    /// @param recordId record to reproduce
    /// @param groups who is eligible, strictly ascending, without the record's own group
    /// @param token ERC-20 token of the shares, or zero for ether. A token can freeze, tax or shrink what is held: look
    /// at it before working for it
    /// @param share what each group gets, in the token's smallest unit
    /// @param entryUntil last time of entry, in Unix seconds. Verdicts given until then are not paid
    /// @param verdictUntil last time at which a verdict can be given, in Unix seconds
    struct Bounty {
        address sponsor;
        bytes32 recordId;
        uint32[] groups;
        address token;
        uint128 share;
        uint40 entryUntil;
        uint40 verdictUntil;
    }

    /// @notice What a group is committed to in a bounty.
    /// @param attester who sealed, and must reveal; zero if the group hasn't entered
    /// @param commitment what was sealed
    /// @param sealedAt Unix time in seconds of the seal
    /// @param paid whether the group has its share
    struct Entry {
        address attester;
        bytes32 commitment;
        uint40 sealedAt;
        bool paid;
    }

    /// @notice What a seal hid.
    /// @param verdict Reproduced or NotReproduced
    /// @param evidence id of the Run that it stands on
    /// @param salt the seal's salt
    struct Opening {
        IAttestations.Verdict verdict;
        bytes32 evidence;
        bytes32 salt;
    }

    /// @notice The sponsor paid the shares of all groups in.
    event Funded(bytes32 indexed id, address indexed sponsor, bytes32 indexed recordId, Bounty bounty);
    /// @notice The group is committed to what the attester sealed.
    event Entered(bytes32 indexed id, uint32 indexed group, address indexed attester, bytes32 commitment);
    /// @notice The group's share was paid for this verdict.
    event Claimed(bytes32 indexed id, uint32 indexed group, address indexed to, IAttestations.Verdict verdict);
    /// @notice The sponsor took what was left.
    event Refunded(bytes32 indexed id, address indexed to, uint256 amount);

    /// @notice Only the sponsor named in the terms funds a bounty and takes the rest.
    error NotSponsor(address sponsor, address caller);
    /// @notice A bounty with these very terms is funded already.
    error BountyExists(bytes32 id);
    /// @notice No money is held for these terms: they were never funded, or all of it was paid out.
    error UnknownBounty(bytes32 id);
    /// @notice The group was created at this time, which is less than GROUP_AGE ago.
    error GroupTooYoung(uint32 group, uint40 createdAt);
    /// @notice A bounty has at least one eligible group and at most this many.
    error GroupCountOutOfRange(uint256 count, uint256 maximum);
    /// @notice Groups must be strictly ascending, so that each counts once; this one is not.
    error GroupsNotAscending(uint256 index);
    /// @notice The windows are in the past, too short or too long; see the constants.
    error InvalidTimes(uint256 time, uint40 entryUntil, uint40 verdictUntil);
    /// @notice A share must be something.
    error NoShare();
    /// @notice There is no contract at this address.
    error NotAToken(address token);
    /// @notice Not the exact sum arrived. A token that takes a fee from transfers can't be used.
    error WrongPayment(uint256 expected, uint256 received);
    /// @notice The group gave a verdict on the record already, so it can't be blind.
    error VerdictAlreadyGiven(uint32 group, uint32 version);
    /// @notice The sponsor didn't name this group.
    error NotEligible(uint32 group);
    /// @notice A group commits once.
    error AlreadyEntered(uint32 group, bytes32 commitment);
    /// @notice The group entered another bounty for this record with this commitment, and has no other.
    error OtherCommitment(uint32 group, bytes32 commitment);
    /// @notice The group never entered.
    error NotEntered(bytes32 id, uint32 group);
    /// @notice This can be done after that time.
    error TooEarly(uint256 opensAfter, uint256 time);
    /// @notice This could be done until that time.
    error TooLate(uint256 openUntil, uint256 time);
    /// @notice The group has its share already.
    error AlreadyPaid(bytes32 id, uint32 group);
    /// @notice What is shown is not what the group committed to.
    error NotTheCommitment(bytes32 committed, bytes32 shown);
    /// @notice Only Reproduced and NotReproduced are paid.
    error VerdictNotPaid(IAttestations.Verdict verdict);
    /// @notice The registry doesn't show the sealed verdict as the group's first and only one: it was changed,
    /// withdrawn, or given without the seal.
    error VerdictNotStanding(uint32 group, IAttestations.Attestation current);
    /// @notice The verdict was given while groups could still enter, or too late.
    error VerdictOutOfTime(uint40 attestedAt, uint40 entryUntil, uint40 verdictUntil);
    /// @notice Money sent there would be lost.
    error InvalidRecipient(address to);

    /// @notice Opens a bounty and pays the shares of all its groups in: ether as the call's value, tokens by allowance.
    /// The record must stand, and no eligible group may have given a verdict on it. Only the sponsor in the terms.
    /// @return id the bounty's id
    function fund(Bounty calldata bounty) external payable returns (bytes32 id);

    /// @notice Commits a group to one sealed verdict, once and for good. Only the group's owner, while the entry is
    /// open and before the group's verdict is known.
    /// @dev What else the group sealed is worth nothing here. The seal may be older than the bounty, and may be entered
    /// in several bounties for the record: each of the sponsors pays for the same blind verdict, as each promised. A
    /// group has one commitment for a record in all bounties of this contract, so it can't choose after seeing a
    /// rival's verdict. It keeps that commitment for good: whoever loses the salt can neither reveal nor claim, and
    /// enters no other bounty for the record. The share goes back to the sponsor by {refund}.
    /// @param attester who sealed the commitment for the group, in the registry
    /// @param commitment see {ISeals-seal}, of a verdict on this bounty's record
    function enter(Bounty calldata bounty, uint32 group, address attester, bytes32 commitment) external;

    /// @notice Pays a group its share, if the verdict that it was committed to was revealed between entryUntil and
    /// verdictUntil, and stands now as the group's first and only one on the record. Only the group's owner of now.
    /// @param opening what the commitment hid
    /// @param to who gets the money; the owner chooses, so that a wallet that can't receive it loses nothing
    function claim(Bounty calldata bounty, uint32 group, Opening calldata opening, address to) external;

    /// @notice Pays the sponsor what nobody claimed, after everybody had time to. Only the sponsor.
    function refund(Bounty calldata bounty, address to) external;

    /// @notice The id of terms, funded or not.
    function idOf(Bounty calldata bounty) external pure returns (bytes32 id);

    /// @notice How much is held for a bounty, in the token's smallest unit.
    function held(bytes32 id) external view returns (uint256);

    /// @notice What a group is committed to.
    function entryOf(bytes32 id, uint32 group) external view returns (Entry memory);
}
