"""Kraken: a twenty-fourth of the hour's mean premium, at most 0.25 % an hour.

Source: Kraken, perpetual contract specifications (the inverse contract's cap).
"""

from __future__ import annotations

from typing import ClassVar

from system.model.units import div_trunc
from system.risk.funding.model import (
    DAY_S,
    E6,
    HOUR_S,
    Owed,
    Preset,
    Sample,
    Window,
    add,
    bounded,
    mean,
)
from system.risk.funding.premium import premium_e12, times_e12

CAP_PPM_PER_HOUR = 2_500


class Kraken(Preset):
    name: ClassVar[str] = "kraken"

    def count(self, window: Window, seen: Sample) -> Window:
        return add(window, premium_e12(seen))

    def owed(self, window: Window, good: Sample, boundary_ns: int) -> Owed:
        index_e6 = good.index_e6
        rate = relative_rate(mean(window), self.interval_s, DAY_S)
        rate, capped = bounded(rate, CAP_PPM_PER_HOUR * E6 * self.interval_s // HOUR_S)
        return Owed(times_e12(index_e6, rate), index_e6, capped)


def relative_rate(premium_e12: int, seconds: int, period_s: int) -> int:
    """Return the share of a premium that these seconds of the period are, toward zero."""
    return div_trunc(premium_e12 * seconds, period_s)
