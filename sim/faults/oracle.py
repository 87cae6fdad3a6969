"""What faults of price sources share: whose observations are changed."""

from __future__ import annotations

from abc import abstractmethod
from functools import partial
from typing import Any

from sim.faults.base import Fault
from sim.faults.site import Site
from sim.kernel.interference import Crossing, Proceed
from system.ports.oracle import Observation


class OracleFault(Fault):
    """A fault of price sources."""

    source: str = "*"
    """Which source, `pyth` or `chainlink`; `*` for all."""
    asset: str = "*"
    """Of which asset; `*` for all."""

    def install(self, site: Site) -> None:
        site.interference.on_call("*", "oracle.latest", partial(self._latest, site))

    def _latest(self, site: Site, crossing: Crossing, proceed: Proceed) -> Any:
        asset: str = crossing.args[0]
        observations: list[Observation] = proceed()
        if self.asset not in ("*", asset) or not site.strikes(asset=asset):
            return observations
        return [
            self.says(site, asset, seen) if self.source in ("*", seen.source) else seen
            for seen in observations
        ]

    @abstractmethod
    def says(self, site: Site, asset: str, seen: Observation) -> Observation:
        """Return what the source says instead of what it has seen."""

    def kept(self, site: Site, asset: str, seen: Observation) -> Observation:
        """Return what the source said when the fault began."""
        kept: Observation = site.memory.setdefault((asset, seen.source), seen)
        return kept
