// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";

import {IGroups, ROLE_MAINTAINER, ROLE_RECORDER, ROLE_REVIEWER} from "../../interfaces/IGroups.sol";
import {StructHash} from "../libraries/StructHash.sol";
import {GroupSlot, GroupSlotLib} from "../types/GroupSlot.sol";
import {MemberId, memberId, MembershipSlot, MembershipSlotLib} from "../types/MembershipSlot.sol";
import {Signatures} from "./Signatures.sol";

/// @notice Groups, their owners and their members.
abstract contract Groups is IGroups, Ownable2Step, Signatures {
    uint32 private constant ALL_ROLES = ROLE_MAINTAINER | ROLE_RECORDER | ROLE_REVIEWER;
    uint40 private constant NO_END = type(uint40).max;

    struct Group {
        GroupSlot slot;
        address pendingOwner;
    }

    /// @inheritdoc IGroups
    bool public immutable openGroupCreation;
    /// @inheritdoc IGroups
    uint32 public lastGroup;

    mapping(uint32 group => Group) private _groups;
    mapping(MemberId member => MembershipSlot) private _memberships;
    mapping(bytes32 invitationHash => bool) private _invited;

    constructor(bool openGroupCreation_) {
        openGroupCreation = openGroupCreation_;
    }

    modifier onlyGroupOwner(uint32 group) {
        if (_groups[group].slot.owner() != msg.sender) revert NotGroupOwner(group, msg.sender);
        _;
    }

    /// @inheritdoc IGroups
    function createGroup(uint32 roles, bytes32 manifest) external returns (uint32 group) {
        if (!openGroupCreation && msg.sender != owner()) revert GroupCreationRestricted(msg.sender);
        group = ++lastGroup;
        _groups[group].slot = GroupSlotLib.pack(msg.sender, uint40(block.timestamp));
        emit GroupCreated(group, msg.sender, manifest);
        if (roles == 0) return group;
        _requireRoles(roles);
        _setMembership(group, msg.sender, msg.sender, roles, NO_END, 1);
    }

    /// @inheritdoc IGroups
    function describeGroup(uint32 group, bytes32 manifest) external onlyGroupOwner(group) {
        emit GroupDescribed(group, manifest);
    }

    /// @inheritdoc IGroups
    function transferGroup(uint32 group, address to) external onlyGroupOwner(group) {
        _groups[group].pendingOwner = to;
        emit GroupTransferStarted(group, msg.sender, to);
    }

    /// @inheritdoc IGroups
    function acceptGroup(uint32 group) external {
        Group storage stored = _groups[group];
        if (stored.pendingOwner != msg.sender) revert NotPendingGroupOwner(group, msg.sender);
        address from = stored.slot.owner();
        stored.slot = GroupSlotLib.pack(msg.sender, stored.slot.createdAt());
        delete stored.pendingOwner;
        emit GroupTransferred(group, from, msg.sender);
        // an owner's invitations end with the ownership, and stay ended if it comes back: those of versions up to now
        MembershipSlot membership = _memberships[memberId(group, from)];
        _setEnd(group, from, membership, membership.until());
    }

    /// @inheritdoc IGroups
    function invite(Invitation calldata invitation) external {
        if (invitation.inviter != msg.sender) revert NotInviter(invitation.inviter, msg.sender);
        _requireOpen(invitation);
        _invited[StructHash.hash(invitation)] = true;
        emit Invited(
            invitation.group,
            msg.sender,
            invitation.account,
            invitation.roles,
            invitation.until,
            invitation.inviterVersion,
            invitation.version,
            invitation.deadline
        );
    }

    /// @inheritdoc IGroups
    function join(Invitation calldata invitation) external {
        bytes32 invitationHash = StructHash.hash(invitation);
        if (!_invited[invitationHash]) revert UnknownInvitation(invitationHash);
        _join(invitation);
    }

    /// @inheritdoc IGroups
    function joinBySig(Invitation calldata invitation, bytes calldata signature) external {
        _requireSignature(invitation.inviter, StructHash.hash(invitation), invitation.deadline, signature);
        _join(invitation);
    }

    /// @inheritdoc IGroups
    function removeMember(uint32 group, address account) external {
        // a membership of a group to come would lower its version when the group is created
        if (group == 0 || group > lastGroup) revert UnknownGroup(group);
        MembershipSlot current = _memberships[memberId(group, account)];
        if (account != msg.sender) _requireManager(group, account, msg.sender, current, 0);

        uint40 until = uint40(block.timestamp);
        if (current.until() < until) until = current.until();
        _setEnd(group, account, current, until);
    }

    /// @dev Without an owner a restricted registry could never have another group.
    function renounceOwnership() public override onlyOwner {
        if (!openGroupCreation) revert OwnerNeeded();
        super.renounceOwnership();
    }

    /// @inheritdoc IGroups
    function groupOf(uint32 group) external view returns (address owner, address pendingOwner, uint40 createdAt) {
        Group storage stored = _groups[group];
        return (stored.slot.owner(), stored.pendingOwner, stored.slot.createdAt());
    }

    /// @inheritdoc IGroups
    function membershipOf(uint32 group, address account) external view returns (Membership memory) {
        MembershipSlot slot = _memberships[memberId(group, account)];
        return Membership(slot.roles(), slot.since(), slot.until(), slot.version());
    }

    function _hasRole(uint32 group, address account, uint32 role) internal view returns (bool) {
        return _memberships[memberId(group, account)].holds(role);
    }

    function _requireRole(uint32 group, address account, uint32 role) internal view {
        if (!_hasRole(group, account, role)) revert MissingRole(group, account, role);
    }

    /// @dev The owner manages every membership; a MAINTAINER those that neither have nor get MAINTAINER.
    function _requireManager(uint32 group, address account, address by, MembershipSlot current, uint32 roles)
        private
        view
    {
        if (_groups[group].slot.owner() == by) return;
        bool touchesMaintainer = roles & ROLE_MAINTAINER != 0 || current.holds(ROLE_MAINTAINER);
        if (touchesMaintainer || !_hasRole(group, by, ROLE_MAINTAINER)) revert NotAllowedToManage(group, account, by);
    }

    /// @dev Makes the caller a member by an invitation that its inviter has made.
    function _join(Invitation calldata invitation) private {
        if (invitation.account != msg.sender) revert NotInvited(invitation.account, msg.sender);
        _requireOpen(invitation);
        _setMembership(
            invitation.group, msg.sender, invitation.inviter, invitation.roles, invitation.until, invitation.version + 1
        );
    }

    /// @dev Whether the invitation can be accepted now: each version it names is still the one, so that neither the
    /// account nor the inviter was a member under other terms since.
    function _requireOpen(Invitation calldata invitation) private view {
        (uint32 group, address inviter, address account) = (invitation.group, invitation.inviter, invitation.account);
        if (block.timestamp > invitation.deadline) {
            revert InvitationExpired(invitation.deadline, uint40(block.timestamp));
        }
        if (invitation.until <= block.timestamp) revert MembershipEnded(invitation.until);
        _requireRoles(invitation.roles);
        MembershipSlot current = _memberships[memberId(group, account)];
        _requireVersion(account, invitation.version, current);
        _requireVersion(inviter, invitation.inviterVersion, _memberships[memberId(group, inviter)]);
        _requireManager(group, account, inviter, current, invitation.roles);
    }

    /// @dev The largest version ends nothing by growing, so no invitation names it.
    function _requireVersion(address account, uint32 version, MembershipSlot current) private pure {
        if (version != current.version() || version == type(uint32).max) {
            revert StaleInvitation(account, version, current.version());
        }
    }

    function _requireRoles(uint32 roles) private pure {
        if (roles == 0 || roles & ~ALL_ROLES != 0) revert InvalidRoles(roles);
    }

    /// @dev Writes a membership with another end, or only with another version.
    function _setEnd(uint32 group, address account, MembershipSlot current, uint40 until) private {
        uint32 version = current.version();
        // at the largest it stays: a membership can always be ended
        if (version != type(uint32).max) ++version;
        _memberships[memberId(group, account)] =
            MembershipSlotLib.pack(current.roles(), current.since(), until, version);
        emit MembershipChanged(group, msg.sender, account, current.roles(), current.since(), until, version);
    }

    function _setMembership(uint32 group, address account, address by, uint32 roles, uint40 until, uint32 version)
        private
    {
        uint40 since = uint40(block.timestamp);
        _memberships[memberId(group, account)] = MembershipSlotLib.pack(roles, since, until, version);
        emit MembershipChanged(group, by, account, roles, since, until, version);
    }
}
