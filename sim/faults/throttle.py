"""A service asks to slow down: the call has no effect."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

from sim.faults.base import CallName, Fault, FunctionName
from sim.faults.site import Site
from sim.kernel.interference import Crossing, Proceed
from system.model.errors import Throttled


class Throttle(Fault):
    """A port call is refused with ProvisionedThroughputExceeded or its like."""

    fault: Literal["throttle"]
    target: FunctionName = "*"
    """Whose calls."""
    call: CallName = "store.*"
    """Which port calls."""

    def install(self, site: Site) -> None:
        site.interference.on_call(self.target, self.call, partial(self._refuse, site))

    def _refuse(self, site: Site, crossing: Crossing, proceed: Proceed) -> Any:
        if site.strikes(function=crossing.instance.function, call=crossing.name):
            raise Throttled(f"{crossing.name}: slow down (fault {site.label})")
        return proceed()
