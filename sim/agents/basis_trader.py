"""A basis trader: sells a dated future that is dear against its carry, and buys one that is cheap.

Fair is the outside price grown by `carry` until expiry; at the end both are the same, so the difference is
its gain. It hedges on another venue. Source: BIS working paper 1087, crypto carry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from sim.agents.base import Agent, Life, begin
from sim.agents.taking import take
from sim.scenario.units import SECOND_NS, YEAR_S, Annual, Duration, PositiveDuration, PositiveUsdc, Share
from system.model.market import MarketKind
from system.model.order import BUY, SELL
from system.model.units import PPM, notional

if TYPE_CHECKING:
    from sim.client import Desk, MarketView


class BasisTrader(Agent):
    """Trades dated futures, perpetuals and spot towards the outside price and its carry."""

    kind: Literal["basis_trader"]
    every: PositiveDuration = 5 * SECOND_NS
    """How often it looks."""
    late: Duration = SECOND_NS
    """How old the outside price is that it knows."""
    carry: Annual = 50_000
    """What it earns elsewhere by waiting, a year."""
    edge: Share = 2_000
    """Gain beyond its fee that makes it trade."""
    size: PositiveUsdc = 10_000_000_000
    """Worth of an order."""
    capital: PositiveUsdc = 200_000_000_000
    """Worth of its largest position in a market."""

    def live(self, desk: Desk) -> Life:
        symbols = tuple(s for s in self.trades(desk) if desk.market(s).spec.kind is not MarketKind.OPTION)
        yield from begin(desk, symbols, self.every)
        while True:
            for symbol in symbols:
                self._look(desk, desk.market(symbol))
            yield desk.sleep(self.every)

    def _look(self, desk: Desk, view: MarketView) -> None:
        outside_e6 = desk.outside(view.spec.underlying, self.late)
        bid_e6, ask_e6 = view.best_bid_e6, view.best_ask_e6
        if not outside_e6:
            return
        left_s = max(view.spec.expiry_s - desk.now_ns // SECOND_NS, 0) if view.spec.expiry_s else 0
        fair_e6 = outside_e6 + outside_e6 * self.carry // PPM * left_s // YEAR_S
        wins_ppm, symbol = view.spec.fee_ppm + self.edge, view.spec.symbol
        worth = notional(fair_e6, desk.inventory_e8(symbol))
        qty_e8 = view.lots_for(self.size, fair_e6)
        if bid_e6 and (bid_e6 - fair_e6) * PPM > wins_ppm * fair_e6 and worth > -self.capital:
            take(desk, symbol, SELL, qty_e8, view.spec.band_ppm)
        elif ask_e6 and (fair_e6 - ask_e6) * PPM > wins_ppm * fair_e6 and worth < self.capital:
            take(desk, symbol, BUY, qty_e8, view.spec.band_ppm)
