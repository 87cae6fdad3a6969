"""A hop is slow for a while."""

from __future__ import annotations

from functools import partial
from typing import Literal

from sim.faults.base import Fault, HopName
from sim.faults.site import Site
from sim.scenario.units import PositiveDuration


class Delay(Fault):
    """What passes a hop takes so much longer."""

    fault: Literal["delay"]
    target: HopName
    """Which hop."""
    by: PositiveDuration
    """How much longer it takes."""

    def install(self, site: Site) -> None:
        site.interference.on_delay(self.target, partial(self._longer, site))

    def _longer(self, site: Site, delay_ns: int) -> int:
        return delay_ns + self.by if site.strikes(hop=self.target) else delay_ns
