"""The price that positions are valued at: rules MARK-010 to MARK-018. Integers only.

Three prices that fail in different ways: the index with the funding that is due, the index with the
book's slow distance from it, and the book itself. Their median cannot be moved past the nearer of
the two slow ones by whoever moves the book, and a band around the index bounds all of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from system.model.units import MINUTE_NS, NS, PPM, div_half_even, div_trunc, to_tick

E9 = 10**9
E12 = 10**12
E18 = 10**18
SLOW_TAU_NS = 900 * NS
"""A dated future's distance from its index changes slowly: an average of 15 minutes."""
BASIS_TAU_NS = 150 * NS
BASIS_LOST_NS = 10 * MINUTE_NS  # without a two-sided book for so long, the distance says nothing any more


class MarkRule(StrEnum):
    """How a market's mark is found; all but MEDIAN are there to be compared with it."""

    MEDIAN = "MEDIAN"
    INDEX = "INDEX"
    LAST_TRADE = "LAST_TRADE"


class MarkTerms(msgspec.Struct, frozen=True, kw_only=True):
    """A market's terms of the mark. Units: tick_e6 price, band parts per million of the index."""

    tick_e6: int
    rule: MarkRule = MarkRule.MEDIAN
    band_ppm: int = 50_000
    tau_ns: int = BASIS_TAU_NS
    slow_tau_ns: int = 0  # of a dated future: this slower average stands where a perpetual has funding
    max_price_e6: int = 0  # of a capped market
    most_often_ns: int = 10 * NS  # LAST_TRADE: the mark follows trades at most this often


class Top(msgspec.Struct, frozen=True):
    """The best prices of a book and its last trade; 0 where there is none."""

    bid_e6: int = 0
    ask_e6: int = 0
    last_e6: int = 0


class Basis(msgspec.Struct, frozen=True, kw_only=True):
    """An average of the book's distance from the index, whose past fades by exp(-t / tau).

    Source: Hyperliquid's oracle page: numerator and denominator both decay, and each new value
    enters with the time since the one before.
    """

    num: int = 0
    den: int = 0
    seen_ns: int = 0  # the last two-sided book

    def observe(self, now_ns: int, basis_e6: int, tau_ns: int = BASIS_TAU_NS) -> Basis:
        """Return the average with one more value; late ones change nothing."""
        if not self.seen_ns:
            return Basis(num=basis_e6 * E9, den=E9, seen_ns=now_ns)
        since_ns = now_ns - self.seen_ns
        if since_ns <= 0:
            return self
        fade = decay_e18(since_ns, tau_ns)
        return Basis(
            num=div_trunc(self.num * fade, E18) + basis_e6 * since_ns,
            den=self.den * fade // E18 + since_ns,
            seen_ns=now_ns,
        )

    def known(self, now_ns: int) -> bool:
        """Tell whether there is an average that still says something."""
        return self.den > 0 and now_ns - self.seen_ns <= BASIS_LOST_NS

    def price_e6(self, index_e6: int) -> int:
        """Return the index moved by the average distance; there must be one."""
        return index_e6 + div_half_even(self.num, self.den)


