"""The seed's rule, word for word: each hour longs pay mark less index, of that instant, in full.

Source: the seed, funding. It has no average, no cap and no interest, and pays the whole premium
every hour: the baseline of comparisons, not a recommendation.
"""

from __future__ import annotations

from typing import ClassVar

from system.model.units import NS
from system.risk.funding.model import E6, Owed, Preset, Sample, Window


class SeedLiteral(Preset):
    name: ClassVar[str] = "seed_literal"

    def owed(self, window: Window, good: Sample, boundary_ns: int) -> Owed:
        in_force = good.ts_ns == window.seen_ns and boundary_ns - good.ts_ns <= self.terms.carry_s * NS
        if not in_force:
            return Owed(0, good.index_e6, reason="PAUSED")  # the boundary has no prices to take
        return Owed((good.mark_e6 - good.index_e6) * E6, good.index_e6)
