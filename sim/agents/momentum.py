"""A momentum trader: buys while the short average is above the long one, sells while it is below.

Source: momentum agents of ABIDES, rmsc04, with averages of 20 and 50 looks.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Literal

from sim.agents.base import Agent, Count, Life, begin
from sim.agents.taking import take
from sim.scenario.units import SECOND_NS, PositiveDuration, PositiveUsdc, Share
from system.model.order import BUY, SELL, Side
from system.model.units import PPM, notional

if TYPE_CHECKING:
    from sim.client import Desk


class Momentum(Agent):
    """Follows the mid with IOC orders, up to a largest position."""

    kind: Literal["momentum"]
    every: PositiveDuration = 5 * SECOND_NS
    """How often it looks."""
    short: Count = 20
    """Looks in the short average."""
    long: Count = 50
    """Looks in the long average."""
    trigger: Share = 500
    """Distance of the averages that makes it trade."""
    size: PositiveUsdc = 1_000_000_000
    """Worth of an order."""
    most: PositiveUsdc = 20_000_000_000
    """Worth of its largest position."""
    reach: Share = 15_000
    """How far beyond the fair price it goes."""

    def live(self, desk: Desk) -> Life:
        symbols = self.trades(desk)
        yield from begin(desk, symbols, self.every)
        seen: dict[str, deque[int]] = {symbol: deque(maxlen=self.long) for symbol in symbols}
        while True:
            yield desk.sleep(self.every)
            for symbol in symbols:
                view = desk.market(symbol)
                now_e6 = view.mid_e6 or view.reference_e6
                if now_e6 is None:
                    continue
                seen[symbol].append(now_e6)
                if len(seen[symbol]) == self.long:
                    self._follow(desk, symbol, list(seen[symbol]), now_e6)

    def _follow(self, desk: Desk, symbol: str, seen: list[int], now_e6: int) -> None:
        short, long = sum(seen[-self.short :]) / self.short, sum(seen) / self.long
        side: Side = BUY if short > long else SELL
        worth = notional(now_e6, desk.inventory_e8(symbol)) * (1 if side == BUY else -1)
        if abs(short - long) * PPM > self.trigger * long and worth < self.most:
            take(desk, symbol, side, desk.market(symbol).lots_for(self.size, now_e6), self.reach)
