// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @notice A token that anyone can mint, and that can be as awkward as those in use.
contract Token is ERC20 {
    enum Manner {
        Plain,
        Silent,
        Denying,
        Taxed,
        Generous,
        Frozen,
        Calling
    }

    Manner public manner;
    address public target;
    bytes public data;
    bool public called;

    constructor() ERC20("Token", "TKN") {}

    function set(Manner manner_, address target_, bytes calldata data_) external {
        (manner, target, data, called) = (manner_, target_, data_, false);
    }

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function transfer(address to, uint256 amount) public override returns (bool) {
        if (manner == Manner.Denying) return false;
        super.transfer(to, amount);
        return _answer();
    }

    function transferFrom(address from, address to, uint256 amount) public override returns (bool) {
        if (manner == Manner.Denying) return false;
        super.transferFrom(from, to, amount);
        return _answer();
    }

    function _update(address from, address to, uint256 amount) internal override {
        super._update(from, to, amount);
        if (from == address(0) || to == address(0)) return;
        if (manner == Manner.Frozen) revert("frozen");
        if (manner == Manner.Taxed) _burn(to, amount / 100);
        if (manner == Manner.Generous) _mint(to, 1);
        if (manner == Manner.Calling) {
            (called,) = target.call(data);
        }
    }

    /// @dev Tokens older than the standard return nothing.
    function _answer() private view returns (bool) {
        if (manner == Manner.Silent) {
            assembly ("memory-safe") {
                return(0, 0)
            }
        }
        return true;
    }
}

/// @notice A contract that owns groups or sponsors bounties, and meets ether in its own way.
contract Payee {
    enum Manner {
        Accept,
        Refuse,
        Burn,
        Call
    }

    Manner public manner;
    address public target;
    bytes public data;
    bool public called;
    bytes public answer;

    function set(Manner manner_, address target_, bytes calldata data_) external {
        (manner, target, data) = (manner_, target_, data_);
    }

    function execute(address to, uint256 value, bytes calldata data_) external payable returns (bytes memory) {
        (bool success, bytes memory result) = to.call{value: value}(data_);
        if (!success) {
            assembly ("memory-safe") {
                revert(add(result, 0x20), mload(result))
            }
        }
        return result;
    }

    receive() external payable {
        if (manner == Manner.Refuse) revert("not wanted");
        if (manner == Manner.Burn) {
            assembly {
                invalid()
            }
        }
        if (manner == Manner.Call) (called, answer) = target.call(data);
    }
}

/// @notice Gives its ether to somebody who can't refuse it.
contract Forcer {
    constructor(address payable to) payable {
        selfdestruct(to);
    }
}
