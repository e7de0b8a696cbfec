// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ERC165} from "@openzeppelin/contracts/utils/introspection/ERC165.sol";

import {ProvenanceConsumer} from "../../contracts/consumers/ProvenanceConsumer.sol";
import {ILabRegistry} from "../../interfaces/ILabRegistry.sol";
import {RecordKey} from "../../interfaces/IRecords.sol";

/// @notice Shows every question of ProvenanceConsumer.
contract Asker is ProvenanceConsumer {
    constructor(ILabRegistry registry_) ProvenanceConsumer(registry_) {}

    function recorded(RecordKey calldata key) external view returns (bytes32) {
        return _requireRecorded(key);
    }

    function standingParent(RecordKey calldata key, bytes32 parent, uint8 relation) external view returns (bytes32) {
        return _requireStandingParent(key, parent, relation);
    }

    function preregistered(
        RecordKey calldata run,
        RecordKey calldata plan,
        RecordKey calldata data,
        uint8 relation,
        uint32 source
    ) external view returns (bytes32, uint40) {
        return _requirePreregistered(run, plan, data, relation, source);
    }

    function reproducedBy(RecordKey calldata key, uint32[] calldata groups, uint256 minimum)
        external
        view
        returns (bytes32)
    {
        return _requireReproducedBy(key, groups, minimum);
    }

    function batched(RecordKey calldata key, bytes32 root, bytes32[] calldata proof)
        external
        view
        returns (bytes32, uint40)
    {
        return _requireBatched(key, root, proof);
    }

    function cleanLineage(RecordKey[] calldata path, uint256[] calldata places) external view returns (bytes32) {
        return _requireCleanLineage(path, places);
    }
}

/// @notice Speaks ERC-165 and is no registry.
contract OtherERC165 is ERC165 {}
