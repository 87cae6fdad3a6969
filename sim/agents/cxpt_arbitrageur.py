"""A CXPT arbitrageur: mints and sells CXPT above what it costs, buys and redeems it below what it is worth.

CXPT is minted at 1 USDC, so selling it pays above 1 / (1 - fee); bought below 1 / (1 + fee) it pays when
the exchange takes it back at 1. Where it does not (`cxpt_redemption: false`), only the first works: CXPT
has a ceiling and no floor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from sim.agents.base import Agent, Life, begin
from sim.agents.taking import take
from sim.client.vault import mint, redeem
from sim.scenario.units import SECOND_NS, PositiveDuration, PositiveUsdc, Price, Share
from system.model.order import BUY, SELL
from system.model.units import MINUTE_NS, PPM, notional
from system.risk.redemption import CXPT

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
        began_e8 = {symbol: desk.available(desk.market(symbol).spec.base) for symbol in symbols}
        redeems_ns = 0  # not before
        while True:
            for symbol in symbols:
                sells = self._look(desk, symbol)
                spec = desk.market(symbol).spec
                bought_e8 = desk.available(spec.base) - began_e8[symbol]
                if not sells and spec.base == CXPT and bought_e8 >= spec.lot_e8 and desk.now_ns >= redeems_ns:
                    redeem(desk, symbol, notional(self.peg, bought_e8))
                    redeems_ns = desk.now_ns + MINUTE_NS
            yield desk.sleep(self.every)

    def _look(self, desk: Desk, symbol: str) -> bool:
        """Trade where the book pays for it; tell whether selling does."""
        view = desk.market(symbol)
        bid_e6, ask_e6, fee_ppm = view.best_bid_e6, view.best_ask_e6, view.spec.fee_ppm
        qty_e8 = view.lots_for(self.size, self.peg)
        if bid_e6 and bid_e6 * (PPM - fee_ppm) > self.peg * (PPM + self.edge):
            take(desk, symbol, SELL, qty_e8, view.spec.band_ppm)
            cost = notional(self.peg, qty_e8)
            if view.spec.base == CXPT and desk.available(CXPT) < qty_e8 and desk.available("USDC") >= cost:
                mint(desk, symbol, cost)  # to sell at the next look
            return True
        if ask_e6 and ask_e6 * (PPM + fee_ppm) * (PPM + self.edge) < self.peg * PPM**2:
            take(desk, symbol, BUY, qty_e8, view.spec.band_ppm)
        return False
