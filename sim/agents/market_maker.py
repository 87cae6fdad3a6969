"""A market maker: a ladder of bids and asks around the mark, moved when the mark moves.

The half-spread must exceed the fee of 0.5 % a side, or every round trip loses money (domain
rule: fee-aware adjustment of Avellaneda-Stoikov quotes). Inventory shifts the ladder against the
position, and a full inventory stops one side.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from sim.agents.base import Agent, Count, Life, begin
from sim.agents.quoting import Quotes, Slot
from sim.scenario.units import SECOND_NS, Duration, PositiveDuration, PositiveShare, PositiveUsdc, Share
from system.model.order import BUY, SELL
from system.model.units import PPM, notional

if TYPE_CHECKING:
    from sim.client import Desk, MarketView


class MarketMaker(Agent):
    """Quotes both sides of its markets, perps and spot alike."""

    kind: Literal["market_maker"]
    half_spread: PositiveShare = 6_000
    """Distance of the first rung from the fair price. Above the fee of 50 bps, or it loses money."""
    step: Share = 1_000
    """Distance between rungs."""
    levels: Count = 5
    """Rungs on each side."""
    size: PositiveUsdc = 5_000_000_000
    """Worth of one rung."""
    refresh: PositiveDuration = 2 * SECOND_NS
    """How often it looks at its quotes."""
    jitter: Share = 200_000
    """Each pause differs by up to this share, so that makers do not move in step."""
    tolerance: Share = 500
    """A quote that is off by less than this stays where it is."""
    inventory: PositiveUsdc = 250_000_000_000
    """Position worth at which it stops adding to one side."""
    skew: Share = 2_000
    """How far a full inventory shifts both sides against it."""
    start_within: Duration = SECOND_NS
    """It opens its books at a random moment of this span."""

    def live(self, desk: Desk) -> Life:
        symbols = self.trades(desk)
        yield from begin(desk, symbols, self.start_within)
        quotes = {symbol: Quotes(symbol, self.tolerance) for symbol in symbols}
        while True:
            for symbol in symbols:
                quotes[symbol].keep(desk, dict(self._rungs(desk, desk.market(symbol))))
            yield desk.sleep(self._pause_ns(desk))

    def _pause_ns(self, desk: Desk) -> int:
        spread_ns = self.refresh * self.jitter // PPM
        return max(1, self.refresh - spread_ns + desk.dice.randrange(2 * spread_ns + 1))

    def _rungs(self, desk: Desk, view: MarketView) -> Iterator[tuple[Slot, tuple[int, int]]]:
        """Yield where one market's rungs should be, the best first; none before anything is priced."""
        reference_e6 = view.reference_e6
        if reference_e6 is None:
            return
        worth = notional(reference_e6, desk.inventory_e8(view.spec.symbol))
        fill = max(-PPM, min(PPM, worth * PPM // self.inventory))
        fair_e6 = reference_e6 - reference_e6 * fill // PPM * self.skew // PPM
        for level in range(self.levels):
            away_e6 = fair_e6 * (self.half_spread + level * self.step) // PPM
            bid_e6, ask_e6 = view.tick_down(fair_e6 - away_e6), view.tick_up(fair_e6 + away_e6)
            yield (BUY, level), (bid_e6, 0 if fill >= PPM else view.lots_for(self.size, bid_e6))
            yield (SELL, level), (ask_e6, 0 if fill <= -PPM else view.lots_for(self.size, ask_e6))
