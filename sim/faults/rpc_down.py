"""The node does not answer: calls of the chain have no effect."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

from sim.faults.base import CallName, Fault, FunctionName
from sim.faults.site import Site
from sim.kernel.interference import Crossing, Proceed
from system.model.errors import Unavailable


class RpcDown(Fault):
    """Nobody listens at the node's address; the chain itself goes on."""

    fault: Literal["rpc_down"]
    target: FunctionName = "*"
    """Whose calls."""
    call: CallName = "chain.*"
    """Which port calls."""

    def install(self, site: Site) -> None:
        site.interference.on_call(self.target, self.call, partial(self._refuse, site))

    def _refuse(self, site: Site, crossing: Crossing, proceed: Proceed) -> Any:
        if site.strikes(function=crossing.instance.function, call=crossing.name):
            raise Unavailable(f"{crossing.name}: connection refused (fault {site.label})")
        return proceed()
