"""A price source has stopped."""

from __future__ import annotations

from typing import Literal

from sim.faults.oracle import OracleFault
from sim.faults.site import Site
from system.ports.oracle import Observation


class OracleStale(OracleFault):
    """A source gives its last price with the time it had then."""

    fault: Literal["oracle_stale"]

    def says(self, site: Site, asset: str, seen: Observation) -> Observation:
        return self.kept(site, asset, seen)
