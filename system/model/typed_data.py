"""EIP-712 typed data: what a wallet signs, hashed and checked in microseconds (steps 1 and 3 of the walk).

The same bytes as `contracts/src/OrderLib.sol` and any wallet: `tests/unit/test_typed_data.py`
holds all three together. Packed with `struct` instead of an ABI library and hashed by
safe-pysha3, because every order passes here (3 us instead of 117 us through eth_account).

Checking means recovering the signer. Verifying against a known public key would be a quarter
cheaper but is blind to `v`; the contract recovers, so an order with a wrong `v` would pass our
door and then be refused on chain, after it was matched.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from struct import Struct
from typing import NamedTuple

from coincurve._libsecp256k1 import ffi, lib
from coincurve.context import GLOBAL_CONTEXT
from sha3 import keccak_256

DOMAIN_NAME = "Hybrid DEX"
DOMAIN_VERSION = "1"

KIND_SPOT = 0
KIND_PERP = 1
KIND_FUTURE = 2
KIND_OPTION = 3
SIDE_BUY = 0
SIDE_SELL = 1

TIF_GTC = 0
TIF_IOC = 1
TIF_FOK = 2
TIF_GTT = 3
TIF_MASK = 7
POST_ONLY_BIT = 8
REDUCE_ONLY_BIT = 16
MARKET_BIT = 32
_TIF_NUMBER = {"GTC": TIF_GTC, "IOC": TIF_IOC, "FOK": TIF_FOK, "GTT": TIF_GTT}

SIGNATURE_BYTES = 65
RECOVER_MEMO = 65_536
"""Recover results kept: the door and the model chain check the same order, minutes apart at most."""

_HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
_UINT40 = 1 << 40


class Domain(NamedTuple):
    """Where signatures are valid: one chain and one Settlement contract."""

    chain_id: int
    verifying_contract: str


def keccak(data: bytes) -> bytes:
    """Return the 32 bytes of keccak-256."""
    digest: bytes = keccak_256(data).digest()
    return digest


_INSTRUMENT_TYPE = (
    "Instrument(uint8 kind,string symbol,uint64 expiry,uint64 strike,bool isCall,uint64 multiplier)"
)
_ORDER_TYPE = (
    "Order(address account,uint32 subaccount,Instrument instrument,uint8 side,uint8 tif,uint64 qty,"
    "uint64 limitPrice,uint40 expiry,uint64 nonce,uint16 maxFeeBps)" + _INSTRUMENT_TYPE
)
_DOMAIN_TYPEHASH = keccak(
    b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)
_INSTRUMENT_TYPEHASH = keccak(_INSTRUMENT_TYPE.encode())
_ORDER_TYPEHASH = keccak(_ORDER_TYPE.encode())
_CANCEL_TYPEHASH = keccak(b"Cancel(address account,uint64 minNonce,uint64 nonce,uint40 deadline)")
_WITHDRAWAL_TYPEHASH = keccak(
    b"Withdrawal(address account,uint256 amount,bool asCxpt,uint64 nonce,uint40 deadline)"
)

_OBSERVATION_TYPEHASH = keccak(b"Observation(bytes32 instrumentId,uint8 what,int256 value,uint40 timestamp)")
_COLLATERAL_TYPEHASH = keccak(
    b"Collateral(address account,string symbol,int256 amount,string purpose,uint64 nonce,uint40 deadline)"
)

# One 32-byte word per field; `x` is the zero padding to its left.
_pack_domain = Struct(">32s32s32s24xQ12x20s").pack
_pack_instrument = Struct(">32s31xB32s24xQ24xQ31x?24xQ").pack
_pack_order = Struct(">32s12x20s28xI32s31xB31xB24xQ24xQ24xQ24xQ30xH").pack
_pack_cancel = Struct(">32s12x20s24xQ24xQ24xQ").pack
_pack_withdrawal = Struct(">32s12x20s32s31x?24xQ24xQ").pack
_pack_observation = Struct(">32s32s31xB32s24xQ").pack
_pack_collateral = Struct(">32s12x20s32s32s32s24xQ24xQ").pack


@lru_cache(maxsize=RECOVER_MEMO)
def address_bytes(address: str) -> bytes:
    """Return the 20 bytes of "0x" + 40 hex digits, in any case."""
    raw = bytes.fromhex(address[2:])
    if len(raw) != 20 or address[:2] != "0x":
        raise ValueError(f"address: expected 0x and 40 hex digits, was {address!r}")
    return raw


@lru_cache(maxsize=64)
def domain_separator(domain: Domain) -> bytes:
    """Return the EIP-712 domain separator."""
    return keccak(
        _pack_domain(
            _DOMAIN_TYPEHASH,
            keccak(DOMAIN_NAME.encode()),
            keccak(DOMAIN_VERSION.encode()),
            domain.chain_id,
            address_bytes(domain.verifying_contract),
        )
    )


@lru_cache(maxsize=4096)
def instrument_hash(
    kind: int, symbol: str, expiry: int = 0, strike: int = 0, is_call: bool = False, multiplier: int = 1
) -> bytes:
    """Return hashStruct(Instrument), which is the instrument's id on chain.

    Units: `expiry` Unix seconds, `strike` uUSDC per 1.0 base; both 0 for spot and perps.
    """
    return keccak(
        _pack_instrument(
            _INSTRUMENT_TYPEHASH, kind, keccak(symbol.encode()), expiry, strike, is_call, multiplier
        )
    )


def tif_bits(tif: str, post_only: bool, reduce_only: bool, is_market: bool) -> int:
    """Return the signed `tif` byte; a market order is an IOC with the market bit.

    >>> tif_bits("GTC", False, False, False), tif_bits("GTT", True, False, False)
    (0, 11)
    >>> tif_bits("IOC", False, True, True)
    49
    """
    number = TIF_IOC if is_market else _TIF_NUMBER[tif]
    return number | post_only * POST_ONLY_BIT | reduce_only * REDUCE_ONLY_BIT | is_market * MARKET_BIT


def observation_digest(
    domain: Domain, instrument_id: bytes, what: int, value: int, timestamp_s: int
) -> bytes:
    """Return the digest of an observation (mark, funding payment, price at expiry) for Clearing's signers."""
    word = value.to_bytes(32, signed=True)
    packed = _pack_observation(_OBSERVATION_TYPEHASH, instrument_id, what, word, timestamp_s)
    return _digest(domain_separator(domain), packed)


