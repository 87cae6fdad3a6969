"""A value trader: believes in a price, late and wrong, and trades when the market is far from it.

The opinion is the outside price with an error that returns to zero, drawn anew at each arrival. Source:
value agents of ABIDES, rmsc04 (Byrd, Hybinette and Balch 2019).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from sim.agents.base import Agent, Life, begin, poisson_gap_ns
from sim.agents.taking import take
from sim.scenario.units import SECOND_NS, Duration, PositiveDuration, PositiveUsdc, Rate, Share, mean_gap_ns
from system.model.order import BUY, SELL
from system.model.units import PPM

if TYPE_CHECKING:
    from sim.client import Desk


class Value(Agent):
    """Buys below what it believes, sells above."""

    kind: Literal["value"]
    rate: Rate
    """How often it compares."""
    error: Share = 5_000
    """Standard deviation of its error."""
    memory: PositiveDuration = 600 * SECOND_NS
    """How long an error lasts: after this time a third is left."""
    late: Duration = SECOND_NS
    """How old the outside price is that it knows."""
    edge: Share = 3_000
    """Gain beyond the fee that makes it trade."""
    size: PositiveUsdc = 2_000_000_000
    """Worth of an order."""

    def live(self, desk: Desk) -> Life:
        symbols = self.trades(desk)
        yield from begin(desk, symbols, SECOND_NS)
        error, mean_ns = desk.dice.gauss(0.0, self.error / PPM), mean_gap_ns(self.rate)
        while True:
            gap_ns = poisson_gap_ns(desk.dice, mean_ns)
            yield desk.sleep(gap_ns)
            keeps = math.exp(-gap_ns / self.memory)
            error = keeps * error + math.sqrt(1 - keeps * keeps) * desk.dice.gauss(0.0, self.error / PPM)
            self._trade(desk, symbols[desk.dice.randrange(len(symbols))], error)

    def _trade(self, desk: Desk, symbol: str, error: float) -> None:
        view = desk.market(symbol)
        believed_e6 = int(desk.outside(view.spec.underlying, self.late) * (1 + error))
        wins_ppm = view.spec.fee_ppm + self.edge
        bid_e6, ask_e6 = view.best_bid_e6, view.best_ask_e6
        if ask_e6 and ask_e6 * (PPM + wins_ppm) < believed_e6 * PPM:
            take(desk, symbol, BUY, view.lots_for(self.size, ask_e6), 2 * wins_ppm)
        elif bid_e6 and bid_e6 * (PPM - wins_ppm) > believed_e6 * PPM:
            take(desk, symbol, SELL, view.lots_for(self.size, bid_e6), 2 * wins_ppm)
