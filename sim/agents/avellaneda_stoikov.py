"""The maker of Avellaneda and Stoikov (2008), aware of fees.

Reservation price r = s - q gamma sigma^2 (T - t); spread gamma sigma^2 (T - t) + (2 / gamma) ln(1 + gamma /
kappa), here with prices as shares of the fair price and q in quotes of `size`. To each half-spread the fee
is added: at 0.5 % a side the paper's maker would be ruined.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from sim.agents.base import Agent, Life, begin
from sim.agents.quoting import Quotes, Slot
from sim.scenario.units import SECOND_NS, YEAR_S, NonNegativeAnnual, PositiveDuration, PositiveUsdc, Share
from system.model.order import BUY, SELL
from system.model.units import PPM, notional

if TYPE_CHECKING:
    from sim.client import Desk

Coefficient = Annotated[float, Field(gt=0, le=1e9)]


class AvellanedaStoikov(Agent):
    """Quotes one bid and one ask around a price that leans against its inventory."""

    kind: Literal["avellaneda_stoikov"]
    risk_aversion: Coefficient = 10.0
    """Gamma: how much it dislikes inventory."""
    volatility: NonNegativeAnnual = 600_000
    """Sigma: what it believes of the price."""
    horizon: PositiveDuration = 3_600 * SECOND_NS
    """T: it wants to be flat each time this has passed."""
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
            left_ns = self.horizon - (desk.now_ns - began_ns) % self.horizon
            for symbol in symbols:
                quotes[symbol].keep(desk, dict(self.wanted(desk, symbol, left_ns)))
            yield desk.sleep(self.refresh)

    def wanted(self, desk: Desk, symbol: str, left_ns: int) -> Iterator[tuple[Slot, tuple[int, int]]]:
        """Yield the bid and the ask that it wants now."""
        view = desk.market(symbol)
        fair_e6 = view.reference_e6
        if fair_e6 is None:
            return
        worth = notional(fair_e6, desk.inventory_e8(symbol))
        skew, half = self.lean(worth / self.size, left_ns)
        away = half + view.spec.fee_ppm / PPM
        qty_e8 = view.lots_for(self.size, fair_e6)
        bid_e6 = view.tick_down(max(int(fair_e6 * (1 - skew - away)), 1))
        yield (BUY, 0), (bid_e6, qty_e8 if worth < self.most else 0)
        yield (SELL, 0), (view.tick_up(int(fair_e6 * (1 - skew + away))), qty_e8 if worth > -self.most else 0)

    def lean(self, inventory: float, left_ns: int) -> tuple[float, float]:
        """Return how far it leans against its inventory, and its half-spread before the fee, as shares."""
        risk = self.risk_aversion * (self.volatility / PPM) ** 2 * left_ns / (YEAR_S * SECOND_NS)
        return inventory * risk, risk / 2 + math.log(1 + self.risk_aversion / self.decay) / self.risk_aversion