def order_digest(  # noqa: PLR0913 - the signed fields, in their signed order
    domain_separator: bytes,
    account: str,
    subaccount: int,
    instrument_id: bytes,
    side: int,
    tif: int,
    qty: int,
    limit_price: int,
    expiry: int,
    nonce: int,
    max_fee_bps: int,
) -> bytes:
    """Return the digest an account signs for an order; the fields are those of ports.chain.SignedOrder.

    Units: qty 1e-8 base, limit_price uUSDC per 1.0 base, expiry Unix seconds (0 never).

    Raises:
        ValueError: a field does not fit its type, or the address is malformed.
    """
    if not 0 <= expiry < _UINT40:
        raise ValueError(f"expiry: expected a uint40, was {expiry}")
    try:
        packed = _pack_order(
            _ORDER_TYPEHASH,
            address_bytes(account),
            subaccount,
            instrument_id,
            side,
            tif,
            qty,
            limit_price,
            expiry,
            nonce,
            max_fee_bps,
        )
    except struct.error as problem:
        raise ValueError(f"order: expected every field to fit its type, was: {problem}") from None
    return _digest(domain_separator, packed)


def cancel_digest(domain_separator: bytes, account: str, min_nonce: int, nonce: int, deadline: int) -> bytes:
    """Return the digest of a cancel: of one nonce, or of all nonces below `min_nonce`; 0 leaves a part out.

    Units: deadline Unix seconds.

    Raises:
        ValueError: a field does not fit its type, or the address is malformed.
    """
    if not 0 <= deadline < _UINT40:
        raise ValueError(f"deadline: expected a uint40, was {deadline}")
    try:
        packed = _pack_cancel(_CANCEL_TYPEHASH, address_bytes(account), min_nonce, nonce, deadline)
    except struct.error as problem:
        raise ValueError(f"cancel: expected every field to fit its type, was: {problem}") from None
    return _digest(domain_separator, packed)


def withdrawal_digest(
    domain_separator: bytes, account: str, amount: int, as_cxpt: bool, nonce: int, deadline: int
) -> bytes:
    """Return the digest of a withdrawal that the operator co-signs by sending it.

    Units: amount uUSDC, deadline Unix seconds.

    Raises:
        ValueError: a field does not fit its type, or the address is malformed.
    """
    if not 0 <= deadline < _UINT40 or not 0 <= amount < 1 << 256:
        raise ValueError(f"withdrawal: expected a uint40 and a uint256, was {deadline} and {amount}")
    try:
        packed = _pack_withdrawal(
            _WITHDRAWAL_TYPEHASH, address_bytes(account), amount.to_bytes(32), as_cxpt, nonce, deadline
        )
    except struct.error as problem:
        raise ValueError(f"withdrawal: expected every field to fit its type, was: {problem}") from None
    return _digest(domain_separator, packed)


def collateral_digest(
    domain_separator: bytes, account: str, symbol: str, amount: int, purpose: str, nonce: int, deadline: int
) -> bytes:
    """Return the digest of a movement of margin, or into an insurance fund. Only the ledger reads it.

    Units: amount uUSDC, with a sign; deadline Unix seconds.
    """
    packed = _pack_collateral(
        *(_COLLATERAL_TYPEHASH, address_bytes(account), keccak(symbol.encode())),
        *(amount.to_bytes(32, signed=True), keccak(purpose.encode()), nonce, deadline),
    )
    return _digest(domain_separator, packed)


