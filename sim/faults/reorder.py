"""Messages overtake each other where nothing promises an order."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

from sim.faults.base import Fault, HopName
from sim.faults.site import Site
from sim.kernel.plumbing import Event, Finish, Invoke
from sim.scenario.part import Misfit
from sim.scenario.units import SECOND_NS, PositiveDuration

GROUPED = "commands -> matcher"
LOOSE = ("client -> api", "updates -> fan_out", GROUPED)


class Reorder(Fault):
    """A message waits while others pass; in a batch of the FIFO queue, groups change places."""

    fault: Literal["reorder"]
    target: HopName
    """Which hop; one that promises no order, or the queue, which promises it inside of a group."""
    by: PositiveDuration = SECOND_NS
    """How long a message waits at most."""

    def trouble(self) -> Misfit | None:
        if self.target not in LOOSE:
            return Misfit(("target",), f"`{self.target}` keeps its order", f"one of {', '.join(LOOSE)}")
        return None

    def install(self, site: Site) -> None:
        turn = self._shuffle if self.target == GROUPED else self._hold
        site.interference.on_hop(self.target, partial(turn, site))

    def _hold(self, site: Site, event: Event, finish: Finish, carry: Invoke) -> None:
        if site.strikes(hop=self.target):
            site.cloud.later(site.dice.randrange(self.by) + 1, carry, event, finish)
        else:
            carry(event, finish)

    def _shuffle(self, site: Site, event: Event, finish: Finish, carry: Invoke) -> None:
        groups: dict[str, list[Any]] = {}
        for record in event["Records"]:
            groups.setdefault(record["attributes"].get("MessageGroupId", ""), []).append(record)
        if len(groups) > 1 and site.strikes(hop=self.target, groups=len(groups)):
            names = list(groups)
            site.dice.shuffle(names)
            event = {"Records": [record for name in names for record in groups[name]]}
        carry(event, finish)
