"""A trader who wants out: the deeper the fall, the likelier he cancels everything, closes and withdraws.

The hazard grows with the drawdown from the highest price seen; who has run does not come back. Until then
he rests one bid below the market, which is missing when it would be needed. Source: the withdrawals of
November 2022.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from sim.agents.base import Agent, Life, begin
from sim.agents.quoting import Quotes
from sim.agents.taking import close, take
from sim.client.vault import withdraw_all
from sim.scenario.units import (
    SECOND_NS,
    PositiveDuration,
    PositiveShare,
    PositiveUsdc,
    Rate,
    Share,
    mean_gap_ns,
)
from system.model.order import BUY
from system.model.units import MINUTE_NS, PPM

if TYPE_CHECKING:
    from sim.client import Desk


class PanicWithdrawer(Agent):
    """Holds a position and a bid until fear makes him cancel, close and take his money out of the Vault."""

    kind: Literal["panic_withdrawer"]
    every: PositiveDuration = 5 * SECOND_NS
    """How often he looks."""
    holds: PositiveUsdc = 20_000_000_000
    """Worth of the position that he begins with."""
    bids: PositiveUsdc = 20_000_000_000
    """Worth of the bid that he rests."""
    below: PositiveShare = 12_000
    """Distance of that bid from the fair price."""
    fear: Rate = 3_600 * 8_760 * 10**6 // 60
    """How often he would run at a drawdown of `at`; twice the drawdown, four times as often."""
    at: PositiveShare = 50_000
    """Drawdown at which the hazard is `fear`."""
    reach: Share = 50_000
    """How far beyond the fair price he closes."""
    as_cxpt: bool = False
    """Whether he takes CXPT instead of USDC."""

    def live(self, desk: Desk) -> Life:
        symbols = self.trades(desk)
        yield from begin(desk, symbols, self.every)
        quotes = {symbol: Quotes(symbol, self.below // 5) for symbol in symbols}
        top_e6 = {symbol: desk.market(symbol).reference_e6 or 0 for symbol in symbols}
        for symbol in symbols:
            take(desk, symbol, BUY, desk.market(symbol).lots_for(self.holds, top_e6[symbol]), self.reach)
        while desk.dice.random() > self._hazard(desk, top_e6):
            for symbol in symbols:
                view = desk.market(symbol)
                fair_e6 = view.reference_e6 or top_e6[symbol]
                price_e6 = view.tick_down(fair_e6 * (PPM - self.below) // PPM)
                quotes[symbol].keep(desk, {(BUY, 0): (price_e6, view.lots_for(self.bids, price_e6))})
            yield desk.sleep(self.every)
        while True:
            yield desk.sleep(self._run(desk, symbols))

    def _run(self, desk: Desk, symbols: tuple[str, ...]) -> int:
        """Cancel and close what is left; once nothing is, withdraw. Return when to look again."""
        left = False
        for symbol in symbols:
            if any(order.symbol == symbol for order in desk.open_orders.values()):
                desk.cancel_all(symbol)
                left = True
            close(desk, symbol, self.reach)
            left = left or desk.inventory_e8(symbol) != 0
        if left:
            return self.every
        withdraw_all(desk, as_cxpt=self.as_cxpt)
        return max(self.every, MINUTE_NS)

    def _hazard(self, desk: Desk, top_e6: dict[str, int]) -> float:
        """Return the probability to run now, from the deepest drawdown of his markets."""
        deepest = 0.0
        for symbol, highest_e6 in top_e6.items():
            now_e6 = desk.market(symbol).reference_e6 or highest_e6
            top_e6[symbol] = max(highest_e6, now_e6)
            deepest = max(deepest, 1 - now_e6 / top_e6[symbol])
        scale = (deepest * PPM / self.at) ** 2
        return 1 - math.exp(-scale * self.every / mean_gap_ns(self.fear))
