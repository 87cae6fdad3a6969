"""A price source is wrong."""

from __future__ import annotations

from typing import Literal

from sim.faults.oracle import OracleFault
from sim.faults.site import Site
from sim.scenario.units import PositiveShare
from system.model.units import PPM
from system.ports.oracle import Observation


class OracleWrong(OracleFault):
    """A source is off by a share of the price."""

    fault: Literal["oracle_wrong"]
    by: PositiveShare = 100_000
    """How far off."""
    direction: Literal["above", "below"] = "above"
    """On which side."""

    def says(self, site: Site, asset: str, seen: Observation) -> Observation:
        off_e6 = seen.price_e6 * self.by // PPM
        return seen._replace(
            price_e6=max(1, seen.price_e6 + (off_e6 if self.direction == "above" else -off_e6))
        )
