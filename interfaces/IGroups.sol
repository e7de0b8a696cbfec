// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @dev May invite and remove members with the other two roles, retract and cancel the group's records, and end its
/// batches.
uint32 constant ROLE_MAINTAINER = 1;
/// @dev May record in the group's name.
uint32 constant ROLE_RECORDER = 2;
/// @dev May attest to other groups' records in the group's name.
uint32 constant ROLE_REVIEWER = 4;

/// @title Lab groups and their members
/// @notice A group is a lab, a collaboration or a team in it. It has exactly one owner at any time and members with
/// roles. No role, ownership of a group and ownership of the registry included, reaches into another group.
interface IGroups {
    /// @notice What a member may do, from when, until when.
    /// @param roles bitmap of the ROLE_ constants above
    /// @param since Unix time in seconds at which these roles were given
    /// @param until Unix time in seconds from which they no longer hold; type(uint40).max has no end
    /// @param version grows with every change, so that an invitation is accepted at most once. At 4,294,967,295 it
    /// stays, and no invitation to or by the account is accepted
    struct Membership {
        uint32 roles;
        uint40 since;
        uint40 until;
        uint32 version;
    }

    /// @notice What an inviter signs (EIP-712) or sends, and an account accepts: a membership needs both consents.
    /// @param group the group the account is invited to
    /// @param inviter the group's owner, or a MAINTAINER for roles other than MAINTAINER
    /// @param account who is invited; only this account can accept
    /// @param roles bitmap of the roles offered; replaces the roles held before
    /// @param until Unix time in seconds at which the membership ends; type(uint40).max has no end
    /// @param inviterVersion the inviter's own membership version, 0 if it never had one. It grows when the inviter's
    /// membership changes and when the inviter hands the group over: the invitation has ended then
    /// @param version the account's membership version
    /// @param deadline Unix time in seconds after which the invitation is refused
    struct Invitation {
        uint32 group;
        address inviter;
        address account;
        uint32 roles;
        uint40 until;
        uint32 inviterVersion;
        uint32 version;
        uint40 deadline;
    }

    /// @notice A group was created. `manifest` is the SHA-256 of its description, kept off chain.
    event GroupCreated(uint32 indexed group, address indexed owner, bytes32 manifest);
    /// @notice The owner replaced the group's description.
    event GroupDescribed(uint32 indexed group, bytes32 manifest);
    /// @notice The owner offered the group to `to`; the zero address takes an offer back.
    event GroupTransferStarted(uint32 indexed group, address indexed from, address indexed to);
    /// @notice `to` accepted and owns the group. A {MembershipChanged} of `from` follows, with another version only.
    event GroupTransferred(uint32 indexed group, address indexed from, address indexed to);
    /// @notice The inviter made this invitation by a transaction; {join} accepts it.
    event Invited(
        uint32 indexed group,
        address indexed inviter,
        address indexed account,
        uint32 roles,
        uint40 until,
        uint32 inviterVersion,
        uint32 version,
        uint40 deadline
    );
    /// @notice The membership of `account` is now this one. `by` gave it, took it away, or took the group over.
    event MembershipChanged(
        uint32 indexed group,
        address indexed by,
        address indexed account,
        uint32 roles,
        uint40 since,
        uint40 until,
        uint32 version
    );

    /// @notice Only the registry's owner creates groups here.
    error GroupCreationRestricted(address caller);
    /// @notice Only its owner creates groups in this registry, so the owner can hand it over and not give it up.
    error OwnerNeeded();
    /// @notice No group has this number.
    error UnknownGroup(uint32 group);
    /// @notice Only the group's owner may do this.
    error NotGroupOwner(uint32 group, address caller);
    /// @notice Only the account that the group was offered to may accept it.
    error NotPendingGroupOwner(uint32 group, address caller);
    /// @notice The account doesn't hold the role now; of several roles in the bitmap, none of them.
    error MissingRole(uint32 group, address account, uint32 role);
    /// @notice The bitmap holds no role, or a role that does not exist.
    error InvalidRoles(uint32 roles);
    /// @notice An invitation can be accepted only by the account it names.
    error NotInvited(address account, address caller);
    /// @notice The invitation was used, or the membership of this account, the invited or the inviter, changed since,
    /// or has the largest version.
    error StaleInvitation(address account, uint32 version, uint32 current);
    /// @notice Only the inviter it names makes an invitation.
    error NotInviter(address inviter, address caller);
    /// @notice The inviter never made this invitation by a transaction, or a field of it is another.
    error UnknownInvitation(bytes32 invitationHash);
    /// @notice The invitation's deadline has passed.
    error InvitationExpired(uint40 deadline, uint40 time);
    /// @notice The membership would have ended already.
    error MembershipEnded(uint40 until);
    /// @notice The inviter may not give these roles, or the caller may not change this membership.
    error NotAllowedToManage(uint32 group, address account, address by);

    /// @notice Creates a group owned by the caller.
    /// @param roles roles that the caller takes in it, without end; 0 for none
    /// @param manifest SHA-256 of the group's description
    /// @return group its number, from 1
    function createGroup(uint32 roles, bytes32 manifest) external returns (uint32 group);

    /// @notice Replaces the group's description. Only its owner.
    function describeGroup(uint32 group, bytes32 manifest) external;

    /// @notice Offers the group to another account, which must accept. Only its owner.
    function transferGroup(uint32 group, address to) external;

    /// @notice Takes over a group that was offered to the caller. Invitations by the owner before have ended, as far as
    /// they name its membership's version of now or before; its membership stays.
    function acceptGroup(uint32 group) external;

    /// @notice Makes an invitation by a transaction, for an inviter that can't sign. Only the inviter it names, who
    /// must have the right to now. {removeMember} of the account or of the inviter ends it.
    /// @dev To make it again changes nothing.
    function invite(Invitation calldata invitation) external;

    /// @notice Accepts an invitation that its inviter made by {invite}. Only the account it names.
    /// @dev The inviter's right is checked again, as it is now.
    function join(Invitation calldata invitation) external;

    /// @notice Accepts an invitation, signed by its inviter. Only the account it names.
    /// @dev The inviter's right is checked now, not when the invitation was signed.
    function joinBySig(Invitation calldata invitation, bytes calldata signature) external;

    /// @notice Ends a membership, and with it every invitation to the account or by the account that names a version up
    /// to now, also where there is no membership to end, but only in a group that exists. Everybody their own; the
    /// owner any; a MAINTAINER those without MAINTAINER, that of an owner who isn't one included.
    /// @dev An invitation signed for a version to come is not ended: sign none, and remove again where one was signed.
    /// Keeps what was held and since when; only the end and the version change.
    function removeMember(uint32 group, address account) external;

    /// @notice Whether anyone may create groups, or only the registry's owner.
    function openGroupCreation() external view returns (bool);

    /// @notice The number of the newest group; groups are numbered from 1 to this.
    function lastGroup() external view returns (uint32);

    /// @notice The group's owner, the account it is offered to (zero if none), and its creation time; all zero if no
    /// group has this number.
    /// @dev A number names a group only once its block is final: a reorganisation can give it to another group.
    function groupOf(uint32 group) external view returns (address owner, address pendingOwner, uint40 createdAt);

    /// @notice The last membership of the account, ended ones included; memberships are never deleted.
    function membershipOf(uint32 group, address account) external view returns (Membership memory);
}
