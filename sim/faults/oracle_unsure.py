"""A price source says that it does not know."""

from __future__ import annotations

from typing import Literal

from sim.faults.oracle import OracleFault
from sim.faults.site import Site
from sim.scenario.units import PositiveShare
from system.model.units import PPM
from system.ports.oracle import Observation


class OracleUnsure(OracleFault):
    """A source gives the right price and a wide interval around it."""

    fault: Literal["oracle_unsure"]
    confidence: PositiveShare = 30_000
    """Half of that interval, as a share of the price."""

    def says(self, site: Site, asset: str, seen: Observation) -> Observation:
        return seen._replace(conf_e6=seen.price_e6 * self.confidence // PPM)
