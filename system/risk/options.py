"""Options that are paid in full: OPTN-001 to OPTN-012.

Calls are capped, so that their writer can lock the most they can pay; puts are secured by their
strike. The premium moves in cash at the trade, and nothing is ever liquidated.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from system.model.units import PPM, QTY_SCALE, div_ceil, ppm_ceil

OptionType = Literal["CALL", "PUT"]

DAY_S = 86_400
CAP_RATIOS = ((30 * DAY_S, 2), (90 * DAY_S, 3))  # tenor up to, cap over strike or index


def payoff_e6(option_type: OptionType, strike_e6: int, settle_e6: int, cap_e6: int = 0) -> int:
    """Return what one unit pays at expiry; at the strike nothing. `cap_e6` 0 is no cap. Rule: OPTN-001.

    >>> payoff_e6("CALL", 60_000, 200_000, 180_000), payoff_e6("PUT", 50_000, 42_000)
    (120000, 8000)
    """
    if option_type == "PUT":
        return max(0, strike_e6 - settle_e6)
    gain = max(0, settle_e6 - strike_e6)
    return min(gain, cap_e6 - strike_e6) if cap_e6 else gain


def listing_cap_e6(strike_e6: int, index_e6: int, tenor_s: int, tick_e6: int) -> int:
    """Return the cap of a call listed now, on the nearest tick; ties to the even one. Rule: OPTN-002.

    Twice the larger of strike and index up to 30 days, three times up to 90.
    """
    ratio = next((ratio for most_s, ratio in CAP_RATIOS if 0 < tenor_s <= most_s), 0)
    if not ratio:
        raise ValueError(f"tenor: expected above 0 and at most 90 days, was {tenor_s} s")
    ticks, rest = divmod(ratio * max(strike_e6, index_e6), tick_e6)
    return (ticks + (2 * rest > tick_e6 or (2 * rest == tick_e6 and ticks % 2 == 1))) * tick_e6


def put_lock(strike_e6: int, qty_e8: int, long_strike_e6: int = 0, long_e8: int = 0) -> int:
    """Return what the writer of puts locks: the strike, less what a bought put covers. Rule: OPTN-003.

    Rounded up; exact on legal strikes and lots. Source: Opyn.
    """
    covered = long_strike_e6 * min(long_e8, qty_e8)
    return max(0, div_ceil(strike_e6 * qty_e8 - covered, QTY_SCALE))


def call_lock(strike_e6: int, cap_e6: int, qty_e8: int) -> int:
    """Return what the writer of capped calls locks: cap less strike. Rule: OPTN-003."""
    return div_ceil((cap_e6 - strike_e6) * qty_e8, QTY_SCALE)


def writer_lock(option_type: OptionType, strike_e6: int, cap_e6: int, qty_e8: int) -> int:
    """Return the lock of a written quantity: its largest loss, exactly (I8)."""
    return put_lock(strike_e6, qty_e8) if option_type == "PUT" else call_lock(strike_e6, cap_e6, qty_e8)


class OptionEffect(msgspec.Struct, frozen=True):
    """A position after a fill of an option, and the cash of it. Units: uUSDC, size_e8 1e-8 base."""

    size_e8: int
    cost: int  # premium paid (+) or received (-) for what is open, for display
    lock: int
    premium: int  # cash: received (+) or paid (-)
    lock_in: int  # from available or the order's hold
    lock_out: int  # back to available
    realised: int


def option_effect(
    size_e8: int, cost: int, signed_qty_e8: int, price_e6: int, max_payoff_e6: int
) -> OptionEffect:
    """Compute a fill of an option. Rules: OPTN-004, OPTN-005.

    Written and bought quantities of one contract net: buying back frees the lock of what it
    closes, at once; selling what is held needs none.
    """
    qty = abs(signed_qty_e8)
    direction = 1 if signed_qty_e8 > 0 else -1
    closed = min(qty, abs(size_e8)) if (size_e8 > 0) != (signed_qty_e8 > 0) else 0
    released = div_ceil(cost * closed, abs(size_e8)) if closed else 0
    realised = -released - direction * (price_e6 * closed // QTY_SCALE)
    opened = direction * (price_e6 * (qty - closed) // QTY_SCALE)
    after = size_e8 + signed_qty_e8
    before_lock = max(0, -size_e8) * max_payoff_e6 // QTY_SCALE
    lock = max(0, -after) * max_payoff_e6 // QTY_SCALE
    return OptionEffect(
        after,
        cost - released + opened,
        lock,
        -direction * (price_e6 * qty // QTY_SCALE),
        max(0, lock - before_lock),
        max(0, before_lock - lock),
        realised if closed else 0,
    )


def premium(price_e6: int, qty_e8: int, multiplier_e8: int = QTY_SCALE) -> int:
    """Return the premium of contracts that stand for `multiplier_e8` of the base each. Rule: OPTN-006."""
    return price_e6 * qty_e8 * multiplier_e8 // QTY_SCALE**2


def capped_fee(index_e6: int, premium_e6: int, qty_e8: int, index_ppm: int, premium_cap_ppm: int) -> int:
    """Return a fee on the underlying that a share of the premium bounds. Source: Bybit. Rule: OPTN-007.

    The venue's own fee is on the premium; this one is for a market that charges on the underlying.
    """
    unit = min(index_e6 * index_ppm, premium_e6 * premium_cap_ppm)
    return div_ceil(unit * qty_e8, PPM * QTY_SCALE)


def otm_e6(option_type: OptionType, strike_e6: int, underlying_e6: int) -> int:
    """Return how far an option is out of the money."""
    away = strike_e6 - underlying_e6
    return max(0, away if option_type == "CALL" else -away)


class MarginedTerms(msgspec.Struct, frozen=True):
    """Rates of an experiment in which short options are margined and can be liquidated. Source: Deribit."""

    im_ppm: int = 150_000
    im_floor_ppm: int = 100_000
    mm_ppm: int = 75_000


def margined_requirement(
    terms: MarginedTerms,
    option_type: OptionType,
    strike_e6: int,
    underlying_e6: int,
    mark_e6: int,
    qty_e8: int,
) -> tuple[int, int]:
    """Return initial and maintenance margin of a short option, with its value. Rule: OPTN-008.

    Initial: the larger of 15 % less what it is out of the money, and 10 %, of the underlying;
    maintenance: 7.5 %. Never for a market of the venue, only where a scenario asks for it.
    """
    away = otm_e6(option_type, strike_e6, underlying_e6)
    unit = max(terms.im_ppm * underlying_e6 - PPM * away, terms.im_floor_ppm * underlying_e6)
    value = mark_e6 * qty_e8
    return (
        div_ceil(unit * qty_e8 + PPM * value, PPM * QTY_SCALE),
        div_ceil(ppm_ceil(underlying_e6 * qty_e8, terms.mm_ppm) + value, QTY_SCALE),
    )
