"""Binance: premiums of impact prices, the later the heavier, with the interest, every eight hours.

Source: Binance funding FAQ; the linear weights and the cap of three quarters of the maintenance
margin are not on the page that we could read.
"""

from __future__ import annotations

from typing import ClassVar

from system.model.units import div_trunc
from system.risk.funding.model import E6, EIGHT_HOURS_S, Owed, Preset, Sample, Window, add, bounded, mean
from system.risk.funding.premium import book_premium_e12, times_e12, with_interest


class Binance(Preset):
    name: ClassVar[str] = "binance"
    usual_interval_s: ClassVar[int] = EIGHT_HOURS_S
    usual_sample_s: ClassVar[int] = 5

    def count(self, window: Window, seen: Sample) -> Window:
        return add(window, book_premium_e12(seen), weight=window.samples)

    def owed(self, window: Window, good: Sample, boundary_ns: int) -> Owed:
        terms = self.terms
        rate = with_interest(mean(window), terms.interest_ppm * E6, terms.clamp_ppm * E6).rate_e12
        rate = div_trunc(rate * self.interval_s, EIGHT_HOURS_S)
        rate, capped = bounded(rate, terms.mm_ppm * E6 * 3 // 4)
        return Owed(times_e12(good.index_e6, rate), good.index_e6, capped)
