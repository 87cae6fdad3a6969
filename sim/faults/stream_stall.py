"""A stream hands nothing out for a while."""

from __future__ import annotations

from functools import partial
from typing import Literal

from sim.faults.base import Fault, HopName
from sim.faults.site import Site
from sim.kernel.plumbing import Event, Finish, Invoke
from sim.scenario.part import Misfit


class StreamStall(Fault):
    """A consumer of a table's stream gets no record until the stall is over, and then all of them."""

    fault: Literal["stream_stall"]
    target: HopName = "stream -> pipe"
    """Which consumer: a hop that begins with `stream`."""

    def trouble(self) -> Misfit | None:
        if not self.target.startswith("stream -> "):
            return Misfit(("target",), f"`{self.target}` is no stream", "write it like `stream -> pipe`")
        if self.during is None:
            return Misfit(("during",), "a stall needs a span", "add `during: [10 min, 12 min]`")
        return None

    def install(self, site: Site) -> None:
        site.interference.on_hop(self.target, partial(self._hold, site))

    def _hold(self, site: Site, event: Event, finish: Finish, carry: Invoke) -> None:
        if site.strikes(hop=self.target):
            site.cloud.later(site.to_ns - site.timeline.elapsed_ns, carry, event, finish)
        else:
            carry(event, finish)
