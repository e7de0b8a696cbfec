// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

/// @notice Does whatever anyone tells it to.
abstract contract Executor {
    /// @notice Calls another contract as this wallet.
    function execute(address to, bytes calldata data) external returns (bytes memory) {
        (bool success, bytes memory result) = to.call(data);
        if (!success) {
            assembly ("memory-safe") {
                revert(add(result, 0x20), mload(result))
            }
        }
        return result;
    }
}

/// @notice A contract wallet of one key, which can be replaced. Also what an EOA delegates to under EIP-7702.
contract Wallet is Executor, IERC1271 {
    address public key;

    constructor(address key_) {
        key = key_;
    }

    /// @notice From now on the wallet accepts signatures of this key, or of none if it is zero.
    function replaceKey(address key_) external {
        key = key_;
    }

    /// @inheritdoc IERC1271
    function isValidSignature(bytes32 hash, bytes calldata signature) external view returns (bytes4) {
        (address recovered, ECDSA.RecoverError err,) = ECDSA.tryRecoverCalldata(hash, signature);
        bool valid = err == ECDSA.RecoverError.NoError && recovered == key;
        return valid ? IERC1271.isValidSignature.selector : bytes4(0xffffffff);
    }
}

/// @notice Accepts whatever anyone calls a signature.
contract CarelessWallet is Executor, IERC1271 {
    /// @inheritdoc IERC1271
    function isValidSignature(bytes32, bytes calldata) external pure returns (bytes4) {
        return IERC1271.isValidSignature.selector;
    }
}

/// @notice Answers in every way but the right one.
contract HostileWallet is Executor {
    enum Answer {
        Revert,
        Nothing,
        Short,
        Dirty,
        Flood,
        Burn,
        Call,
        TryAndConsent
    }

    Answer public answer;
    address public target;
    bytes public data;

    function set(Answer answer_, address target_, bytes calldata data_) external {
        (answer, target, data) = (answer_, target_, data_);
    }

    fallback() external {
        Answer chosen = answer;
        if (chosen == Answer.Revert) revert("no");
        if (chosen == Answer.Call) {
            (bool success,) = target.call(data);
            require(success, "static");
        }
        if (chosen == Answer.TryAndConsent) {
            // whatever came of it; a call that changes state burns the gas it is given, so it gets a part
            (bool done,) = target.call{gas: gasleft() / 2}(data);
            done;
        }
        assembly {
            switch chosen
            case 1 { return(0, 0) }
            case 2 {
                // the magic value alone, not padded to a word
                mstore(0, shl(224, 0x1626ba7e))
                return(0, 4)
            }
            case 3 {
                // the magic value with dirt behind it
                mstore(0, or(shl(224, 0x1626ba7e), 1))
                return(0, 32)
            }
            case 4 { return(0, 1000000) }
            case 5 { invalid() }
            default {
                mstore(0, shl(224, 0x1626ba7e))
                return(0, 32)
            }
        }
    }
}
