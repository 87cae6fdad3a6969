"""Calldata, events and errors of the settlement contracts, packed by hand (step 9 of the walk).

A batch is packed without padding, as contracts/src/BatchLib.sol says: an order takes 105 bytes and a
fill 29, which is a third of what the ABI would need. `tests/contracts/test_abi.py` compares every
name here with the compiled contracts.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct

from system.model.typed_data import SIGNATURE_BYTES, address_bytes, keccak
from system.ports.chain import ChainFill, SignedOrder, SignedWithdrawal

WORD = 32
BATCH_HEAD = Struct(">4s24xQ32s24xQ24xQ")
"""Selector, batchId, prevHash, where data begins after the selector, and its length."""
BATCH_HEAD_WORDS = 3
COUNTS = Struct(">4H")
"""Of instruments, accounts, orders, fills."""
INSTRUMENT_BYTES = 32
ACCOUNT_BYTES = 20
ORDER = Struct(">HBBBIQQBIQH")
"""account, instrument, side, tif, subaccount, qty, limitPrice, expiry (high byte, rest), nonce, maxFeeBps."""
COMPACT = Struct(">B32s32s")
"""Form 0, r, s; the top bit of s is the parity of v (EIP-2098)."""
OTHER = Struct(">BH")
"""Form 1 and a length: a contract account's signature follows."""
FILL = Struct(">HHQQQB")
WITHDRAWAL = Struct(">4s12x20s32s31x?24xQ24xQ32s32s")
"""Selector, account, amount, asCxpt, nonce, deadline, where the signature begins, and its length."""
WITHDRAWAL_HEAD_WORDS = 6

SETTLE_BATCH_SIGNATURE = "settleBatch(uint64,bytes32,bytes)"
WITHDRAW_BY_SIG_SIGNATURE = "withdrawBySig(address,uint256,bool,uint64,uint40,bytes)"
FILL_SKIPPED_SIGNATURE = "FillSkipped(uint64,uint256,bytes4)"
DEPOSIT_SIGNATURE = "Deposit(address,address,uint256,uint256)"
WITHDRAW_SIGNATURE = "Withdraw(address,uint256,uint256,bool,uint64)"
WITHDRAW_SYNTH_SIGNATURE = "WithdrawSynth(address,address,uint256)"
EXIT_QUEUED_SIGNATURE = "ExitQueued(address,address,uint256,bool,uint256)"

