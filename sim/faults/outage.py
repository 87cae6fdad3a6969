"""A service does not answer at all."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

from sim.faults.base import CallName, Fault, FunctionName
from sim.faults.site import Site
from sim.kernel.interference import Crossing, Proceed
from sim.scenario.units import SECOND_NS, Duration
from system.model.errors import Unavailable


class Outage(Fault):
    """A port call is not answered and has no effect."""

    fault: Literal["outage"]
    target: FunctionName = "*"
    """Whose calls."""
    call: CallName
    """Which port calls."""
    after: Duration = SECOND_NS
    """How long the caller waits, where time passes in an invocation (`interleaving: ports`)."""

    def install(self, site: Site) -> None:
        site.interference.on_call(self.target, self.call, partial(self._away, site))

    def _away(self, site: Site, crossing: Crossing, proceed: Proceed) -> Any:
        if site.strikes(function=crossing.instance.function, call=crossing.name):
            crossing.instance.sleep(self.after)
            raise Unavailable(f"{crossing.name}: no answer (fault {site.label})")
        return proceed()
