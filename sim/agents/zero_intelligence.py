"""Zero-intelligence traders: limits, market orders and cancels at random, for load.

Source: Gode and Sunder (1993); Farmer, Patelli and Zovko (2005): Poisson limits, market orders
and cancels already explain most of the spread. Each listens to its own channel only, so a
thousand of them cost the exchange little more than their orders.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from sim.agents.base import Agent, Count, Life, poisson_gap_ns, wait_for_prices
from sim.agents.quoting import cancel_oldest
from sim.client.requests import Draft
from sim.scenario.units import (
    SECOND_NS,
    PositiveDuration,
    PositiveShare,
    PositiveUsdc,
    Rate,
    Share,
    mean_gap_ns,
)
from system.model.order import BUY, SELL, Side
from system.model.units import PPM

if TYPE_CHECKING:
    from sim.client import Desk, MarketView


class ZeroIntelligence(Agent):
    """Sends a limit, a market order or a cancel at each beat of its own Poisson clock."""

    kind: Literal["zero_intelligence"]
    rate: Rate
    """Beats of each trader, on average."""
    orders: Count | None = None
    """It stops after so many orders; never when left out."""
    market_share: Share = 150_000
    """Share of beats that are market orders."""
    cancel_share: Share = 250_000
    """Share of beats that cancel its oldest open order."""
    width: PositiveShare = 10_000
    """Limits lie evenly from this distance on their own side of the last known price ..."""
    reach: Share = PPM
    """... to this share of the distance beyond it, where many trade at once; at 0 % nearly all wait."""
    size: PositiveUsdc = 500_000_000
    """Largest worth of an order; sizes are even between one lot and this."""
    open_limit: Count = 50
    """With so many open orders, a limit becomes a cancel."""
    look: PositiveDuration = 30 * SECOND_NS
    """How often it asks for the mark."""

    def live(self, desk: Desk) -> Life:
        symbols = self.trades(desk)
        views = [desk.market(symbol) for symbol in symbols]
        dice, mean_ns = desk.dice, mean_gap_ns(self.rate)
        yield desk.sleep(poisson_gap_ns(dice, mean_ns))
        desk.listen()
        yield from wait_for_prices(desk, symbols)
        look_at_ns = desk.now_ns + self.look
        while self.orders is None or desk.sent < self.orders:
            yield desk.sleep(poisson_gap_ns(dice, mean_ns))
            if desk.now_ns >= look_at_ns:
                desk.look()
                look_at_ns += self.look
            self._beat(desk, views[int(dice.random() * len(views))])

    def _beat(self, desk: Desk, view: MarketView) -> None:
        draw = desk.dice.random
        # every draw is made each time, so that one cancel more shifts no later draw
        beat, side_draw, place_draw, size_draw = draw() * PPM, draw(), draw(), draw()
        price_e6 = view.reference_e6
        if price_e6 is None or beat < self.cancel_share or len(desk.open_orders) >= self.open_limit:
            cancel_oldest(desk)
            return
        market = beat < self.cancel_share + self.market_share
        place = 1.0 if market else place_draw * (1 + self.reach / PPM) - 1
        away_e6 = int(price_e6 * self.width / PPM * place)
        qty_e8 = max(view.spec.lot_e8, view.lots_for(int(self.size * size_draw), price_e6))
        side: Side = BUY if side_draw < 0.5 else SELL
        limit_e6 = view.tick_down(price_e6 + away_e6) if side == BUY else view.tick_up(price_e6 - away_e6)
        pays = asset, hold = view.hold(side, qty_e8, limit_e6, resting=False)
        if desk.available(asset) < hold:
            cancel_oldest(desk)
        else:
            desk.submit(Draft(view.spec.symbol, side, qty_e8, limit_e6, market), pays)
