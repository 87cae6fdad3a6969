// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";

/// @title EIP-712 types of the exchange, their hashes, and the check of a signature
/// @dev One domain for everything that is signed; `verifyingContract` is Settlement, so a new Settlement voids old orders.
library OrderLib {
    // kind
    uint8 internal constant SPOT = 0;
    uint8 internal constant PERP = 1;
    uint8 internal constant FUTURE = 2;
    uint8 internal constant OPTION = 3;
    // side
    uint8 internal constant BUY = 0;
    uint8 internal constant SELL = 1;
    // tif: the low three bits are a number, the others flags
    uint8 internal constant TIF_MASK = 7;
    uint8 internal constant IOC = 1;
    uint8 internal constant FOK = 2;
    uint8 internal constant POST_ONLY = 8;
    uint8 internal constant REDUCE_ONLY = 16;
    uint8 internal constant MARKET = 32;

    uint256 internal constant QTY_ONE = 1e8;
    uint256 internal constant BPS_ONE = 10_000;
    uint256 internal constant ERC1271_GAS = 100_000;

    // Half of the curve's order: of the two forms of each signature only the one with the lower s is accepted.
    uint256 private constant HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0;

    struct Instrument {
        uint8 kind;
        string symbol;
        uint64 expiry;
        uint64 strike;
        bool isCall;
        uint64 multiplier;
    }

    /// @dev The instrument is its hash: EIP-712 encodes a nested struct as exactly that word, so the wallet shows every
    /// term and the chain handles 32 bytes.
    struct Order {
        address account;
        uint32 subaccount;
        bytes32 instrumentId;
        uint8 side;
        uint8 tif;
        uint64 qty;
        uint64 limitPrice;
        uint40 expiry;
        uint64 nonce;
        uint16 maxFeeBps;
    }

    /// @dev The fields of the type in its order, so that the type hash followed by the struct is its encoding.
    struct NetReceipt {
        uint64 batchId;
        address asset;
        address account;
        int256 shareDelta;
        int256 assetDelta;
        uint64 minNonce;
        bytes32 root;
    }

    bytes32 internal constant DOMAIN_TYPEHASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 internal constant NAME_HASH = keccak256("Hybrid DEX");
    bytes32 internal constant VERSION_HASH = keccak256("1");
    bytes32 internal constant INSTRUMENT_TYPEHASH = keccak256(
        "Instrument(uint8 kind,string symbol,uint64 expiry,uint64 strike,bool isCall,uint64 multiplier)"
    );
    bytes32 internal constant ORDER_TYPEHASH = keccak256(
        "Order(address account,uint32 subaccount,Instrument instrument,uint8 side,uint8 tif,uint64 qty,uint64 limitPrice,uint40 expiry,uint64 nonce,uint16 maxFeeBps)Instrument(uint8 kind,string symbol,uint64 expiry,uint64 strike,bool isCall,uint64 multiplier)"
    );
    bytes32 internal constant CANCEL_TYPEHASH =
        keccak256("Cancel(address account,uint64 minNonce,uint64 nonce,uint40 deadline)");
    bytes32 internal constant WITHDRAWAL_TYPEHASH =
        keccak256("Withdrawal(address account,uint256 amount,bool asCxpt,uint64 nonce,uint40 deadline)");
    bytes32 internal constant SESSION_TYPEHASH = keccak256(
        "Session(address account,address key,uint40 expiry,uint64 maxOrderNotional,uint32 scope,uint64 nonce)"
    );
    bytes32 internal constant NET_RECEIPT_TYPEHASH = keccak256(
        "NetReceipt(uint64 batchId,address asset,address account,int256 shareDelta,int256 assetDelta,uint64 minNonce,bytes32 root)"
    );
    bytes32 internal constant OBSERVATION_TYPEHASH =
        keccak256("Observation(bytes32 instrumentId,uint8 what,int256 value,uint40 timestamp)");

    /// @dev Not cached: a cached separator would survive a fork of the chain.
    function domainSeparator(uint256 chainId, address settlement) internal pure returns (bytes32) {
        return keccak256(abi.encode(DOMAIN_TYPEHASH, NAME_HASH, VERSION_HASH, chainId, settlement));
    }

    function digest(bytes32 separator, bytes32 structHash) internal pure returns (bytes32 result) {
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, hex"1901")
            mstore(add(free, 2), separator)
            mstore(add(free, 34), structHash)
            result := keccak256(free, 66)
        }
    }

    function hashInstrument(Instrument memory i) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                INSTRUMENT_TYPEHASH, i.kind, keccak256(bytes(i.symbol)), i.expiry, i.strike, i.isCall, i.multiplier
            )
        );
    }

    /// @dev In memory an order has the fields of the type in its order, one word each; so the type hash followed by the
    /// struct is its EIP-712 encoding. The word before the struct is borrowed for the type hash and given back.
    function hashOrder(Order memory o) internal pure returns (bytes32 result) {
        bytes32 typehash = ORDER_TYPEHASH;
        assembly ("memory-safe") {
            let start := sub(o, 32)
            let borrowed := mload(start)
            mstore(start, typehash)
            result := keccak256(start, 352)
            mstore(start, borrowed)
        }
    }

    function hashCancel(address account, uint64 minNonce, uint64 nonce, uint40 deadline)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(CANCEL_TYPEHASH, account, minNonce, nonce, deadline));
    }

    function hashWithdrawal(address account, uint256 amount, bool asCxpt, uint64 nonce, uint40 deadline)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(WITHDRAWAL_TYPEHASH, account, amount, asCxpt, nonce, deadline));
    }

    /// @dev A key first, then ERC-1271: an EIP-7702 account has both a key and code.
    function isSignedBy(address account, bytes32 hash, bytes memory sig) internal view returns (bool) {
        address signer = recover(hash, sig);
        if (signer != address(0) && signer == account) return true;
        return isValidErc1271(account, hash, sig);
    }

    /// @return the zero address when nobody can have signed this
    function recover(bytes32 hash, bytes memory sig) internal pure returns (address) {
        if (sig.length != 65) return address(0);
        bytes32 r;
        bytes32 s;
        uint8 v;
        assembly ("memory-safe") {
            r := mload(add(sig, 32))
            s := mload(add(sig, 64))
            v := byte(0, mload(add(sig, 96)))
        }
        return recover(hash, v, r, s);
    }

    function recover(bytes32 hash, uint8 v, bytes32 r, bytes32 s) internal pure returns (address) {
        if (uint256(s) > HALF_ORDER || (v != 27 && v != 28)) return address(0);
        return ecrecover(hash, v, r, s);
    }

    /// @dev Bounded gas and one word of answer, so that a wallet's code can spoil its own order but not the batch.
    function isValidErc1271(address account, bytes32 hash, bytes memory sig) internal view returns (bool valid) {
        if (account.code.length == 0) return false;
        bytes memory data = abi.encodeCall(IERC1271.isValidSignature, (hash, sig));
        bytes4 magic = IERC1271.isValidSignature.selector;
        assembly ("memory-safe") {
            mstore(0, 0)
            let done := staticcall(ERC1271_GAS, account, add(data, 32), mload(data), 0, 32)
            valid := and(and(done, gt(returndatasize(), 31)), eq(mload(0), magic))
        }
    }

    function notional(uint64 price, uint64 qty) internal pure returns (uint256 n, bool exact) {
        unchecked {
            uint256 product = uint256(price) * qty;
            n = product / QTY_ONE;
            exact = n * QTY_ONE == product;
        }
    }

    function maxFee(uint16 maxFeeBps, uint256 n) internal pure returns (uint256) {
        unchecked {
            return (uint256(maxFeeBps) * n + BPS_ONE - 1) / BPS_ONE;
        }
    }
}
