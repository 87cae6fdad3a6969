"""A whale: builds one large position in slices, holds it, and throws it onto the market.

What matters is the share of the open interest that is one account's, against the depth of the book.
Source: the JELLY and Mango events, where one account was larger than what the market could absorb.
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


class Whale(Agent):
    """Builds a position until `unwind`, then closes it as fast as the book allows."""

    kind: Literal["whale"]
    side: Literal["BUY", "SELL"] = "BUY"
    """Which way it goes first."""
    target: PositiveUsdc
    """Worth of the position that it wants."""
    slice: PositiveUsdc = 20_000_000_000
    """Worth of an order."""
    every: PositiveDuration = 10 * SECOND_NS
    """Time between two orders."""
    unwind: Duration | None = None
    """When it begins to close, since the start; never when left out."""
    reach: Share = 30_000
    """How far beyond the fair price it goes."""

    def live(self, desk: Desk) -> Life:
        symbols, began_ns = self.trades(desk), desk.now_ns
        yield from begin(desk, symbols, self.every)
        side = BUY if self.side == "BUY" else SELL
        while True:
            unwinding = self.unwind is not None and desk.now_ns - began_ns >= self.unwind
            for symbol in symbols:
                view = desk.market(symbol)
                price_e6 = view.reference_e6
                if unwinding:
                    close(desk, symbol, self.reach)
                elif price_e6 and abs(notional(price_e6, desk.inventory_e8(symbol))) < self.target:
                    take(desk, symbol, side, view.lots_for(self.slice, price_e6), self.reach)
            yield desk.sleep(self.every)
