// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ProvenanceConsumer} from "contracts/consumers/ProvenanceConsumer.sol";
import {ILabRegistry} from "interfaces/ILabRegistry.sol";
import {RecordKey} from "interfaces/IRecords.sol";

contract Licence is ProvenanceConsumer {
    bytes32 private immutable _dataset;
    mapping(bytes32 model => mapping(address licensee => bool)) private _granted;

    /// Of models trained on this very record: the same files recorded again are another.
    constructor(ILabRegistry registry, bytes32 dataset) ProvenanceConsumer(registry) {
        _dataset = dataset;
    }

    /// The author of a model licenses it.
    function grant(RecordKey calldata model, address licensee) external {
        require(model.author == msg.sender && model.kind == 2, "not your model");
        _granted[_requireStandingParent(model, _dataset, 1)][licensee] = true;
    }

    /// Ask whenever the model is used: model and dataset stand today, or this reverts.
    function isLicensed(RecordKey calldata model, address licensee) external view returns (bool) {
        return _granted[_requireStandingParent(model, _dataset, 1)][licensee];
    }
}
