"""A manipulator: pushes a price in a window that pays it elsewhere, with a budget for the losses.

The window is a funding boundary, a settlement average, or any time: it buys (or sells) at all prices within
its reach there, and closes afterwards. Source: Mango (2022) and JELLY (2025); docs of TWAP oracles name the
cost of pushing an average as their measure of safety.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from sim.agents.base import Agent, Life, begin
from sim.agents.taking import close, take
from sim.scenario.units import SECOND_NS, Duration, PositiveDuration, PositiveUsdc, Share
from system.model.order import BUY, SELL
from system.model.units import notional

if TYPE_CHECKING:
    from sim.client import Desk


class Manipulator(Agent):
    """Pushes its market one way during a window, then closes."""

    kind: Literal["manipulator"]
    side: Literal["BUY", "SELL"] = "BUY"
    """Which way it pushes."""
    during: tuple[Duration, Duration]
    """When it pushes, since the start."""
    budget: PositiveUsdc
    """Worth of the largest position that it takes for it."""
    slice: PositiveUsdc = 20_000_000_000
    """Worth of an order."""
    every: PositiveDuration = 2 * SECOND_NS
    """Time between two orders."""
    reach: Share = 50_000
    """How far beyond the fair price it goes."""

    def live(self, desk: Desk) -> Life:
        symbols, began_ns = self.trades(desk), desk.now_ns
        yield from begin(desk, symbols, SECOND_NS)
        begins, ends = self.during
        side = BUY if self.side == "BUY" else SELL
        while True:
            since_ns = desk.now_ns - began_ns
            for symbol in symbols:
                view = desk.market(symbol)
                price_e6 = view.reference_e6
                if price_e6 is None or since_ns < begins:
                    continue
                if since_ns >= ends:
                    close(desk, symbol, self.reach)
                elif abs(notional(price_e6, desk.inventory_e8(symbol))) < self.budget:
                    take(desk, symbol, side, view.lots_for(self.slice, price_e6), self.reach)
            yield desk.sleep(self.every)
