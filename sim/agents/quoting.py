"""Keeping quotes where a maker wants them, touching only those that are off."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from system.model.order import BUY, Side
from system.model.units import PPM

if TYPE_CHECKING:
    from sim.client import Desk, MarketView, OpenOrder

Slot = tuple[Side, int]
"""(side, level): one rung of a ladder."""
Wanted = Mapping[Slot, tuple[int, int]]
"""(price_e6, qty_e8) of each rung; a quantity of 0 is a rung that nobody wants now."""


class Quotes:
    """One maker's quotes in one market."""

    def __init__(self, symbol: str, tolerance_ppm: int) -> None:
        self._symbol = symbol
        self._tolerance_ppm = tolerance_ppm
        self._resting: dict[Slot, OpenOrder] = {}

    def keep(self, desk: Desk, wanted: Wanted) -> None:
        """Send what is missing, move what is off, cancel what nobody wants."""
        view = desk.market(self._symbol)
        for slot, order in list(self._resting.items()):
            if order.done:
                del self._resting[slot]
            elif slot not in wanted and order.order_id and not order.leaving:
                desk.cancel(order.order_id)
        for slot, (price_e6, qty_e8) in wanted.items():
            resting = self._resting.get(slot)
            if resting is None:
                if qty_e8 and affords(desk, view, slot[0], qty_e8, price_e6):
                    place = desk.buy if slot[0] == BUY else desk.sell
                    self._resting[slot] = place(self._symbol, qty_e8, price_e6)
            elif resting.order_id and not resting.leaving:
                self._mend(desk, view, slot, price_e6, qty_e8)

    def _mend(self, desk: Desk, view: MarketView, slot: Slot, price_e6: int, qty_e8: int) -> None:
        resting = self._resting[slot]
        if not qty_e8:
            desk.cancel(resting.order_id)
            return
        moved = abs(price_e6 - resting.price_e6) * PPM > self._tolerance_ppm * resting.price_e6
        thin = resting.leaves_e8 * 2 < qty_e8
        if (moved or thin) and affords(desk, view, slot[0], qty_e8, price_e6):
            self._resting[slot] = desk.replace(resting.order_id, qty_e8, price_e6)


def affords(desk: Desk, view: MarketView, side: Side, qty_e8: int, price_e6: int) -> bool:
    """Tell whether the trader believes that he can pay what an order holds."""
    asset, hold = view.hold(side, qty_e8, price_e6, resting=False)
    return desk.available(asset) >= hold


def cancel_oldest(desk: Desk) -> None:
    """Cancel the oldest resting order that is not on its way out already."""
    for order in desk.open_orders.values():
        if not order.leaving and not order.market:
            desk.cancel(order.order_id)
            return
