"""Why a contract refused a fill, in the exchange's words: one word for each error, and the other way round.

Where the door or the matcher has a word for the same thing, it is that word: their check was the
first, so a fill that is refused for it tells of a disagreement. The others cannot happen to a trade
that the matcher made.
"""

from __future__ import annotations

from system.model.errors import RejectReason

SKIP_REASONS: dict[str, str] = {
    "BadIndex": "BAD_INDEX",
    "UnknownInstrument": RejectReason.UNKNOWN_SYMBOL,
    "BadSignature": RejectReason.BAD_SIGNATURE,
    "SessionExceeded": RejectReason.FORBIDDEN,
    "OrderExpired": RejectReason.EXPIRED,
    "OrderCancelled": RejectReason.UNKNOWN_ORDER,
    "SelfTrade": "SELF_TRADE",
    "InstrumentMismatch": RejectReason.WRONG_INSTRUMENT,
    "SameSide": "SAME_SIDE",
    "WrongRole": RejectReason.WOULD_TAKE,
    "NotCrossing": "NOT_CROSSING",
    "ZeroQty": RejectReason.INCORRECT_QUANTITY,
    "NonceRecycled": RejectReason.DUPLICATE_ORDER,
    "Overfill": RejectReason.ORDER_EXCEEDS_LIMIT,
    "InexactNotional": RejectReason.INCORRECT_TICK,
    "FeeAboveBound": RejectReason.FEE_ABOVE_SIGNED,
    "InsufficientFunds": RejectReason.INSUFFICIENT_FUNDS,
    "InsufficientAsset": "INSUFFICIENT_ASSET",
    "InstrumentExpired": RejectReason.EXCHANGE_CLOSED,
    "FundingBehind": "FUNDING_BEHIND",
    "ReduceOnlyViolated": "REDUCE_ONLY",
    "WouldBeBankrupt": RejectReason.WOULD_BE_BANKRUPT,
    "InexactEscrow": "INEXACT_ESCROW",
    "ClearingShort": "CLEARING_SHORT",
    "ClearingFailed": "CLEARING_FAILED",
}
"""Errors of settleBatch by which a fill is skipped (contracts/README.md, in the order of the checks)."""


def reason_of(error: str) -> str:
    """Return the word for an error; one that spoiled a whole batch, or is not ours, keeps its name."""
    return SKIP_REASONS.get(error, error)