ERROR_SIGNATURES = (
    # settleBatch as a whole
    "WrongBatch(uint64,uint64)",
    "WrongHead(bytes32,bytes32)",
    "MalformedBatch()",
    "NotAscending(bytes32)",
    "BadReceipt(address)",
    # reasons to skip a fill
    "BadIndex()",
    "UnknownInstrument()",
    "BadSignature()",
    "SessionExceeded()",
    "OrderExpired()",
    "OrderCancelled()",
    "NonceRecycled()",
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
    "ClearingFailed()",
    # of Clearing, passed on by Settlement
    "OnlySettlement()",
    "WouldBeBankrupt(address)",
    "ReduceOnlyViolated(address)",
    "MarginNotCovered(address)",
    "ClearingShort()",
    "InexactEscrow()",
    "InstrumentExpired()",
    "FundingBehind(address)",
    "SafeCastOverflowedIntDowncast(uint8,int256)",
    "SafeCastOverflowedUintDowncast(uint8,uint256)",
    "SafeCastOverflowedUintToInt(uint256)",
    # of Clearing, to whom it concerns
    "AlreadyKnown(bytes32)",
    "UnknownBook(bytes32)",
    "BadTerms()",
    "BadSigners()",
    "TooFewSignatures(uint256,uint256)",
    "StaleObservation()",
    "NotExpired()",
    "NotAbandoned()",
    "WrongKind()",
    "BadValue()",
    "StaleMark()",
    "Healthy(address)",
    "OutsideBand(uint64)",
    "BadQty()",
    "InexactPrice()",
    "InsuranceExhausted(uint256)",
    "NotDeleverageable(address)",
    "NothingToClaim()",
    "ClaimsNotOpen(uint256)",
    # administration, cancels and sessions
    "AlreadyListed(bytes32)",
    "AlreadySet()",
    "ZeroAddress()",
    "UnsupportedKind(uint8)",
    "BadInstrument()",
    "SignatureExpired()",
    "BadCancelSignature()",
    "BadSessionSignature()",
    "SessionNonceUsed(uint64)",
    "SessionWouldShrink()",
    # of the Vault
    "LengthMismatch()",
    "AccrualLimit(uint256)",
    "NothingIsMissing(uint256)",
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
WITHDRAW_BY_SIG = selector(WITHDRAW_BY_SIG_SIGNATURE)
LAST_BATCH_ID = selector("lastBatchId()")
HEAD = selector("head()")
FILL_SKIPPED = topic(FILL_SKIPPED_SIGNATURE)
DEPOSIT = topic(DEPOSIT_SIGNATURE)
WITHDRAW = topic(WITHDRAW_SIGNATURE)
WITHDRAW_SYNTH = topic(WITHDRAW_SYNTH_SIGNATURE)
EXIT_QUEUED = topic(EXIT_QUEUED_SIGNATURE)
TO_ASSETS = selector("toAssets(uint256)")
_ERRORS = {selector(signature): signature for signature in ERROR_SIGNATURES}
_ERROR_STRING = selector("Error(string)")


def encode_batch(
    batch_id: int, prev_hash: bytes, orders: Sequence[SignedOrder], fills: Sequence[ChainFill]
) -> bytes:
    """Return the calldata of settleBatch.

    Raises:
        struct.error: a field does not fit its type.
    """
    accounts = sorted({address_bytes(order[0]) for order in orders})
    instruments = sorted({order[2] for order in orders})
    account_at = {account: place for place, account in enumerate(accounts)}
    instrument_at = {instrument: place for place, instrument in enumerate(instruments)}
    pack_order, pack_fill = ORDER.pack, FILL.pack
    parts = [COUNTS.pack(len(instruments), len(accounts), len(orders), len(fills)), *instruments, *accounts]
    for order in orders:
        account, subaccount, instrument, side, tif, qty, price, expiry, nonce, max_fee_bps, signature = order
        parts += (
            pack_order(
                account_at[address_bytes(account)],
                instrument_at[instrument],
                side,
                tif,
                subaccount,
                qty,
                price,
                expiry >> 32,
                expiry & 0xFFFFFFFF,
                nonce,
                max_fee_bps,
            ),
            _pack_signature(signature),
        )
    parts += [pack_fill(*fill) for fill in fills]
    data = b"".join(parts)
    head = BATCH_HEAD.pack(SETTLE_BATCH, batch_id, prev_hash, BATCH_HEAD_WORDS * WORD, len(data))
    return b"".join((head, data, bytes(-len(data) % WORD)))


def encode_withdrawal(wanted: SignedWithdrawal) -> bytes:
    """Return the calldata of withdrawBySig.

    Raises:
        struct.error: a field does not fit its type.
    """
    account, amount, as_cxpt, nonce, deadline, signature = wanted
    head = WITHDRAWAL.pack(
        *(WITHDRAW_BY_SIG, address_bytes(account), amount.to_bytes(WORD), as_cxpt, nonce, deadline),
        *((WITHDRAWAL_HEAD_WORDS * WORD).to_bytes(WORD), len(signature).to_bytes(WORD)),
    )
    return b"".join((head, signature, bytes(-len(signature) % WORD)))


def _pack_signature(signature: bytes) -> bytes:
    """Halve r, s and v into two words where that is their only form; leave anything else as it is."""
    if len(signature) == SIGNATURE_BYTES and signature[64] in (27, 28) and signature[32] < 0x80:
        s = bytes((signature[32] | (signature[64] - 27) << 7,)) + signature[33:64]
        return COMPACT.pack(0, signature[:32], s)
    return OTHER.pack(1, len(signature)) + signature


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
