"""A retail trader with leverage: long by habit, and longer after each rise.

The leverage of each is drawn once, from a heavy tail: many small, some as much as the market gives. It buys
while the price is above where it last bought. Source: Soska et al., Towards understanding cryptocurrency
derivatives: a case study of BitMEX (WWW 2021); the proposal of 40 % at 1-3x, 40 % at 3-10x, 20 % at the
most.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from sim.agents.base import Agent, Life, begin, poisson_gap_ns
from sim.agents.taking import take
from sim.scenario.units import SECOND_NS, PositiveShare, Rate, Share, mean_gap_ns
from system.model.order import BUY, SELL, Side
from system.model.units import PPM, notional

if TYPE_CHECKING:
    from random import Random

    from sim.client import Desk


class LeverageChaser(Agent):
    """Goes long (mostly) with as much as its leverage buys, and adds on the way up."""

    kind: Literal["leverage_chaser"]
    rate: Rate
    """How often it thinks of adding."""
    longs: Share = 800_000
    """Share of them that are long."""
    adds: PositiveShare = 250_000
    """Share of its largest position that one order is."""
    trigger: Share = 0
    """It adds when the price has gone its way by this since it last did."""
    reach: Share = 15_000
    """How far beyond the fair price it goes."""

    def live(self, desk: Desk) -> Life:
        symbols, dice = self.trades(desk), desk.dice
        side: Side = BUY if dice.random() * PPM < self.longs else SELL
        leverage, mean_ns = _leverage(dice), mean_gap_ns(self.rate)
        yield from begin(desk, symbols, 10 * SECOND_NS)
        last_e6 = dict.fromkeys(symbols, 0)
        while True:
            yield desk.sleep(poisson_gap_ns(dice, mean_ns))
            symbol = symbols[dice.randrange(len(symbols))]
            view = desk.market(symbol)
            price_e6 = view.reference_e6
            if price_e6 is None:
                continue
            way = (price_e6 - last_e6[symbol]) * (1 if side == BUY else -1)
            if last_e6[symbol] and way * PPM < self.trigger * last_e6[symbol]:
                continue
            most = int(desk.funds["USDC"] / len(symbols) * min(leverage, PPM / view.spec.im_ppm))
            if abs(notional(price_e6, desk.inventory_e8(symbol))) < most:
                last_e6[symbol] = price_e6
                take(desk, symbol, side, view.lots_for(most * self.adds // PPM, price_e6), self.reach)


def _leverage(dice: Random) -> float:
    """Draw a leverage: 40 % from 1 to 3, 40 % from 3 to 10, 20 % as much as there is."""
    kind, place = dice.random(), dice.random()
    if kind < 0.4:
        return 1 + 2 * place
    return 3 + 7 * place if kind < 0.8 else float("inf")
