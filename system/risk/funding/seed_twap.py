"""The seed's rule with averages of the whole interval in place of one instant's prices."""

from __future__ import annotations

from typing import ClassVar

from system.model.units import div_trunc
from system.risk.funding.model import E6, Owed, Preset, Sample, Window


class SeedTwap(Preset):
    name: ClassVar[str] = "seed_twap"
    usual_sample_s: ClassVar[int] = 30

    def owed(self, window: Window, good: Sample, boundary_ns: int) -> Owed:
        mark, index = window.mark, window.index
        return Owed(div_trunc((mark.num - index.num) * E6, index.den), index.num // index.den)
