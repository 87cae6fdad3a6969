"""BitMEX: the premium of the interval before, with the interest that it lets show, every eight hours.

Source: BitMEX perpetual contracts guide and support article on ONDOUSDT (premium index of the
previous window, mean of minutes, published to five decimals); cap: three quarters of initial less
maintenance margin, from memory.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec

from system.model.units import div_half_even, div_trunc
from system.risk.funding.model import (
    DAY_S,
    E6,
    EIGHT_HOURS_S,
    Owed,
    Preset,
    Sample,
    Window,
    add,
    bounded,
    mean,
)
from system.risk.funding.premium import book_premium_e12, times_e12, with_interest

FIFTH_DECIMAL_E12 = 10**7


class Bitmex(Preset):
    name: ClassVar[str] = "bitmex"
    usual_interval_s: ClassVar[int] = EIGHT_HOURS_S

    def count(self, window: Window, seen: Sample) -> Window:
        return add(window, book_premium_e12(seen))

    def renew(self, window: Window, boundary_ns: int) -> Window:
        published = published_premium_e12(mean(window)) if window.weight else None
        return msgspec.structs.replace(super().renew(window, boundary_ns), previous=published)

    def owed(self, window: Window, good: Sample, boundary_ns: int) -> Owed:
        index_e6 = good.index_e6
        if window.previous is None:
            return Owed(0, index_e6, reason="NO_HISTORY")
        terms = self.terms
        interest = interest_rate(terms.quote_rate_ppm * E6, terms.base_rate_ppm * E6, DAY_S // EIGHT_HOURS_S)
        rate = with_interest(window.previous, interest, terms.clamp_ppm * E6).rate_e12
        rate = div_trunc(rate * self.interval_s, EIGHT_HOURS_S)
        rate, capped = bounded(rate, (terms.im_ppm - terms.mm_ppm) * E6 * 3 // 4)
        return Owed(times_e12(index_e6, rate), index_e6, capped)


def interest_rate(quote_a_day: int, base_a_day: int, intervals_a_day: int) -> int:
    """Return what holding the quote rather than the base asset costs in one interval.

    >>> interest_rate(600_000_000, 300_000_000, 3)  # 0.06 % and 0.03 % a day are 0.01 % in 8 h
    100000000
    """
    return div_trunc(quote_a_day - base_a_day, intervals_a_day)


def published_premium_e12(premium_e12: int) -> int:
    """Return a premium as it is published and counted: to five decimals, half-even."""
    return div_half_even(premium_e12, FIFTH_DECIMAL_E12) * FIFTH_DECIMAL_E12
