"""A function's clock jumps, and comes back slowly."""

from __future__ import annotations

from functools import partial
from typing import Literal

from sim.faults.base import Fault, FunctionName
from sim.faults.clock_skew import Direction
from sim.faults.site import Site
from sim.scenario.part import Misfit
from sim.scenario.units import PositiveDuration


class ClockStep(Fault):
    """A function's clock jumps at the beginning, and is slewed back until the end."""

    fault: Literal["clock_step"]
    target: FunctionName
    """Whose clock."""
    by: PositiveDuration
    """How far it jumps."""
    direction: Direction = "ahead"
    """Forwards or backwards."""

    def trouble(self) -> Misfit | None:
        if self.during is None:
            return Misfit(("during",), "a step is slewed back over a span", "add `during: [10 min, 12 min]`")
        return None

    def install(self, site: Site) -> None:
        site.interference.on_clock(self.target, partial(self._offset, site))
        site.begin(partial(site.note, function=self.target))

    def _offset(self, site: Site) -> int:
        if not site.open:
            return 0
        left_ns = site.to_ns - site.timeline.elapsed_ns
        offset_ns = self.by * left_ns // (site.to_ns - site.from_ns)
        return offset_ns if self.direction == "ahead" else -offset_ns
