"""A function's clock is wrong."""

from __future__ import annotations

from functools import partial
from typing import Literal

from sim.faults.base import Fault, FunctionName
from sim.faults.site import Site
from sim.scenario.units import PositiveDuration

Direction = Literal["ahead", "behind"]


class ClockSkew(Fault):
    """A function's clock is ahead or behind for as long as it lasts; NTP then puts it right."""

    fault: Literal["clock_skew"]
    target: FunctionName
    """Whose clock."""
    by: PositiveDuration
    """How much."""
    direction: Direction = "ahead"
    """Ahead of the others, or behind."""

    def install(self, site: Site) -> None:
        site.interference.on_clock(self.target, partial(self._offset, site))
        site.begin(partial(site.note, function=self.target))

    def _offset(self, site: Site) -> int:
        if not site.open:
            return 0
        return self.by if self.direction == "ahead" else -self.by
