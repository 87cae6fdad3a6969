"""The node takes its time, and its client does not always wait so long."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

from sim.faults.base import CallName, Fault, FunctionName
from sim.faults.site import Site
from sim.kernel.interference import Crossing, Proceed
from sim.scenario.units import SECOND_NS, PositiveDuration
from system.model.errors import TimedOut

PATIENCE_NS = 10 * SECOND_NS
"""How long JsonRpc waits. Source: the default of system/adapters/evm/rpc.py."""


class RpcSlow(Fault):
    """Answers come late; after ten seconds the caller has given up, though the call has had its effect."""

    fault: Literal["rpc_slow"]
    target: FunctionName = "*"
    """Whose calls."""
    call: CallName = "chain.*"
    """Which port calls."""
    by: PositiveDuration = 30 * SECOND_NS
    """How late. Below ten seconds it is felt only where time passes in an invocation."""

    def install(self, site: Site) -> None:
        site.interference.on_call(self.target, self.call, partial(self._delay, site))

    def _delay(self, site: Site, crossing: Crossing, proceed: Proceed) -> Any:
        if not site.strikes(function=crossing.instance.function, call=crossing.name):
            return proceed()
        answer = proceed()
        crossing.instance.sleep(min(self.by, PATIENCE_NS))
        if self.by >= PATIENCE_NS:
            raise TimedOut(f"{crossing.name}: no answer, with effect (fault {site.label})")
        return answer
