"""Deribit: what the premium exceeds a damper by, paid continuously over eight hours.

Source: Deribit, funding specifications; the damper is 0.025 % there now (0.05 % in older texts).
Here each sampling period counts alike.
"""

from __future__ import annotations

from typing import ClassVar

from system.model.units import div_trunc
from system.risk.funding.model import E6, EIGHT_HOURS_S, Owed, Preset, Sample, Window, add, mean
from system.risk.funding.premium import premium_e12, times_e12


class Deribit(Preset):
    name: ClassVar[str] = "deribit"
    usual_sample_s: ClassVar[int] = 5

    def count(self, window: Window, seen: Sample) -> Window:
        return add(window, damped(premium_e12(seen), self.terms.damper_ppm * E6))

    def owed(self, window: Window, good: Sample, boundary_ns: int) -> Owed:
        index_e6 = good.index_e6
        rate = div_trunc(mean(window) * self.interval_s, EIGHT_HOURS_S)
        return Owed(times_e12(index_e6, rate), index_e6)


def damped(premium: int, damper: int) -> int:
    """Return max(d, P) + min(-d, P): nothing within the damper, what is beyond it outside.

    >>> damped(3, 5), damped(8, 5), damped(-8, 5)
    (0, 3, -3)
    """
    return max(damper, premium) + min(-damper, premium)
