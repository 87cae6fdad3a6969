"""Makers who quote around a reservation price: fair, leant against what they hold.

To each half-spread the fee is added: at 0.5 % a side the papers' makers would be ruined.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from sim.agents.base import Agent, Life, begin
from sim.agents.quoting import Quotes, Slot
from sim.scenario.units import SECOND_NS, NonNegativeAnnual, PositiveDuration, PositiveUsdc, Share
from system.model.order import BUY, SELL
from system.model.units import PPM, notional

if TYPE_CHECKING:
    from sim.client import Desk

Coefficient = Annotated[float, Field(gt=0, le=1e9)]


class ReservationMaker(Agent):
    """Quotes one bid and one ask around a price that leans against its inventory."""

    risk_aversion: Coefficient = 10.0
    """Gamma: how much it dislikes inventory."""
    volatility: NonNegativeAnnual = 600_000
    """Sigma: what it believes of the price."""
    decay: Coefficient = 1_000.0
    """Kappa: how fast arrivals thin out with distance; 1,000 is a third at 10 bps."""
    size: PositiveUsdc = 10_000_000_000
    """Worth of a quote."""
    most: PositiveUsdc = 250_000_000_000
    """Position worth at which it stops adding to one side."""
    refresh: PositiveDuration = 2 * SECOND_NS
    """How often it looks at its quotes."""
    tolerance: Share = 500
    """A quote that is off by less than this stays where it is."""

    def live(self, desk: Desk) -> Life:
        symbols = self.trades(desk)
        yield from begin(desk, symbols, self.refresh)
        quotes = {symbol: Quotes(symbol, self.tolerance) for symbol in symbols}
        began_ns = desk.now_ns
        while True:
            for symbol in symbols:
                quotes[symbol].keep(desk, dict(self.wanted(desk, symbol, desk.now_ns - began_ns)))
            yield desk.sleep(self.refresh)

    def wanted(self, desk: Desk, symbol: str, since_ns: int) -> Iterator[tuple[Slot, tuple[int, int]]]:
        """Yield the bid and the ask that it wants now."""
        view = desk.market(symbol)
        fair_e6 = view.reference_e6
        if fair_e6 is None:
            return
        worth = notional(fair_e6, desk.inventory_e8(symbol))
        skew, half = self.lean(worth / self.size, since_ns)
        away = half + view.spec.fee_ppm / PPM
        qty_e8 = view.lots_for(self.size, fair_e6)
        bid_e6 = view.tick_down(max(int(fair_e6 * (1 - skew - away)), 1))
        yield (BUY, 0), (bid_e6, qty_e8 if worth < self.most else 0)
        yield (SELL, 0), (view.tick_up(int(fair_e6 * (1 - skew + away))), qty_e8 if worth > -self.most else 0)

    @abstractmethod
    def lean(self, inventory: float, since_ns: int) -> tuple[float, float]:
        """Return how far it leans against its inventory, and its half-spread before the fee, as shares.

        Args:
            inventory: in quotes of `size`.
            since_ns: how long it has traded.
        """
