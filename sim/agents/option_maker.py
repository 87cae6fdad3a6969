"""An option maker: quotes around Black's value (1976) and hedges the delta with the perpetual.

A capped call is a call less one at the cap. The volatility is a flat one and a skew; what it holds is kept
below a limit of vega. Source: Black (1976); the book-keeping of risk is that of any options desk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from sim.agents.base import Agent, Life, begin
from sim.agents.quoting import Quotes, Wanted
from sim.agents.taking import take
from sim.scenario.units import (
    SECOND_NS,
    Duration,
    NonNegativeAnnual,
    PositiveDuration,
    PositiveUsdc,
    Share,
)
from system.model.market import MarketKind, MarketSpec
from system.model.order import BUY, SELL
from system.model.units import PPM, QTY_SCALE
from system.risk.options import OptionType
from system.risk.volatility import black76, greeks, years

if TYPE_CHECKING:
    from sim.client import Desk, MarketView


class Worth(NamedTuple):
    """What an option is worth and how it moves. Unit: uUSDC per 1.0 base; vega for a volatility of 1."""

    value: float
    delta: float
    vega: float


class OptionMaker(Agent):
    """Quotes options around their value and keeps itself flat in the underlying."""

    kind: Literal["option_maker"]
    volatility: NonNegativeAnnual = 600_000
    """Implied volatility at the money."""
    skew: Share = 200_000
    """By how much the volatility rises for a strike that is lower by its whole price."""
    edge: Share = 30_000
    """Its half-spread beyond the fee, as a share of the value."""
    least: PositiveUsdc = 20_000_000
    """Its half-spread is at least this, for 1.0 base."""
    size: PositiveUsdc = 20_000_000_000
    """Worth of a quote, at the price of the underlying."""
    most_vega: PositiveUsdc = 20_000_000_000
    """Position vega (for a volatility of 1) at which it stops adding to one side."""
    refresh: PositiveDuration = 5 * SECOND_NS
    """How often it looks at its quotes and its delta."""
    late: Duration = SECOND_NS
    """How old the outside price is that it knows."""
    hedge_above: PositiveUsdc = 5_000_000_000
    """Worth of a delta that it does not leave open, where there is a perpetual."""

    def live(self, desk: Desk) -> Life:
        symbols = tuple(s for s in self.trades(desk) if desk.market(s).spec.kind is MarketKind.OPTION)
        perps = [s for s in desk.symbols if desk.market(s).spec.kind is MarketKind.PERP]
        # an option has no price before its makers quote it, so nobody waits for one
        yield from begin(desk, tuple(perps), self.refresh, (*symbols, *perps))
        quotes = {symbol: Quotes(symbol, self.edge // 2) for symbol in symbols}
        while True:
            for symbol in symbols:
                quotes[symbol].keep(desk, self._wanted(desk, desk.market(symbol)))
            for perp in perps:
                self._hedge(desk, perp, symbols)
            yield desk.sleep(self.refresh)

    def worth(self, spec: MarketSpec, forward_e6: int, now_ns: int) -> Worth:
        """Value an option; a capped call is worth a call less one at the cap."""
        t = years(max(spec.expiry_s * SECOND_NS - now_ns, SECOND_NS))
        worth = self._black(spec.payoff_type, forward_e6, spec.strike_e6, t)
        if not spec.cap_e6:
            return worth
        above = self._black("CALL", forward_e6, spec.cap_e6, t)
        return Worth(*(one - other for one, other in zip(worth, above, strict=True)))

    def _black(self, kind: OptionType, forward: float, strike: float, t: float) -> Worth:
        smile = self.volatility / PPM + self.skew / PPM * max(1 - strike / forward, -0.5)
        volatility = max(smile, 0.01)
        sensed = greeks(kind, forward, strike, t, volatility)
        return Worth(black76(kind, forward, strike, t, volatility), sensed.delta, sensed.vega)

    def _wanted(self, desk: Desk, view: MarketView) -> Wanted:
        spec = view.spec
        forward_e6 = desk.outside(spec.underlying, self.late)
        if not forward_e6 or desk.now_ns >= spec.expiry_s * SECOND_NS:
            return {}
        worth = self.worth(spec, forward_e6, desk.now_ns)
        half = max(worth.value * (self.edge + spec.fee_ppm) / PPM, float(self.least))
        vega = worth.vega * desk.inventory_e8(spec.symbol) / QTY_SCALE
        qty_e8 = max(view.lots_for(self.size, forward_e6), spec.lot_e8)
        bid_e6, ask_e6 = (
            view.tick_down(max(int(worth.value - half), 1)),
            view.tick_up(int(worth.value + half)),
        )
        return {
            (BUY, 0): (bid_e6, qty_e8 if vega < self.most_vega and worth.value > half else 0),
            (SELL, 0): (ask_e6, qty_e8 if vega > -self.most_vega else 0),
        }

    def _hedge(self, desk: Desk, perp: str, symbols: tuple[str, ...]) -> None:
        view = desk.market(perp)
        forward_e6 = desk.outside(view.spec.underlying, self.late)
        if not forward_e6:
            return
        delta_e8 = float(desk.inventory_e8(perp))
        for symbol in symbols:
            spec, held_e8 = desk.market(symbol).spec, desk.inventory_e8(symbol)
            if (
                held_e8
                and spec.underlying == view.spec.underlying
                and desk.now_ns < spec.expiry_s * SECOND_NS
            ):
                delta_e8 += held_e8 * self.worth(spec, forward_e6, desk.now_ns).delta
        if abs(delta_e8) * forward_e6 / QTY_SCALE > self.hedge_above:
            take(desk, perp, SELL if delta_e8 > 0 else BUY, int(abs(delta_e8)), view.spec.band_ppm)
