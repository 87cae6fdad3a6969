"""Hyperliquid: an eighth of the eight-hour rate every hour, of the oracle's price, at most 4 % an hour.

Source: Hyperliquid's community documentation, funding.
"""

from __future__ import annotations

from typing import ClassVar

from system.model.units import div_trunc
from system.risk.funding.model import (
    E6,
    EIGHT_HOURS_S,
    HOUR_S,
    Owed,
    Preset,
    Sample,
    Window,
    add,
    bounded,
    mean,
)
from system.risk.funding.premium import book_premium_e12, times_e12, with_interest

CAP_PPM_PER_HOUR = 40_000


class Hyperliquid(Preset):
    name: ClassVar[str] = "hyperliquid"
    usual_sample_s: ClassVar[int] = 5

    def count(self, window: Window, seen: Sample) -> Window:
        return add(window, book_premium_e12(seen))

    def owed(self, window: Window, good: Sample, boundary_ns: int) -> Owed:
        terms = self.terms
        rate = with_interest(mean(window), terms.interest_ppm * E6, terms.clamp_ppm * E6).rate_e12
        rate = div_trunc(rate * self.interval_s, EIGHT_HOURS_S)
        rate, capped = bounded(rate, CAP_PPM_PER_HOUR * E6 * self.interval_s // HOUR_S)
        return Owed(times_e12(good.index_e6, rate), good.index_e6, capped)
