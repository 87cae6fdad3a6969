"""Gas is dear for a while: whoever offers too little is refused and dropped."""

from __future__ import annotations

from typing import Literal

from sim.faults.base import Fault
from sim.faults.site import Site
from sim.scenario.units import GWEI, GasPrice


class GasSpike(Fault):
    """Every block has this base fee; the operator has to offer more for the same nonces."""

    fault: Literal["gas_spike"]
    base_fee: GasPrice = 400 * GWEI
    """What a gas costs. The operator's first offer is 100 gwei, his last 5,000."""

    def install(self, site: Site) -> None:
        site.begin(lambda: self._rise(site))

    def _rise(self, site: Site) -> None:
        if site.strikes(base_fee=str(self.base_fee)):
            site.chain.spike(self.base_fee)
            site.end(lambda: site.chain.spike(0))
