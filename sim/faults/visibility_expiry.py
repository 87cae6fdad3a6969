"""A message becomes visible again while the first worker still holds it."""

from __future__ import annotations

from functools import partial
from typing import Literal

from sim.faults.base import Fault
from sim.faults.site import Site
from sim.kernel.cloud import unheard
from sim.kernel.plumbing import Event, Finish, Invoke
from sim.scenario.units import Duration

HOP = "commands -> matcher"


class VisibilityExpiry(Fault):
    """A second worker gets the batch while the first still works on it; the first can acknowledge nothing."""

    fault: Literal["visibility_expiry"]
    after: Duration = 20_000_000
    """How much later than the first the second worker begins."""

    def install(self, site: Site) -> None:
        site.interference.on_hop(HOP, partial(self._share, site))

    def _share(self, site: Site, event: Event, finish: Finish, carry: Invoke) -> None:
        if site.strikes(hop=HOP, messages=len(event["Records"])):
            carry(event, unheard)  # its receipts are void by now
            site.cloud.later(self.after, carry, event, finish)
        else:
            carry(event, finish)
