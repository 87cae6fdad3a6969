"""Drift: a day's worth of the averages' spread and a small offset for longs, an hour of it each hour.

Source: drift-labs protocol-v2, math/funding.rs and controller/funding.rs: offset a five-thousandth
of the oracle's average, bound by the tier.
"""

from __future__ import annotations

from typing import ClassVar

from system.model.units import PPM, div_trunc
from system.risk.funding.model import DAY_S, E6, Owed, Preset, Sample, Window, bounded

OFFSET_DIVISOR = 5_000


class Drift(Preset):
    name: ClassVar[str] = "drift"

    def owed(self, window: Window, good: Sample, boundary_ns: int) -> Owed:
        mark, index = window.mark.num // window.mark.den, window.index.num // window.index.den
        spread = mark - index + index // OFFSET_DIVISOR
        bounded_spread, capped = bounded(spread, index * self.terms.spread_cap_ppm // PPM)
        return Owed(part_of_day(bounded_spread, self.interval_s, E6), index, capped)


def part_of_day(spread: int, seconds: int, scale: int) -> int:
    """Return what a spread costs in these seconds when the whole of it is paid in a day, toward zero."""
    return div_trunc(spread * scale * seconds, DAY_S)
