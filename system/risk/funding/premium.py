"""How far the contract trades from the index, and what a rate makes of it. Rates are in units of 1e-12."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from system.model.units import QTY_SCALE, div_half_even, div_trunc
from system.risk.funding.model import E6, E12, Sample

IMPACT_NOTIONAL = 20_000 * E6
"""uUSDC; Hyperliquid's for BTC, by its community documentation."""


class Impact(NamedTuple):
    """The average price of trading the impact notional; 0 when there is nobody. `thin`: not all of it."""

    price_e6: int
    thin: bool


def impact(levels: Iterable[tuple[int, int]], notional: int = IMPACT_NOTIONAL) -> Impact:
    """Walk one side of a book, best price first; levels are (price_e6, qty_e8), the notional uUSDC.

    A side that cannot bear the notional is thin and counts with its worst resting price.

    >>> impact([(100_000_000, 10**8), (110_000_000, 10**9)], 210_000_000)
    Impact(price_e6=105000000, thin=False)
    >>> impact([(100_000_000, 10**8)], 210_000_000)
    Impact(price_e6=100000000, thin=True)
    """
    left = notional * QTY_SCALE  # uUSDC * 1e-8 base, so that nothing is divided on the way
    price = taken = 0
    for price, qty in levels:
        if price * qty >= left:
            # the last level gives left / price, so quantity is counted in units of 1 / price
            return Impact(div_half_even(notional * QTY_SCALE * price, taken * price + left), thin=False)
        left -= price * qty
        taken += qty
    return Impact(price, thin=True)


def premium_e12(seen: Sample) -> int:
    """Return the premium between mark and index."""
    return ratio_e12(seen.mark_e6 - seen.index_e6, seen.index_e6)


def book_premium_e12(seen: Sample) -> int:
    """Return the premium of the impact prices; of the mark where the book is empty."""
    if not seen.impact_bid_e6 and not seen.impact_ask_e6:
        return premium_e12(seen)
    return impact_premium_e12(seen.index_e6, seen.impact_bid_e6, seen.impact_ask_e6)


def impact_premium_e12(index_e6: int, impact_bid_e6: int, impact_ask_e6: int) -> int:
    """Return by how much the bids are above, or the asks below the index; 0 while they enclose it.

    Source: Binance, Hyperliquid and dYdX: (max(0, bid - index) - max(0, index - ask)) / index.
    """
    above = max(0, impact_bid_e6 - index_e6)
    below = max(0, index_e6 - impact_ask_e6) if impact_ask_e6 else 0
    return ratio_e12(above - below, index_e6)


def ratio_e12(part: int, whole: int) -> int:
    """Return a share of 1e-12, rounded toward zero; 0 of nothing."""
    return div_trunc(part * E12, whole) if whole else 0


def times_e12(price_e6: int, rate_e12: int) -> int:
    """Return what a rate is per 1.0 base, in 1e-12 USDC, rounded toward zero."""
    return div_trunc(price_e6 * rate_e12, E6)


class Interest(NamedTuple):
    """A premium with the part of the interest that it lets show."""

    clamped_e12: int
    rate_e12: int


def with_interest(premium: int, interest: int, clamp: int) -> Interest:
    """Return P + clamp(I - P, plus or minus c): small premiums pay the interest, large ones P less c.

    >>> with_interest(10_000_000_000, 100_000_000, 500_000_000)
    Interest(clamped_e12=-500000000, rate_e12=9500000000)
    """
    clamped = min(max(interest - premium, -clamp), clamp)
    return Interest(clamped, premium + clamped)
