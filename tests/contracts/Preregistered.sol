// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ProvenanceConsumer} from "contracts/consumers/ProvenanceConsumer.sol";
import {ILabRegistry} from "interfaces/ILabRegistry.sol";
import {RecordKey} from "interfaces/IRecords.sol";

contract Preregistered is ProvenanceConsumer {
    uint32 private immutable _source;
    /// Since when the bytes with this digest are known, as far as anybody showed here.
    mapping(bytes32 subject => uint40 time) public knownSince;

    /// @param source the group that takes the data and records each file once
    constructor(ILabRegistry registry, uint32 source) ProvenanceConsumer(registry) {
        _source = source;
    }

    /// Anyone who knows an earlier record of the same bytes, of whatever group, shows it.
    function show(RecordKey calldata earlier) external {
        _note(earlier.subject, _knownSince(registry.idOf(earlier)));
    }

    /// The same by a batch, which a record that was stored by a relayed signature doesn't name.
    function showBatched(RecordKey calldata earlier, bytes32 root, bytes32[] calldata proof) external {
        bytes32 id = registry.idOf(earlier);
        (uint40 anchoredAt,) = registry.batchedAt(earlier.group, earlier.author, id, root, proof);
        _note(earlier.subject, anchoredAt);
    }

    /// The run was evaluated on data that nobody is known to have had when its plan was sealed, or this reverts.
    function requirePreregistered(RecordKey calldata run, RecordKey calldata plan, RecordKey calldata data)
        external
        view
    {
        (, uint40 sealedAt) = _requirePreregistered(run, plan, data, 3, _source);
        uint40 known = knownSince[data.subject];
        require(known == 0 || known > sealedAt, "somebody had the data before");
    }

    function _note(bytes32 subject, uint40 time) private {
        uint40 known = knownSince[subject];
        if (time != 0 && (known == 0 || time < known)) knownSince[subject] = time;
    }
}
