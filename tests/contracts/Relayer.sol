// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ILabRegistry} from "../../interfaces/ILabRegistry.sol";
import {RecordKey} from "../../interfaces/IRecords.sol";

/// @notice Pays for many users' records in one transaction, as a paymaster's bundler does.
contract Relayer {
    struct Order {
        RecordKey key;
        uint40 deadline;
        bytes signature;
    }

    ILabRegistry private immutable _registry;

    event Relayed(uint256 indexed index, bytes32 id);
    event Dropped(uint256 indexed index, bytes reason);

    constructor(ILabRegistry registry) {
        _registry = registry;
    }

    /// @notice Relays every order; one that is refused, or takes more than its share of gas, leaves the others.
    function relay(Order[] calldata orders, uint256 gasEach) external {
        for (uint256 i = 0; i < orders.length; ++i) {
            Order calldata order = orders[i];
            try _registry.recordBySig{gas: gasEach}(order.key, order.deadline, order.signature) returns (bytes32 id) {
                emit Relayed(i, id);
            } catch (bytes memory reason) {
                emit Dropped(i, reason);
            }
        }
    }

    /// @notice Relays every order or none.
    function relayAll(Order[] calldata orders) external {
        for (uint256 i = 0; i < orders.length; ++i) {
            _registry.recordBySig(orders[i].key, orders[i].deadline, orders[i].signature);
        }
    }
}
