// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @notice Answers every question as it was told to, and passes on what it was not told about.
contract HostileRegistry {
    /// @notice Pass: asks the real registry. Give: returns the data. Throw: reverts with it. Bomb: returns a megabyte.
    /// RevertBomb: reverts with one. Eat: uses all gas. Write: tries to change the state. Nothing: returns no data.
    enum Way {
        Pass,
        Give,
        Throw,
        Bomb,
        RevertBomb,
        Eat,
        Write,
        Nothing
    }

    address private immutable _real;
    mapping(bytes32 question => Way) private _ways;
    mapping(bytes32 question => bytes) private _data;
    uint256 private _written;

    constructor(address real) {
        _real = real;
    }

    /// @param question the whole calldata, or a function's selector for all of its questions
    function told(bytes calldata question, Way way, bytes calldata data) external {
        _ways[keccak256(question)] = way;
        _data[keccak256(question)] = data;
    }

    fallback() external {
        bytes32 question = keccak256(msg.data);
        if (_ways[question] == Way.Pass) question = keccak256(msg.data[:4]);
        Way way = _ways[question];
        bytes memory data = _data[question];
        if (way == Way.Pass) (, data) = _real.staticcall(msg.data);
        if (way == Way.Bomb || way == Way.RevertBomb) data = new bytes(1 << 20);
        if (way == Way.Nothing) data = "";
        if (way == Way.Write) _written = 1;
        while (way == Way.Eat) {}
        bool fails = way == Way.Throw || way == Way.RevertBomb;
        assembly ("memory-safe") {
            if fails { revert(add(data, 32), mload(data)) }
            return(add(data, 32), mload(data))
        }
    }
}
