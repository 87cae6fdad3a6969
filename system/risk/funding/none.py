"""No funding: the control of every comparison."""

from __future__ import annotations

from typing import ClassVar

from system.risk.funding.model import Owed, Preset, Sample, Window


class NoFunding(Preset):
    name: ClassVar[str] = "none"

    def owed(self, window: Window, good: Sample, boundary_ns: int) -> Owed:
        return Owed(0, window.index.num // window.index.den)
