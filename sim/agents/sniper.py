"""A sniper: sees the outside price jump before the makers move, and takes their old quotes.

Source: Budish, Cramton and Shim (2015), The high-frequency trading arms race; Aquilina, Budish and O'Neill
(2022).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from sim.agents.base import Agent, Life, begin
from sim.agents.taking import take
from sim.scenario.units import SECOND_NS, Duration, PositiveDuration, PositiveUsdc, Share
from system.model.order import BUY, SELL
from system.model.units import PPM, notional

if TYPE_CHECKING:
    from sim.client import Desk, MarketView


class Sniper(Agent):
    """Takes quotes that the outside price has left behind by more than the fee."""

    kind: Literal["sniper"]
    every: PositiveDuration = SECOND_NS // 2
    """How often it looks outside."""
    late: Duration = SECOND_NS // 20
    """How old the outside price is that it knows."""
    edge: Share = 1_000
    """Gain beyond its fee that makes it shoot."""
    size: PositiveUsdc = 20_000_000_000
    """Most that it takes at once."""
    capital: PositiveUsdc = 200_000_000_000
    """Worth of its largest position in a market."""

    def live(self, desk: Desk) -> Life:
        symbols = self.trades(desk)
        yield from begin(desk, symbols, self.every)
        while True:
            yield desk.sleep(self.every)
            for symbol in symbols:
                self._look(desk, desk.market(symbol))

    def _look(self, desk: Desk, view: MarketView) -> None:
        true_e6 = desk.outside(view.spec.underlying, self.late)
        if not true_e6:
            return
        wins_ppm, symbol = view.spec.fee_ppm + self.edge, view.spec.symbol
        worth = notional(true_e6, desk.inventory_e8(symbol))
        dearest_e6 = true_e6 * (PPM - wins_ppm) // PPM
        cheapest_e6 = true_e6 * (PPM + wins_ppm) // PPM
        stale_asks = sum(qty for price, qty in view.levels(SELL) if price <= dearest_e6)
        stale_bids = sum(qty for price, qty in view.levels(BUY) if price >= cheapest_e6)
        if stale_asks and worth < self.capital:
            take(desk, symbol, BUY, min(stale_asks, view.lots_for(self.size, true_e6)), view.spec.band_ppm)
        elif stale_bids and worth > -self.capital:
            take(desk, symbol, SELL, min(stale_bids, view.lots_for(self.size, true_e6)), view.spec.band_ppm)
