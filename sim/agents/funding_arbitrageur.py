"""A funding arbitrageur: sells the perpetual above the outside price, and is paid for waiting.

It enters when premium and expected funding over its horizon exceed the fees of both ends and a margin for
risk, and leaves when the premium is gone. It hedges on another venue, which costs it no order here, but
late: until the hedge is there it adds nothing. Source: He, Manela, Ross and von Wachter, arXiv 2212.06888.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from sim.agents.base import Agent, Life, begin
from sim.agents.taking import close, take
from sim.scenario.units import SECOND_NS, Duration, PositiveDuration, PositiveUsdc, Share
from system.model.market import MarketKind
from system.model.order import BUY, SELL, Side
from system.model.units import PPM, notional

if TYPE_CHECKING:
    from sim.client import Desk, MarketView

_E12_PER_PPM = 10**6


class FundingArbitrageur(Agent):
    """Takes the other side of a crowd, for the premium and the funding."""

    kind: Literal["funding_arbitrageur"]
    every: PositiveDuration = 5 * SECOND_NS
    """How often it looks."""
    late: Duration = SECOND_NS
    """How old the outside price is that it knows."""
    hedge: Duration = SECOND_NS
    """How long its hedge takes; it adds nothing in between."""
    horizon: PositiveDuration = 8 * 3_600 * SECOND_NS
    """How long it expects to be paid funding."""
    risk: Share = 2_000
    """Gain beyond all fees that makes it enter."""
    leave: Share = 500
    """It leaves when the premium is below this."""
    size: PositiveUsdc = 20_000_000_000
    """Worth of an order."""
    capital: PositiveUsdc = 200_000_000_000
    """Worth of its largest position in a market."""

    def live(self, desk: Desk) -> Life:
        symbols = tuple(s for s in self.trades(desk) if desk.market(s).spec.kind is MarketKind.PERP)
        yield from begin(desk, symbols, self.every)
        while True:
            acted = [self._look(desk, desk.market(symbol)) for symbol in symbols]
            yield desk.sleep(max(self.every, self.hedge if any(acted) else 0))

    def _look(self, desk: Desk, view: MarketView) -> bool:
        symbol, fair_e6 = view.spec.symbol, desk.outside(view.spec.underlying, self.late)
        bid_e6, ask_e6 = view.best_bid_e6, view.best_ask_e6
        if not fair_e6 or not bid_e6 or not ask_e6:
            return False
        held_e8 = desk.inventory_e8(symbol)
        interval_ns = (view.spec.funding_interval_s or 3_600) * SECOND_NS
        funding_ppm = view.funding_e12 * self.horizon // interval_ns // _E12_PER_PPM
        costs_ppm = 2 * view.spec.fee_ppm + self.risk
        for side, price_e6, sign in ((SELL, bid_e6, 1), (BUY, ask_e6, -1)):
            premium_ppm = sign * (price_e6 - fair_e6) * PPM // fair_e6
            if held_e8 * sign < 0 and premium_ppm < self.leave:
                # what it holds on this side was bought for a premium that is gone
                return close(desk, symbol, view.spec.band_ppm) is not None
            room = self.capital + sign * notional(fair_e6, held_e8)
            if premium_ppm > 0 and premium_ppm + sign * funding_ppm > costs_ppm and room > 0:
                return self._enter(desk, view, side, min(self.size, room), fair_e6)
        return False

    def _enter(self, desk: Desk, view: MarketView, side: Side, worth: int, fair_e6: int) -> bool:
        return (
            take(desk, view.spec.symbol, side, view.lots_for(worth, fair_e6), view.spec.band_ppm) is not None
        )
