"""The chain changes its mind: its last blocks are replaced by empty ones."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sim.faults.base import Fault
from sim.faults.site import Site
from sim.scenario.part import Misfit
from sim.scenario.units import SECOND_NS, PositiveDuration

Depth = Annotated[int, Field(ge=1, le=64)]


class Reorg(Fault):
    """The last blocks are lost with all their transactions, and so is what waited in the pool.

    A reorganisation as deep as the exchange's `confirmations` takes back what it calls final.
    """

    fault: Literal["reorg"]
    depth: tuple[Depth, Depth] = (1, 2)
    """How many blocks, least and most; each time one of these is drawn."""
    every: PositiveDuration = 60 * SECOND_NS
    """How often there is an occasion, during its time."""

    def trouble(self) -> Misfit | None:
        if self.depth[0] > self.depth[1]:
            return Misfit(("depth",), "expected least and most, was the other way round", "write `[1, 2]`")
        return None

    def install(self, site: Site) -> None:
        site.begin(lambda: self._occasion(site))

    def _occasion(self, site: Site) -> None:
        if not site.open:
            return
        depth = site.dice.randint(*self.depth)
        if site.strikes(depth=depth):
            site.chain.reorg(depth)
        site.timeline.after(self.every, self._occasion, site)