def decay_e18(elapsed: int, tau: int) -> int:
    """Return exp(-elapsed / tau) in units of 1e-18, the same on every machine.

    >>> decay_e18(0, 150), decay_e18(150, 150)  # exp(-1) = 0.367879441171442322
    (1000000000000000000, 367879441171442321)
    """
    halvings = max(0, (elapsed // tau).bit_length())
    if halvings > 6:  # e**-64 is nothing in these units
        return 0
    guard = 10**12  # digits that the roundings below may eat
    one = E18 * guard
    x = elapsed * one // (tau << halvings)
    term = total = one
    for n in range(1, 40):
        term = -term * x // (one * n)
        total += term
    for _ in range(halvings):
        total = total * total // one
    return total // guard


class MarkState(msgspec.Struct, frozen=True, kw_only=True):
    """A market's mark and what the next one needs. It is stored between two updates."""

    mark_e6: int = 0
    mark_ns: int = 0
    basis: Basis = Basis()
    slow: Basis = Basis()


def next_mark(
    state: MarkState,
    terms: MarkTerms,
    now_ns: int,
    index_e6: int,
    top: Top,
    funding_e12: int = 0,
    to_funding_ppm: int = 0,
) -> MarkState:
    """Return the mark after an update of index or book. The index is above 0.

    `funding_e12` is the rate of the last interval and `to_funding_ppm` the share of an interval
    that is left until the next one.
    """
    basis, slow = state.basis, state.slow
    if top.bid_e6 and top.ask_e6:
        distance_e6 = (top.bid_e6 + top.ask_e6) // 2 - index_e6
        basis = basis.observe(now_ns, distance_e6, terms.tau_ns)
        if terms.slow_tau_ns:
            slow = slow.observe(now_ns, distance_e6, terms.slow_tau_ns)
    if terms.rule is MarkRule.LAST_TRADE:
        elapsed_ns = now_ns - state.mark_ns
        mark_e6 = last_trade_mark(state.mark_e6, elapsed_ns, terms.most_often_ns, top.last_e6) or index_e6
        moved_ns = now_ns if elapsed_ns >= terms.most_often_ns else state.mark_ns
        return MarkState(mark_e6=to_tick(mark_e6, terms.tick_e6), mark_ns=moved_ns, basis=basis)
    prices: list[int] = []
    if terms.rule is MarkRule.MEDIAN:
        if not terms.slow_tau_ns:
            prices.append(with_funding(index_e6, funding_e12, to_funding_ppm))
        else:
            prices.append(slow.price_e6(index_e6) if slow.known(now_ns) else index_e6)
        if basis.known(now_ns):
            prices.append(basis.price_e6(index_e6))
        book = book_price(top)
        if book:
            prices.append(book)
    mark_e6 = median(prices) if prices else index_e6
    mark_e6 = clamp_to_band(mark_e6, index_e6, terms.band_ppm)
    if terms.max_price_e6:
        mark_e6 = min(mark_e6, terms.max_price_e6)
    return MarkState(mark_e6=to_tick(mark_e6, terms.tick_e6), mark_ns=now_ns, basis=basis, slow=slow)


def with_funding(index_e6: int, funding_e12: int, to_funding_ppm: int) -> int:
    """Return the index and the funding that is due until the next boundary (Binance's price 1)."""
    return index_e6 + div_half_even(index_e6 * funding_e12 * to_funding_ppm, E12 * PPM)


def book_price(top: Top) -> int:
    """Return the median of best bid, best ask and last trade; 0 when the book says nothing.

    With one side only, the last trade is moved to where that side lets it be.
    """
    bid, ask, last = top.bid_e6, top.ask_e6, top.last_e6
    if bid and ask:
        return median([bid, ask, last] if last else [bid, ask])
    if not last or not (bid or ask):
        return 0
    return max(last, bid) if bid else min(last, ask)


def median(prices: Sequence[int]) -> int:
    """Return the middle price, or the mean of the two middle ones; there must be one.

    >>> median([3, 1, 2]), median([1, 4]), median([7])
    (2, 2, 7)
    """
    ordered = sorted(prices)
    half = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[half]
    return div_half_even(ordered[half - 1] + ordered[half], 2)


def clamp_to_band(price_e6: int, index_e6: int, band_ppm: int) -> int:
    """Return the price, or the nearer edge of the band around the index."""
    low = -(-index_e6 * (PPM - band_ppm) // PPM)
    high = index_e6 * (PPM + band_ppm) // PPM
    return min(max(price_e6, low), high)


def last_trade_mark(mark_e6: int, elapsed: int, most_often: int, last_e6: int) -> int:
    """Return the last trade's price, if there is one and the mark has stood still long enough.

    Source: Vega 0009-MRKP, algorithm 1.
    """
    return last_e6 if last_e6 and elapsed >= most_often else mark_e6


def option_mark(mid_e6: int, intrinsic_e6: int, most_e6: int) -> int:
    """Return an option's mark: its smoothed mid within what it is worth now and can be worth at most."""
    return min(max(mid_e6, intrinsic_e6), most_e6)
