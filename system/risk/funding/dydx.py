"""dYdX v4: the median vote of each minute, the mean of minutes, an eight-hour rate in ppm by the second.

Source: dYdX v4 documentation, funding; v4-chain x/perpetuals/funding/funding.go and
types/liquidity_tier.go. A minute in which nobody votes counts as 0.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec

from system.model.units import MINUTE_NS, PPM, div_trunc
from system.risk.funding.model import E6, EIGHT_HOURS_S, Owed, Preset, Sample, Window, add, bounded
from system.risk.funding.premium import book_premium_e12


class Dydx(Preset):
    name: ClassVar[str] = "dydx"
    usual_sample_s: ClassVar[int] = 10

    def count(self, window: Window, seen: Sample) -> Window:
        minute = seen.ts_ns // MINUTE_NS
        if minute != window.minute:
            window = msgspec.structs.replace(_with_minute(window), minute=minute, votes=())
        vote = div_trunc(book_premium_e12(seen), E6)
        return msgspec.structs.replace(window, votes=(*window.votes, vote))

    def owed(self, window: Window, good: Sample, boundary_ns: int) -> Owed:
        window = _with_minute(window)
        minutes = max(1, window.weight, window.active_ns // MINUTE_NS)
        terms = self.terms
        rate_ppm, capped = bounded(
            div_trunc(window.total, minutes), rate_cap_ppm(terms.clamp_factor_ppm, terms.im_ppm, terms.mm_ppm)
        )
        index_e6 = good.index_e6
        return Owed(index_delta(rate_ppm, self.interval_s, index_e6), index_e6, capped)


def _with_minute(window: Window) -> Window:
    return add(window, median_vote(window.votes)) if window.votes else window


def median_vote(votes: tuple[int, ...]) -> int:
    """Return the middle vote, or the mean of the two middle ones toward zero."""
    ordered = sorted(votes)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else div_trunc(ordered[half - 1] + ordered[half], 2)


def index_delta(rate_8h_ppm: int, seconds: int, price: int, exponent: int = 0) -> int:
    """Return by how much the funding index moves in these seconds: truncated toward zero, once.

    `price * 10**exponent` is quote units for one base unit; with a price_e6 and exponent 0 the
    result is 1e-12 USDC per 1.0 base.

    >>> index_delta(1_001_999, 28_800, 1_000, exponent=-6)
    1001
    """
    value = rate_8h_ppm * seconds * price
    if exponent >= 0:
        return div_trunc(value * 10**exponent, EIGHT_HOURS_S)
    return div_trunc(value, EIGHT_HOURS_S * 10**-exponent)


def maintenance_ppm(im_ppm: int, fraction_ppm: int) -> int:
    """Return the maintenance margin that a liquidity tier states as a fraction of the initial one."""
    return im_ppm * fraction_ppm // PPM


def rate_cap_ppm(clamp_factor_ppm: int, im_ppm: int, mm_ppm: int) -> int:
    """Return the largest rate for eight hours: a multiple of initial less maintenance margin."""
    return clamp_factor_ppm * (im_ppm - mm_ppm) // PPM
