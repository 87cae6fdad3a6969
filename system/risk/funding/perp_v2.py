"""Perpetual Protocol v2 (Curie): a day's worth of the spread of 15-minute averages, as time passes.

Source: perp-curie-contract, contracts/lib/Funding.sol and Exchange.sol. Their growth moves whenever
somebody touches the market; here it moves with each sample.
"""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar

import msgspec

from system.model.units import NS, div_trunc
from system.risk.funding.model import DAY_S, E6, Owed, Preset, Sample, Window, add, mean


class PerpV2(Preset):
    name: ClassVar[str] = "perp_v2"

    def count(self, window: Window, seen: Sample) -> Window:
        oldest_ns = seen.ts_ns - self.terms.average_s * NS
        recent = (*window.recent, seen)
        while len(recent) > 1 and recent[1].ts_ns <= oldest_ns:
            recent = recent[1:]
        held_ns = seen.ts_ns - max(recent[-2].ts_ns if len(recent) > 1 else 0, window.start_ns)
        weight = max(1, min(held_ns, self.terms.carry_s * NS))
        window = msgspec.structs.replace(window, recent=recent)
        return add(window, _average_spread_e12(recent, oldest_ns), weight)

    def owed(self, window: Window, good: Sample, boundary_ns: int) -> Owed:
        index_e6 = window.index.num // window.index.den
        return Owed(growth(mean(window), self.interval_s, DAY_S), index_e6)


def growth(spread: int, seconds: int, period_s: int) -> int:
    """Return what a spread adds in these seconds when the whole of it is paid in a period, toward zero."""
    return div_trunc(spread * seconds, period_s)


def _average_spread_e12(recent: tuple[Sample, ...], oldest_ns: int) -> int:
    """Average mark less index since `oldest_ns`; each sample holds until the next."""
    newest = recent[-1]
    num = den = 0
    for one, following in pairwise(recent):
        held = following.ts_ns - max(one.ts_ns, oldest_ns)
        num += (one.mark_e6 - one.index_e6) * held
        den += held
    if not den:
        return (newest.mark_e6 - newest.index_e6) * E6
    return div_trunc(num * E6, den)
