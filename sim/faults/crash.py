"""A process dies: its memory is gone, its later port calls are refused, nobody hears an answer."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

from sim.faults.base import CallName, Fault, FunctionName
from sim.faults.site import Site
from sim.kernel.interference import EVERY, Crossing, Proceed
from sim.scenario.part import Misfit
from sim.scenario.units import Duration


class Crash(Fault):
    """An instance dies right before or right after a port call; with neither, all of them at one instant."""

    fault: Literal["crash"]
    target: FunctionName
    """Which function."""
    before: CallName | None = None
    """It dies before this port call has an effect."""
    after: CallName | None = None
    """It dies when this port call has had its effect and before it knows."""
    down: Duration = 0
    """No instance of the function starts for so long."""

    def trouble(self) -> Misfit | None:
        if self.before and self.after:
            return Misfit(("after",), "expected `before` or `after`, was both", "keep one of them")
        if not self.before and not self.after and self.at is None:
            return Misfit(("at",), "a crash without a port call needs an instant", "add `at: 30 min`")
        if not self.before and not self.after and self.target == EVERY:
            return Misfit(("target",), "expected one function, was all of them", "name one")
        return None

    def install(self, site: Site) -> None:
        if self.before:
            site.interference.on_call(self.target, self.before, partial(self._before, site))
        elif self.after:
            site.interference.on_call(self.target, self.after, partial(self._after, site))
        else:
            site.begin(partial(self._now, site))

    def _before(self, site: Site, crossing: Crossing, proceed: Proceed) -> Any:
        if site.strikes(function=crossing.instance.function, before=crossing.name):
            raise self._die(site, crossing)
        return proceed()

    def _after(self, site: Site, crossing: Crossing, proceed: Proceed) -> Any:
        answer = proceed()
        if site.strikes(function=crossing.instance.function, after=crossing.name):
            raise self._die(site, crossing)
        return answer

    def _die(self, site: Site, crossing: Crossing) -> BaseException:
        site.cloud.keep_down(crossing.instance.function, self.down)
        return crossing.instance.crash(f"fault {site.label} at {crossing.name}")

    def _now(self, site: Site) -> None:
        died = site.cloud.crash(self.target, self.down, f"fault {site.label}")
        if died:
            site.note(function=self.target, instances=died)
