"""A market maker: a ladder of bids and asks around the mark, moved when the mark moves.

The half-spread must exceed the fee of 0.5 % a side, or every round trip loses money (domain
rule: fee-aware adjustment of Avellaneda-Stoikov quotes). Inventory shifts the ladder against the
position, and a full inventory stops one side.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from sim.agents.base import Agent, Count, Life, wait_for_prices
from sim.scenario.units import SECOND_NS, Duration, PositiveDuration, PositiveShare, PositiveUsdc, Share
from system.model.order import BUY, SELL, Side
from system.model.units import PPM, notional

if TYPE_CHECKING:
    from sim.client import Desk, MarketView, OpenOrder

Slot = tuple[str, Side, int]
"""(symbol, side, level): one rung of a ladder."""


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
        yield desk.sleep(1 + desk.dice.randrange(self.start_within + 1))
        desk.listen(*symbols)
        yield from wait_for_prices(desk, symbols)
        ladder: dict[Slot, OpenOrder] = {}
        while True:
            for symbol in symbols:
                self._quote(desk, symbol, ladder)
            yield desk.sleep(self._pause_ns(desk))

    def _pause_ns(self, desk: Desk) -> int:
        spread_ns = self.refresh * self.jitter // PPM
        return max(1, self.refresh - spread_ns + desk.dice.randrange(2 * spread_ns + 1))

    def _quote(self, desk: Desk, symbol: str, ladder: dict[Slot, OpenOrder]) -> None:
        """Bring one market's rungs to where they should be, touching only those that are off."""
        view = desk.market(symbol)
        reference_e6 = view.reference_e6
        if reference_e6 is None:
            return
        worth = notional(reference_e6, desk.inventory_e8(symbol))
        fill = max(-PPM, min(PPM, worth * PPM // self.inventory))
        fair_e6 = reference_e6 - reference_e6 * fill // PPM * self.skew // PPM
        for side, level, price_e6 in self._rungs(view, fair_e6):
            slot = (symbol, side, level)
            full = fill >= PPM if side == BUY else fill <= -PPM
            qty_e8 = 0 if full else view.lots_for(self.size, price_e6)
            resting = ladder.get(slot)
            if resting is not None and resting.done:
                resting = None
                del ladder[slot]
            if resting is None:
                if qty_e8 and self._affords(desk, view, side, qty_e8, price_e6):
                    ladder[slot] = self._send(desk, symbol, side, qty_e8, price_e6)
            elif resting.order_id and not resting.leaving:
                self._mend(desk, view, ladder, slot, qty_e8, price_e6)

    def _rungs(self, view: MarketView, fair_e6: int) -> Iterator[tuple[Side, int, int]]:
        """Yield (side, level, price_e6), best rung first."""
        for level in range(self.levels):
            away_e6 = fair_e6 * (self.half_spread + level * self.step) // PPM
            yield BUY, level, view.tick_down(fair_e6 - away_e6)
            yield SELL, level, view.tick_up(fair_e6 + away_e6)

    def _mend(
        self,
        desk: Desk,
        view: MarketView,
        ladder: dict[Slot, OpenOrder],
        slot: Slot,
        qty_e8: int,
        price_e6: int,
    ) -> None:
        """Replace or cancel a resting rung if it is off, or has less than half of its size left."""
        resting = ladder[slot]
        if not qty_e8:
            desk.cancel(resting.order_id)
            return
        moved = abs(price_e6 - resting.price_e6) * PPM > self.tolerance * resting.price_e6
        thin = resting.leaves_e8 * 2 < qty_e8
        if (moved or thin) and self._affords(desk, view, resting.side, qty_e8, price_e6):
            ladder[slot] = desk.replace(resting.order_id, qty_e8, price_e6)

    def _send(self, desk: Desk, symbol: str, side: Side, qty_e8: int, price_e6: int) -> OpenOrder:
        place = desk.buy if side == BUY else desk.sell
        return place(symbol, qty_e8, price_e6)

    def _affords(self, desk: Desk, view: MarketView, side: Side, qty_e8: int, price_e6: int) -> bool:
        asset, hold = view.hold(side, qty_e8, price_e6, resting=False)
        return desk.available(asset) >= hold
