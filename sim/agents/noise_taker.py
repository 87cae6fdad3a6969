"""A noise taker: trades at random moments, in random directions, and always takes.

Arrivals are Poisson and sizes lognormal, as in the noise agents of ABIDES (Byrd et al.). It knows
its funds well enough that nearly all of its orders are accepted.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from sim.agents.base import Agent, Life, poisson_gap_ns, wait_for_prices
from sim.agents.taking import affordable_e8, worst_e6
from sim.scenario.units import PositiveUsdc, Rate, Share, mean_gap_ns
from system.model.order import BUY, SELL, Side
from system.model.units import PPM, notional

if TYPE_CHECKING:
    from sim.client import Desk, MarketView


class NoiseTaker(Agent):
    """Takes liquidity at random: market orders, or IOC limits a little beyond the fair price."""

    kind: Literal["noise_taker"]
    rate: Rate
    """Orders of each trader, on average."""
    size: PositiveUsdc = 1_000_000_000
    """Median worth of an order."""
    size_spread: Share = 1_000_000
    """Standard deviation of the logarithm of the worth."""
    market_share: Share = 500_000
    """Share of market orders; the rest are IOC limits."""
    buys: Share = 500_000
    """Share of its orders that buy, while its inventory is within bounds: a crowd that leans one way."""
    reach: Share = 15_000
    """How far beyond the fair price it goes."""
    inventory: PositiveUsdc = 20_000_000_000
    """Position worth beyond which it only trades back."""

    def live(self, desk: Desk) -> Life:
        symbols = self.trades(desk)
        mean_ns = mean_gap_ns(self.rate)
        yield desk.sleep(poisson_gap_ns(desk.dice, mean_ns))
        desk.listen(*symbols)
        yield from wait_for_prices(desk, symbols)
        while True:
            yield desk.sleep(poisson_gap_ns(desk.dice, mean_ns))
            self._trade(desk, desk.market(symbols[desk.dice.randrange(len(symbols))]))

    def _trade(self, desk: Desk, view: MarketView) -> None:
        # every draw is made each time, so that one more order never shifts the draws of the next
        dice = desk.dice
        heads, market_draw = dice.random(), dice.random()
        worth = self.size * math.exp(self.size_spread / PPM * dice.gauss(0.0, 1.0))
        reference_e6 = view.reference_e6
        if reference_e6 is None:
            return
        symbol = view.spec.symbol
        side = self._side(heads, notional(reference_e6, desk.inventory_e8(symbol)))
        price_e6 = worst_e6(view, side, reference_e6, self.reach)
        qty_e8 = min(view.lots_for(round(worth), reference_e6), affordable_e8(desk, view, side, price_e6))
        if qty_e8 == 0 or notional(price_e6, qty_e8) < view.spec.min_notional:
            return
        place = desk.buy if side == BUY else desk.sell
        if market_draw * PPM < self.market_share:
            place(symbol, qty_e8, price_e6, market=True)
        else:
            place(symbol, qty_e8, price_e6, tif="IOC")

    def _side(self, heads: float, worth: int) -> Side:
        if abs(worth) >= self.inventory:
            return SELL if worth > 0 else BUY
        return BUY if heads * PPM < self.buys else SELL
