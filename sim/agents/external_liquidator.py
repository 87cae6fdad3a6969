"""An external liquidator: waits far from the market for what others are forced to sell, and sells it later.

It rests bids and asks at a discount, which only a liquidation reaches, and closes when the price has come
back. Source: backstop liquidity providers of dYdX, Drift and Hyperliquid, who buy liquidated positions at a
discount.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from sim.agents.base import Agent, Life, begin
from sim.agents.quoting import Quotes, Wanted
from sim.scenario.units import SECOND_NS, PositiveDuration, PositiveShare, PositiveUsdc, Share
from system.model.order import BUY, SELL
from system.model.units import PPM, QTY_SCALE, notional

if TYPE_CHECKING:
    from sim.client import Desk, MarketView


class ExternalLiquidator(Agent):
    """Rests deep, takes what falls, and sells it where it is fairly paid."""

    kind: Literal["external_liquidator"]
    discount: PositiveShare = 25_000
    """Distance of its orders from the fair price."""
    gain: Share = 2_000
    """Gain beyond both fees at which it closes."""
    capital: PositiveUsdc = 200_000_000_000
    """Worth of its orders on each side, and of its largest position."""
    refresh: PositiveDuration = 5 * SECOND_NS
    """How often it looks at its orders."""

    def live(self, desk: Desk) -> Life:
        symbols = self.trades(desk)
        yield from begin(desk, symbols, self.refresh)
        quotes = {symbol: Quotes(symbol, self.discount // 10) for symbol in symbols}
        while True:
            for symbol in symbols:
                view = desk.market(symbol)
                fair_e6 = view.reference_e6
                if fair_e6 is not None:
                    quotes[symbol].keep(desk, self._wanted(desk, view, fair_e6))
            yield desk.sleep(self.refresh)

    def _wanted(self, desk: Desk, view: MarketView, fair_e6: int) -> Wanted:
        position = desk.position(view.spec.symbol)
        held_e8, worth = position.size_e8, notional(fair_e6, position.size_e8)
        room = max(self.capital - abs(worth), 0)
        bid_e6 = view.tick_down(fair_e6 * (PPM - self.discount) // PPM)
        ask_e6 = view.tick_up(fair_e6 * (PPM + self.discount) // PPM)
        buys_e8, sells_e8 = (view.lots_for(room if held >= 0 else 0, fair_e6) for held in (held_e8, -held_e8))
        if held_e8:
            # what it holds goes out at its cost, both fees and a gain
            entry_e6 = abs(position.cost) * QTY_SCALE // abs(held_e8)
            wins_ppm = 2 * view.spec.fee_ppm + self.gain
            if held_e8 > 0:
                ask_e6, sells_e8 = view.tick_up(max(entry_e6 * (PPM + wins_ppm) // PPM, fair_e6)), held_e8
            else:
                bid_e6, buys_e8 = view.tick_down(min(entry_e6 * (PPM - wins_ppm) // PPM, fair_e6)), -held_e8
        return {(BUY, 0): (bid_e6, buys_e8), (SELL, 0): (ask_e6, sells_e8)}
