"""All warm instances are gone at once, and new ones start slowly."""

from __future__ import annotations

from functools import partial
from typing import Literal

from sim.faults.base import Fault, FunctionName
from sim.faults.site import Site
from sim.kernel.bridge import COLD
from sim.kernel.interference import EVERY
from sim.scenario.units import SECOND_NS, Duration


class ColdStartStorm(Fault):
    """Idle instances lose their memory; for as long as it lasts, an instance takes longer to start."""

    fault: Literal["cold_start_storm"]
    target: FunctionName = EVERY
    """Which function."""
    longer: Duration = 2 * SECOND_NS
    """How much longer a start takes (needs `interleaving: ports`)."""

    def install(self, site: Site) -> None:
        site.begin(partial(self._drop, site))
        site.interference.on_delay(COLD, partial(self._slow, site))

    def _drop(self, site: Site) -> None:
        pools = site.cloud.pools
        dropped = sum(pools[name].drop_idle() for name in pools if self.target in (EVERY, name))
        if dropped:
            site.note(instances=dropped)

    def _slow(self, site: Site, delay_ns: int) -> int:
        return delay_ns + self.longer if site.open else delay_ns
