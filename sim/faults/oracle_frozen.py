"""A price source repeats its price with new times."""

from __future__ import annotations

from typing import Literal

from sim.faults.oracle import OracleFault
from sim.faults.site import Site
from system.ports.oracle import Observation


class OracleFrozen(OracleFault):
    """A source says the same price again and again, and calls it new."""

    fault: Literal["oracle_frozen"]

    def says(self, site: Site, asset: str, seen: Observation) -> Observation:
        before = self.kept(site, asset, seen)
        return seen._replace(price_e6=before.price_e6)
