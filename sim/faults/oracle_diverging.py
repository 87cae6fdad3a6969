"""A price source drifts away from the others."""

from __future__ import annotations

from typing import Literal

from sim.faults.oracle import OracleFault
from sim.faults.site import Site
from sim.scenario.units import PositiveShare
from system.model.units import PPM
from system.ports.oracle import Observation


class OracleDiverging(OracleFault):
    """A source moves away from the truth, further and further until the end."""

    fault: Literal["oracle_diverging"]
    by: PositiveShare = 50_000
    """How far off it is in the end."""

    def says(self, site: Site, asset: str, seen: Observation) -> Observation:
        passed_ns = site.timeline.elapsed_ns - site.from_ns
        off_e6 = seen.price_e6 * self.by // PPM * passed_ns // (site.to_ns - site.from_ns)
        return seen._replace(price_e6=seen.price_e6 + off_e6)
