"""Calldata, events and errors of the settlement contracts, packed by hand (step 9 of the walk).

`settleBatch` carries hundreds of structs of one word per field; `struct` packs them in about a
microsecond each, an ABI library needs a hundred. `tests/contracts/test_abi.py` compares every
name here with the compiled contracts.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct

from system.model.typed_data import address_bytes, keccak
from system.ports.chain import ChainFill, SignedOrder

WORD = 32
ORDER = Struct(">12x20s28xI32s31xB31xB24xQ24xQ24xQ24xQ30xH")
FILL = Struct(">28xI28xI24xQ24xQ24xQ")
BATCH_HEAD = Struct(">4s24xQ32s24xQ24xQ24xQ")
"""Selector, batchId, prevHash, and where orders, signatures and fills begin after the selector."""
BATCH_HEAD_WORDS = 5

SETTLE_BATCH_SIGNATURE = (
    "settleBatch(uint64,bytes32,"
    "(address,uint32,bytes32,uint8,uint8,uint64,uint64,uint40,uint64,uint16)[],"
    "bytes[],"
    "(uint32,uint32,uint64,uint64,uint64)[])"
)
FILL_SKIPPED_SIGNATURE = "FillSkipped(uint64,uint256,bytes4)"
DEPOSIT_SIGNATURE = "Deposit(address,address,uint256,uint256)"

ERROR_SIGNATURES = (
    # settleBatch as a whole
    "WrongBatch(uint64,uint64)",
    "WrongHead(bytes32,bytes32)",
    "LengthMismatch()",
    # reasons to skip a fill
    "BadIndex()",
    "UnknownInstrument()",
    "BadSignature()",
    "OrderExpired()",
    "OrderCancelled()",
    "SelfTrade()",
    "InstrumentMismatch()",
    "SameSide()",
    "WrongRole()",
    "NotCrossing()",
    "ZeroQty()",
    "Overfill()",
    "InexactNotional()",
    "FeeAboveBound()",
    "InsufficientFunds()",
    "InsufficientAsset()",
    # of Clearing, passed on by Settlement
    "OnlySettlement()",
    "WouldBeBankrupt(address)",
    "ReduceOnlyViolated(address)",
    "MarginNotCovered(address)",
    "ClearingShort()",
    "SafeCastOverflowedIntDowncast(uint8,int256)",
    "SafeCastOverflowedUintDowncast(uint8,uint256)",
    "SafeCastOverflowedUintToInt(uint256)",
    # administration and cancels
    "AlreadyListed(bytes32)",
    "AlreadySet()",
    "ZeroAddress()",
    "UnsupportedKind(uint8)",
    "BadInstrument()",
    "SignatureExpired()",
    "BadCancelSignature()",
    # of the Vault
    "UnknownToken(address)",
    "ZeroShares()",
    "NonZeroSum(int256)",
    "InsufficientShares(address)",
    "InsufficientAsset(address,address)",
    "ExitPending(uint256)",
    "NothingToExit()",
    "RedemptionClosed()",
    "NonceUsed(address,uint64)",
    "BadWithdrawalSignature()",
    # of OpenZeppelin and of Solidity itself
    "AccessControlUnauthorizedAccount(address,bytes32)",
    "EnforcedPause()",
    "Panic(uint256)",
)


def selector(signature: str) -> bytes:
    """Return the four bytes that name a function or an error in calldata."""
    return keccak(signature.encode())[:4]


def topic(signature: str) -> str:
    """Return the first topic of an event's logs."""
    return "0x" + keccak(signature.encode()).hex()


SETTLE_BATCH = selector(SETTLE_BATCH_SIGNATURE)
LAST_BATCH_ID = selector("lastBatchId()")
HEAD = selector("head()")
FILL_SKIPPED = topic(FILL_SKIPPED_SIGNATURE)
DEPOSIT = topic(DEPOSIT_SIGNATURE)
_ERRORS = {selector(signature): signature for signature in ERROR_SIGNATURES}
_ERROR_STRING = selector("Error(string)")


def encode_batch(
    batch_id: int, prev_hash: bytes, orders: Sequence[SignedOrder], fills: Sequence[ChainFill]
) -> bytes:
    """Return the calldata of settleBatch.

    Raises:
        struct.error: a field does not fit its type.
    """
    pack_order = ORDER.pack
    pack_fill = FILL.pack
    signatures = _encode_signatures([order.signature for order in orders])
    orders_at = BATCH_HEAD_WORDS * WORD
    signatures_at = orders_at + WORD + ORDER.size * len(orders)
    fills_at = signatures_at + len(signatures)
    parts = [
        BATCH_HEAD.pack(SETTLE_BATCH, batch_id, prev_hash, orders_at, signatures_at, fills_at),
        len(orders).to_bytes(WORD),
    ]
    parts += [pack_order(address_bytes(order[0]), *order[1:10]) for order in orders]
    parts += (signatures, len(fills).to_bytes(WORD))
    parts += [pack_fill(*fill) for fill in fills]
    return b"".join(parts)


def _encode_signatures(signatures: list[bytes]) -> bytes:
    """Encode bytes[]: how many, where each begins, then each with its length, padded to words."""
    places: list[bytes] = []
    bodies: list[bytes] = []
    place = WORD * len(signatures)
    for signature in signatures:
        places.append(place.to_bytes(WORD))
        size = len(signature)
        body = size.to_bytes(WORD) + signature + bytes(-size % WORD)
        bodies.append(body)
        place += len(body)
    return b"".join((len(signatures).to_bytes(WORD), *places, *bodies))


def head_after(prev_hash: bytes, batch_id: int, calldata: bytes) -> bytes:
    """Return the head of the hash chain once this batch is settled.

    Source: contracts/src/Settlement.sol, keccak256(abi.encode(prevHash, batchId, keccak256(msg.data))).
    """
    return keccak(prev_hash + batch_id.to_bytes(WORD) + keccak(calldata))


def error_name(error: bytes) -> str:
    """Return the name of a custom error by its selector, or the selector in hex when it is not ours."""
    signature = _ERRORS.get(error[:4])
    return signature.partition("(")[0] if signature else "0x" + error[:4].hex()


def decode_error(data: bytes) -> tuple[str, tuple[int | str, ...]]:
    """Return the name and arguments of a revert; addresses and hashes as hex.

    >>> decode_error(b"")
    ('Reverted', ())
    """
    if not data:
        return "Reverted", ()
    if data[:4] == _ERROR_STRING:
        size = int.from_bytes(data[36:68])
        return "Reverted", (data[68 : 68 + size].decode("utf-8", "replace"),)
    signature = _ERRORS.get(data[:4])
    if signature is None:
        return "0x" + data[:4].hex(), ("0x" + data[4:].hex(),)
    name, _, types = signature[:-1].partition("(")
    words = (data[at : at + WORD] for at in range(4, len(data), WORD))
    return name, tuple(_argument(kind, word) for kind, word in zip(types.split(","), words, strict=False))


def _argument(kind: str, word: bytes) -> int | str:
    if kind == "address":
        return "0x" + word[12:].hex()
    if kind == "bytes32":
        return "0x" + word.hex()
    return int.from_bytes(word, signed=kind.startswith("int"))
