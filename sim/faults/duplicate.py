"""At least once means twice: a message comes again."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

from sim.faults.base import ACKNOWLEDGED, Fault, HopName
from sim.faults.site import Site
from sim.kernel.cloud import unheard
from sim.kernel.plumbing import Event, Finish, Invoke
from sim.scenario.units import SECOND_NS, Duration


class Duplicate(Fault):
    """A message of a hop is delivered a second time, after the first delivery was dealt with."""

    fault: Literal["duplicate"]
    target: HopName
    """Which hop."""
    later: Duration = SECOND_NS
    """How much later the copy comes, on hops where nobody waits for an acknowledgement."""

    def install(self, site: Site) -> None:
        site.interference.on_hop(self.target, partial(self._repeat, site))

    def _repeat(self, site: Site, event: Event, finish: Finish, carry: Invoke) -> None:
        if not site.strikes(hop=self.target):
            carry(event, finish)
        elif self.target in ACKNOWLEDGED:

            def again(_first: Any) -> None:
                carry(event, finish)

            carry(event, again)
        else:
            carry(event, finish)
            site.cloud.later(self.later, carry, event, unheard)
