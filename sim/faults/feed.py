"""A price feed fails: it stands still, falls silent, errs, or is no longer sure."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

from sim.faults.base import Fault
from sim.faults.site import Site
from sim.kernel.interference import EVERY, Crossing, Proceed
from sim.scenario.part import Misfit
from sim.scenario.units import PositiveShare
from system.model.units import PPM
from system.ports.oracle import Observation


class Feed(Fault):
    """The oracle job reads something else than the world outside has; the true price moves on."""

    fault: Literal["feed"]
    source: Literal["pyth", "chainlink"]
    """Which feed."""
    does: Literal["freeze", "silence", "shift", "widen"]
    """`freeze`: the observation of then, again and again, with its old time; `silence`: none;
    `shift`: a price that is `to` of the true one; `widen`: a confidence that is `to` of the price."""
    to: PositiveShare | None = None
    """For `shift` and `widen`: `90 %`."""
    asset: str = EVERY
    """Of which asset; `*` for all."""

    def trouble(self) -> Misfit | None:
        if (self.to is not None) != (self.does in ("shift", "widen")):
            return Misfit(("to",), f"`{self.does}` and `to` do not fit", "give `to` with `shift` or `widen`")
        return None

    def install(self, site: Site) -> None:
        site.interference.on_call(EVERY, "oracle.latest", partial(self._read, site, {}))

    def _read(self, site: Site, frozen: dict[str, Observation], crossing: Crossing, proceed: Proceed) -> Any:
        seen: list[Observation] = proceed()
        asset = crossing.args[0]
        if self.asset not in (EVERY, asset) or all(one.source != self.source for one in seen):
            return seen
        if not site.strikes(asset=asset, source=self.source, does=self.does):
            return seen
        return [
            one
            for true in seen
            for one in ([true] if true.source != self.source else self._instead(true, asset, frozen))
        ]

    def _instead(self, true: Observation, asset: str, frozen: dict[str, Observation]) -> list[Observation]:
        if self.does == "freeze":
            return [frozen.setdefault(asset, true)]
        if self.to is None:
            return []
        if self.does == "shift":
            return [true._replace(price_e6=true.price_e6 * self.to // PPM)]
        return [true._replace(conf_e6=true.price_e6 * self.to // PPM)]
