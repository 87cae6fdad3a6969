"""A CXPT arbitrageur: sells CXPT above what minting costs, and buys it below what it is backed by.

CXPT is minted at 1 USDC, so selling pays above 1 / (1 - fee); below, it buys for the day it is worth 1
again. It trades what it was given: minting during a run is not open to traders yet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from sim.agents.base import Agent, Life, begin
from sim.agents.taking import take
from sim.scenario.units import SECOND_NS, PositiveDuration, PositiveUsdc, Price, Share
from system.model.order import BUY, SELL
from system.model.units import PPM

if TYPE_CHECKING:
    from sim.client import Desk


class CxptArbitrageur(Agent):
    """Keeps a token near its peg, while its money lasts."""

    kind: Literal["cxpt_arbitrageur"]
    peg: Price = 1_000_000
    """What it costs to mint one."""
    every: PositiveDuration = 2 * SECOND_NS
    """How often it looks."""
    edge: Share = 1_000
    """Gain beyond the fee that makes it trade."""
    size: PositiveUsdc = 5_000_000_000
    """Worth of an order."""

    def live(self, desk: Desk) -> Life:
        symbols = self.trades(desk)
        yield from begin(desk, symbols, self.every)
        while True:
            for symbol in symbols:
                view = desk.market(symbol)
                bid_e6, ask_e6 = view.best_bid_e6, view.best_ask_e6
                keeps_ppm = PPM - view.spec.fee_ppm
                qty_e8 = view.lots_for(self.size, self.peg)
                if bid_e6 and bid_e6 * keeps_ppm > self.peg * (PPM + self.edge):
                    take(desk, symbol, SELL, qty_e8, view.spec.band_ppm)
                elif ask_e6 and ask_e6 * (PPM + self.edge) < self.peg * keeps_ppm:
                    take(desk, symbol, BUY, qty_e8, view.spec.band_ppm)
            yield desk.sleep(self.every)
