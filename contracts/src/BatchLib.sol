// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {OrderLib} from "./OrderLib.sol";

/// @dev The 29 bytes of a fill at the top of a word, read where they are needed and never put into memory.
type Fill is uint256;

using BatchLib for Fill global;

/// @title The packed form of a batch
/// @notice Big endian, nothing padded:
///   header       u16 instruments, u16 accounts, u16 orders, u16 fills
///   instrument   32 bytes id, strictly ascending
///   account      20 bytes, strictly ascending
///   order        u16 account, u8 instrument, u8 side, u8 tif, u32 subaccount, u64 qty, u64 limitPrice, u40 expiry,
///                u64 nonce, u16 maxFeeBps, u8 form; form 0: 32 bytes r, 32 bytes s with the parity of v in its top bit
///                (EIP-2098); form 1: u16 length, so many bytes of a contract account's signature
///   fill         u16 maker, u16 taker, u64 qty, u64 makerFee, u64 takerFee, u8 flags
/// @dev An order is 105 bytes, a fill 29. Reading past the end gives zeros; `MalformedBatch` follows before anything moves.
library BatchLib {
    uint256 internal constant HEADER = 8;
    uint256 internal constant INSTRUMENT = 32;
    uint256 internal constant ACCOUNT = 20;
    uint256 internal constant FIXED_ORDER = 40;
    uint256 internal constant COMPACT = 64;
    uint256 internal constant FILL_SIZE = 29;

    /// @dev Margin of this side is rounded down in this fill: see {IClearing.Fill}.
    uint256 internal constant MAKER_FLOOR = 1;
    uint256 internal constant TAKER_FLOOR = 2;

    struct Counts {
        uint256 instruments;
        uint256 accounts;
        uint256 orders;
        uint256 fills;
    }

    function counts(bytes calldata data) internal pure returns (Counts memory c) {
        uint256 word = _load(data, 0);
        c.instruments = word >> 240;
        c.accounts = (word >> 224) & 0xffff;
        c.orders = (word >> 208) & 0xffff;
        c.fills = (word >> 192) & 0xffff;
    }

    function instrument(bytes calldata data, uint256 index) internal pure returns (bytes32) {
        return bytes32(_load(data, HEADER + INSTRUMENT * index));
    }

    function account(bytes calldata data, Counts memory c, uint256 index) internal pure returns (address) {
        return address(uint160(_load(data, HEADER + INSTRUMENT * c.instruments + ACCOUNT * index) >> 96));
    }

    function firstOrder(Counts memory c) internal pure returns (uint256) {
        return HEADER + INSTRUMENT * c.instruments + ACCOUNT * c.accounts;
    }

    /// @return o without `account` and `instrumentId`: the caller knows the tables
    function order(bytes calldata data, uint256 place)
        internal
        pure
        returns (OrderLib.Order memory o, uint256 accountIndex, uint256 instrumentIndex)
    {
        uint256 word = _load(data, place);
        accountIndex = word >> 240;
        instrumentIndex = (word >> 232) & 0xff;
        o.side = uint8(word >> 224);
        o.tif = uint8(word >> 216);
        o.subaccount = uint32(word >> 184);
        o.qty = uint64(word >> 120);
        o.limitPrice = uint64(word >> 56);
        o.expiry = uint40(word >> 16);
        word = _load(data, place + 30);
        o.nonce = uint64(word >> 192);
        o.maxFeeBps = uint16(word >> 176);
    }

    function isCompact(bytes calldata data, uint256 place) internal pure returns (bool) {
        return _load(data, place) >> 248 == 0;
    }

    function compact(bytes calldata data, uint256 place) internal pure returns (bytes32 r, bytes32 s, uint8 v) {
        return split(bytes32(_load(data, place + 1)), _load(data, place + 33));
    }

    /// @param vs s with the parity of v in its top bit
    function split(bytes32 r, uint256 vs) internal pure returns (bytes32, bytes32 s, uint8 v) {
        return (r, bytes32(vs << 1 >> 1), uint8(27 + (vs >> 255)));
    }

    /// @return next where the signature ends
    function end(bytes calldata data, uint256 place) internal pure returns (uint256 next) {
        if (isCompact(data, place)) return place + 1 + COMPACT;
        return place + 3 + ((_load(data, place) >> 232) & 0xffff);
    }

    function fill(bytes calldata data, uint256 place) internal pure returns (Fill) {
        return Fill.wrap(_load(data, place));
    }

    function maker(Fill f) internal pure returns (uint256) {
        return Fill.unwrap(f) >> 240;
    }

    function taker(Fill f) internal pure returns (uint256) {
        return (Fill.unwrap(f) >> 224) & 0xffff;
    }

    function qty(Fill f) internal pure returns (uint64) {
        return uint64(Fill.unwrap(f) >> 160);
    }

    function makerFee(Fill f) internal pure returns (uint64) {
        return uint64(Fill.unwrap(f) >> 96);
    }

    function takerFee(Fill f) internal pure returns (uint64) {
        return uint64(Fill.unwrap(f) >> 32);
    }

    function makerFloors(Fill f) internal pure returns (bool) {
        return Fill.unwrap(f) >> 24 & MAKER_FLOOR != 0;
    }

    function takerFloors(Fill f) internal pure returns (bool) {
        return Fill.unwrap(f) >> 24 & TAKER_FLOOR != 0;
    }

    function _load(bytes calldata data, uint256 place) private pure returns (uint256 word) {
        assembly ("memory-safe") {
            word := calldataload(add(data.offset, place))
        }
    }
}
