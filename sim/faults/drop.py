"""A message is lost on its way."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

from sim.faults.base import ACKNOWLEDGED, Fault, HopName
from sim.faults.site import Site
from sim.kernel.plumbing import Event, Failed, Finish, Invoke
from sim.scenario.units import SECOND_NS, Duration
from system.model.errors import Unavailable

NO_ANSWER: dict[str, Any] = {"statusCode": 504, "headers": {}, "body": ""}
"""What a client's own time limit amounts to."""


class Drop(Fault):
    """A message is lost. Where somebody waits for an acknowledgement, it comes again later."""

    fault: Literal["drop"]
    target: HopName
    """Which hop."""
    gives_up: Duration = 29 * SECOND_NS
    """How long a client waits for an answer that does not come."""

    def install(self, site: Site) -> None:
        site.interference.on_hop(self.target, partial(self._lose, site))

    def _lose(self, site: Site, event: Event, finish: Finish, carry: Invoke) -> None:
        if not site.strikes(hop=self.target):
            carry(event, finish)
        elif self.target in ACKNOWLEDGED:
            finish(Failed(Unavailable(f"{self.target}: lost on the way (fault {site.label})")))
        elif self.target in ("client -> api", "api -> client"):
            site.cloud.later(self.gives_up, finish, NO_ANSWER)