def _digest(domain_separator: bytes, packed: bytes) -> bytes:
    inner = keccak_256(packed).digest()
    digest: bytes = keccak_256(b"\x19\x01" + domain_separator + inner).digest()
    return digest


def signature_bytes(signature: bytes | str) -> bytes:
    """Return the bytes of a signature given as bytes or hex; b"" when it is neither hex nor 65 bytes."""
    if isinstance(signature, str):
        try:
            signature = bytes.fromhex(signature[2:] if signature[:2] == "0x" else signature)
        except ValueError:
            return b""
    return signature if len(signature) == SIGNATURE_BYTES else b""


def recover(digest: bytes, signature: bytes | str) -> str:
    """Return the lower-case address that signed, or "" when nobody can have signed this.

    As strict as the contract: 65 bytes, v 27 or 28, s in the lower half (each signature has one form).
    """
    raw = signature_bytes(signature)
    return _recover(digest, raw) if raw else ""


def is_signed_by(account: str, digest: bytes, signature: bytes | str) -> bool:
    """Say whether this very account signed the digest. `account` may be in any case."""
    signer = recover(digest, signature)
    return signer != "" and (signer == account or signer == account.lower())


# libsecp256k1 by its C interface: the wrapper's objects cost more than the arithmetic saves.
# Buffers are made per call, since cffi lets other threads run while C works.
_context = GLOBAL_CONTEXT.ctx
_new = ffi.new
_buffer = ffi.buffer
_SIGNATURE_TYPE = ffi.typeof("secp256k1_ecdsa_recoverable_signature *")
_PUBLIC_KEY_TYPE = ffi.typeof("secp256k1_pubkey *")
_BYTES64_TYPE = ffi.typeof("unsigned char[64]")
_BYTES65_TYPE = ffi.typeof("unsigned char[65]")
_INT_TYPE = ffi.typeof("int *")
_SIZE_TYPE = ffi.typeof("size_t *")
_UNCOMPRESSED = 2  # SECP256K1_EC_UNCOMPRESSED


@lru_cache(maxsize=RECOVER_MEMO)
def _recover(digest: bytes, signature: bytes) -> str:
    v = signature[64] - 27
    if v not in (0, 1) or len(digest) != 32 or int.from_bytes(signature[32:64]) > _HALF_ORDER:
        return ""
    parsed = _new(_SIGNATURE_TYPE)
    public_key = _new(_PUBLIC_KEY_TYPE)
    if not lib.secp256k1_ecdsa_recoverable_signature_parse_compact(_context, parsed, signature, v):
        return ""
    if not lib.secp256k1_ecdsa_recover(_context, public_key, parsed, digest):
        return ""
    return _address_of_key(bytes(_buffer(public_key)))


@lru_cache(maxsize=RECOVER_MEMO)
def _address_of_key(internal_key: bytes) -> str:
    """Hash a public key, in libsecp256k1's own 64-byte form, to its address. Traders sign often: cached."""
    public_key = _new(_PUBLIC_KEY_TYPE)
    _buffer(public_key)[:] = internal_key
    output = _new(_BYTES65_TYPE)
    size = _new(_SIZE_TYPE, 65)
    lib.secp256k1_ec_pubkey_serialize(_context, output, size, public_key, _UNCOMPRESSED)
    return "0x" + keccak(bytes(_buffer(output))[1:])[12:].hex()


def address_of(private_key: bytes) -> str:
    """Return the lower-case address of a 32-byte private key.

    Raises:
        ValueError: not a private key.
    """
    public_key = _new(_PUBLIC_KEY_TYPE)
    if len(private_key) != 32 or not lib.secp256k1_ec_pubkey_create(_context, public_key, private_key):
        raise ValueError("private key: expected 32 bytes between 1 and the order of the curve")
    return _address_of_key(bytes(_buffer(public_key)))


def sign(digest: bytes, private_key: bytes) -> bytes:
    """Return r, s, v (65 bytes, v 27 or 28, low s); the same for the same input (RFC 6979).

    Raises:
        ValueError: not a 32-byte digest, or not a private key.
    """
    if len(digest) != 32 or len(private_key) != 32:
        raise ValueError(f"sign: expected 32 and 32 bytes, was {len(digest)} and {len(private_key)}")
    signature = _new(_SIGNATURE_TYPE)
    if not lib.secp256k1_ecdsa_sign_recoverable(_context, signature, digest, private_key, ffi.NULL, ffi.NULL):
        raise ValueError("private key: expected a number between 1 and the order of the curve")
    output = _new(_BYTES64_TYPE)
    recovery_id = _new(_INT_TYPE)
    lib.secp256k1_ecdsa_recoverable_signature_serialize_compact(_context, output, recovery_id, signature)
    return bytes(_buffer(output)) + (b"\x1b", b"\x1c")[recovery_id[0]]
