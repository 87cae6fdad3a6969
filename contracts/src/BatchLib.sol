// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {OrderLib} from "./OrderLib.sol";

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
    uint256 internal constant FIXED_ORDER = 41;
    uint256 internal constant COMPACT = 64;
    uint256 internal constant FILL = 29;

    /// @dev Margin of this side is rounded down in this fill: see {IClearing.Fill}.
    uint8 internal constant MAKER_FLOOR = 1;
    uint8 internal constant TAKER_FLOOR = 2;

    struct Counts {
        uint256 instruments;
        uint256 accounts;
        uint256 orders;
        uint256 fills;
    }

    struct Fill {
        uint256 maker;
        uint256 taker;
        uint64 qty;
        uint64 makerFee;
        uint64 takerFee;
        uint8 flags;
    }

    /// @dev Where v is zero the signature is `data[from:next]`.
    struct Signature {
        bytes32 r;
        bytes32 s;
        uint8 v;
        uint256 from;
        uint256 next;
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

    /// @return sig compact or from a contract account, see {Signature}
    function signature(bytes calldata data, uint256 place) internal pure returns (Signature memory sig) {
        uint256 word = _load(data, place);
        if (word >> 248 == 0) {
            sig.r = bytes32(_load(data, place + 1));
            uint256 s = _load(data, place + 33);
            sig.v = uint8(27 + (s >> 255));
            sig.s = bytes32(s << 1 >> 1);
            sig.next = place + 1 + COMPACT;
        } else {
            sig.from = place + 3;
            sig.next = sig.from + ((word >> 232) & 0xffff);
        }
    }

    function fill(bytes calldata data, uint256 place) internal pure returns (Fill memory f) {
        uint256 word = _load(data, place);
        f.maker = word >> 240;
        f.taker = (word >> 224) & 0xffff;
        f.qty = uint64(word >> 160);
        f.makerFee = uint64(word >> 96);
        f.takerFee = uint64(word >> 32);
        f.flags = uint8(word >> 24);
    }

    function _load(bytes calldata data, uint256 place) private pure returns (uint256 word) {
        assembly ("memory-safe") {
            word := calldataload(add(data.offset, place))
        }
    }
}
