"""The answer to a call does not come, though the call had its effect."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

from sim.faults.base import CallName, Fault, FunctionName
from sim.faults.site import Site
from sim.kernel.interference import Crossing, Proceed
from sim.scenario.units import SECOND_NS, PositiveDuration
from system.model.errors import TimedOut


class Timeout(Fault):
    """A port call has its effect, and the caller hears nothing but a timeout."""

    fault: Literal["timeout"]
    target: FunctionName = "*"
    """Whose calls."""
    call: CallName = "store.commit"
    """Which port calls."""
    after: PositiveDuration = SECOND_NS
    """How long the caller waits, where time passes in an invocation (`interleaving: ports`)."""

    def install(self, site: Site) -> None:
        site.interference.on_call(self.target, self.call, partial(self._lose_answer, site))

    def _lose_answer(self, site: Site, crossing: Crossing, proceed: Proceed) -> Any:
        answer = proceed()
        if site.strikes(function=crossing.instance.function, call=crossing.name):
            crossing.instance.sleep(self.after)
            raise TimedOut(f"{crossing.name}: no answer, with effect (fault {site.label})")
        return answer
