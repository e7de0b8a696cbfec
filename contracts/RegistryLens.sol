// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ERC165} from "@openzeppelin/contracts/utils/introspection/ERC165.sol";

import {IAttestations} from "../interfaces/IAttestations.sol";
import {IBatches} from "../interfaces/IBatches.sol";
import {IGroups} from "../interfaces/IGroups.sol";
import {ILineage} from "../interfaces/ILineage.sol";
import {IRecords} from "../interfaces/IRecords.sol";
import {IRegistryLens} from "../interfaces/IRegistryLens.sol";

/// @title The Lens: many questions to one registry in one call
/// @notice Has no storage, owner or argument, so that it can have one address on every chain.
contract RegistryLens is IRegistryLens, ERC165 {
    /// @dev What each word of an answer may be, one byte a word: below 8 its largest value, ANY anything, else its
    /// number of bits.
    bytes private constant STATUS = hex"2008030828282820202020";
    bytes private constant ATTESTATION = hex"0488282820";
    bytes private constant BATCH = hex"28300128";
    bytes private constant LINEAGE = hex"03ff";
    bytes private constant MEMBERSHIP = hex"20282820";
    uint256 private constant ANY = 0xff;

    /// @dev A registry being asked.
    /// @param reserve gas that it does not get
    /// @param left how many questions share the rest
    struct Asked {
        address registry;
        uint256 reserve;
        uint256 left;
    }

    /// @inheritdoc IRegistryLens
    function version() external pure returns (uint256) {
        return 1;
    }

    /// @inheritdoc IRegistryLens
    function ask(address registry, Questions calldata questions) external view returns (Answers memory answers) {
        Asked memory asked = _start(
            registry,
            questions.ids.length + questions.groups.length * questions.judged.length + questions.batches.length
                + questions.paths.length + questions.memberOf.length * questions.accounts.length
        );
        answers.statuses = _statuses(asked, questions.ids);
        answers.verdicts = _verdicts(asked, questions.groups, questions.judged);
        answers.batches = _batches(asked, questions.batches);
        answers.lineages = _lineages(asked, questions.paths);
        answers.memberships = _memberships(asked, questions.memberOf, questions.accounts);
    }

    /// @inheritdoc IRegistryLens
    function statusesOf(address registry, bytes32[] calldata ids) external view returns (StatusReading[] memory) {
        return _statuses(_start(registry, ids.length), ids);
    }

    /// @inheritdoc IRegistryLens
    function verdictsOf(address registry, uint32[] calldata groups, bytes32[] calldata ids)
        external
        view
        returns (VerdictReading[][] memory)
    {
        return _verdicts(_start(registry, groups.length * ids.length), groups, ids);
    }

    /// @inheritdoc IRegistryLens
    function batchesOf(address registry, BatchName[] calldata batches) external view returns (BatchReading[] memory) {
        return _batches(_start(registry, batches.length), batches);
    }

    /// @inheritdoc IRegistryLens
    function lineagesOf(address registry, Path[] calldata paths) external view returns (LineageReading[] memory) {
        return _lineages(_start(registry, paths.length), paths);
    }

    /// @inheritdoc IRegistryLens
    function membershipsOf(address registry, uint32[] calldata groups, address[] calldata accounts)
        external
        view
        returns (MembershipReading[][] memory)
    {
        return _memberships(_start(registry, groups.length * accounts.length), groups, accounts);
    }

    /// @inheritdoc ERC165
    function supportsInterface(bytes4 interfaceId) public view override returns (bool) {
        return interfaceId == type(IRegistryLens).interfaceId || super.supportsInterface(interfaceId);
    }

    function _statuses(Asked memory asked, bytes32[] calldata ids)
        private
        view
        returns (StatusReading[] memory readings)
    {
        readings = new StatusReading[](ids.length);
        for (uint256 i = 0; i < ids.length; ++i) {
            IRecords.RecordStatus memory status = readings[i].status;
            readings[i].reading = _read(asked, abi.encodeCall(IRecords.statusOf, (ids[i])), STATUS, _place(status));
        }
    }

    function _verdicts(Asked memory asked, uint32[] calldata groups, bytes32[] calldata ids)
        private
        view
        returns (VerdictReading[][] memory readings)
    {
        readings = new VerdictReading[][](groups.length);
        for (uint256 g = 0; g < groups.length; ++g) {
            VerdictReading[] memory row = new VerdictReading[](ids.length);
            for (uint256 i = 0; i < ids.length; ++i) {
                bytes memory question = abi.encodeCall(IAttestations.verdictOf, (groups[g], ids[i]));
                row[i].reading = _read(asked, question, ATTESTATION, _place(row[i].attestation));
            }
            readings[g] = row;
        }
    }

    function _batches(Asked memory asked, BatchName[] calldata batches)
        private
        view
        returns (BatchReading[] memory readings)
    {
        readings = new BatchReading[](batches.length);
        for (uint256 i = 0; i < batches.length; ++i) {
            BatchName calldata batch = batches[i];
            bytes memory question = abi.encodeCall(IBatches.batchOf, (batch.group, batch.author, batch.root));
            readings[i].reading = _read(asked, question, BATCH, _place(readings[i]));
        }
    }

    function _lineages(Asked memory asked, Path[] calldata paths)
        private
        view
        returns (LineageReading[] memory readings)
    {
        readings = new LineageReading[](paths.length);
        for (uint256 i = 0; i < paths.length; ++i) {
            bytes memory question = abi.encodeCall(ILineage.lineageStatus, (paths[i].keys, paths[i].places));
            readings[i].reading = _read(asked, question, LINEAGE, _place(readings[i]));
        }
    }

    function _memberships(Asked memory asked, uint32[] calldata groups, address[] calldata accounts)
        private
        view
        returns (MembershipReading[][] memory readings)
    {
        readings = new MembershipReading[][](groups.length);
        for (uint256 g = 0; g < groups.length; ++g) {
            MembershipReading[] memory row = new MembershipReading[](accounts.length);
            for (uint256 i = 0; i < accounts.length; ++i) {
                bytes memory question = abi.encodeCall(IGroups.membershipOf, (groups[g], accounts[i]));
                row[i].reading = _read(asked, question, MEMBERSHIP, _place(row[i].membership));
            }
            readings[g] = row;
        }
    }

    /// @dev Half of the gas stays for what the Lens does itself: no figure here depends on the price of a slot.
    function _start(address registry, uint256 count) private view returns (Asked memory) {
        return Asked(registry, gasleft() / 2, count);
    }

    /// @dev Asks one question with its share of the gas, and takes the answer only if each of its words has its form.
    /// Nothing is copied before its size is known, because a hostile contract can return any amount.
    /// @param limits what each word may be
    /// @param place where in memory the words go
    function _read(Asked memory asked, bytes memory question, bytes memory limits, uint256 place)
        private
        view
        returns (Reading)
    {
        address registry = asked.registry;
        if (registry.code.length == 0) return Reading.NoContract;
        uint256 share = gasleft();
        share = share > asked.reserve ? (share - asked.reserve) / asked.left : 0;
        --asked.left;
        bool success;
        uint256 size;
        assembly ("memory-safe") {
            success := staticcall(share, registry, add(question, 32), mload(question), 0, 0)
            size := returndatasize()
        }
        if (!success) return Reading.Refused;
        if (size != 32 * limits.length) return Reading.Malformed;
        uint256[] memory words = new uint256[](limits.length);
        assembly ("memory-safe") {
            returndatacopy(add(words, 32), 0, size)
        }
        for (uint256 i = 0; i < words.length; ++i) {
            uint256 limit = uint8(limits[i]);
            if (limit != ANY && words[i] > (limit < 8 ? limit : (1 << limit) - 1)) return Reading.Malformed;
        }
        // the same words in the same order are the fields of a struct in memory
        assembly ("memory-safe") {
            mcopy(place, add(words, 32), size)
        }
        return Reading.Read;
    }

    /// @dev Where a struct's fields are.
    function _place(IRecords.RecordStatus memory fields) private pure returns (uint256 place) {
        assembly ("memory-safe") {
            place := fields
        }
    }

    function _place(IAttestations.Attestation memory fields) private pure returns (uint256 place) {
        assembly ("memory-safe") {
            place := fields
        }
    }

    function _place(IGroups.Membership memory fields) private pure returns (uint256 place) {
        assembly ("memory-safe") {
            place := fields
        }
    }

    /// @dev Where the fields after the reading are.
    function _place(BatchReading memory fields) private pure returns (uint256 place) {
        assembly ("memory-safe") {
            place := add(fields, 32)
        }
    }

    function _place(LineageReading memory fields) private pure returns (uint256 place) {
        assembly ("memory-safe") {
            place := add(fields, 32)
        }
    }
}
