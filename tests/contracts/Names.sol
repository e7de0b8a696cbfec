// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// Registry (EIP-137), registrar of .eth and resolver (ENSIP-5) of ENS in one, with what reading a text record needs.
contract Names {
    error OffchainLookup(address sender, string[] urls, bytes callData, bytes4 callback, bytes extraData);

    mapping(bytes32 node => address) public resolver;
    mapping(bytes32 node => mapping(string key => string)) private _texts;
    mapping(bytes32 node => bool) public offchain;
    mapping(uint256 label => uint256) public nameExpires;

    function owner(bytes32) external view returns (address) {
        return address(this);
    }

    function setExpiry(uint256 label, uint256 time) external {
        nameExpires[label] = time;
    }

    function setText(bytes32 node, string calldata key, string calldata value) external {
        resolver[node] = address(this);
        _texts[node][key] = value;
    }

    function setOffchain(bytes32 node) external {
        resolver[node] = address(this);
        offchain[node] = true;
    }

    function text(bytes32 node, string calldata key) external view returns (string memory) {
        if (offchain[node]) revert OffchainLookup(address(this), new string[](0), "", this.text.selector, "");
        return _texts[node][key];
    }
}
