// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @notice Lower-case hexadecimal digits, sixteen bytes at a time.
library Hex {
    /// @dev Each step moves the upper half of every piece up by as much as the piece is long, until every half byte has
    /// a byte of its own. A half byte over 9 carries into bit 4 when 6 is added; 39 characters lie between '9' and 'a'.
    function digits(uint128 value) internal pure returns (bytes32) {
        unchecked {
            uint256 r = value;
            r = (r | r << 64) & 0x0000000000000000ffffffffffffffff0000000000000000ffffffffffffffff;
            r = (r | r << 32) & 0x00000000ffffffff00000000ffffffff00000000ffffffff00000000ffffffff;
            r = (r | r << 16) & 0x0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff;
            r = (r | r << 8) & 0x00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff;
            r = (r | r << 4) & 0x0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f;
            uint256 letters = (r + 0x0606060606060606060606060606060606060606060606060606060606060606) >> 4
                & 0x0101010101010101010101010101010101010101010101010101010101010101;
            return bytes32(r + 0x3030303030303030303030303030303030303030303030303030303030303030 + letters * 39);
        }
    }

    /// @dev All 64 digits of a word.
    function digits(bytes32 value) internal pure returns (bytes32 upper, bytes32 lower) {
        return (digits(uint128(uint256(value) >> 128)), digits(uint128(uint256(value))));
    }
}
