"""Taking liquidity within the band and within one's funds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from system.model.order import BUY, SELL, Side
from system.model.units import PPM, notional

if TYPE_CHECKING:
    from sim.client import Desk, MarketView, OpenOrder


def take(desk: Desk, symbol: str, side: Side, qty_e8: int, reach_ppm: int) -> OpenOrder | None:
    """Send an IOC order up to `reach_ppm` beyond the fair price.

    None when it cannot pay for any, or nothing is priced.
    """
    view = desk.market(symbol)
    reference_e6 = view.reference_e6
    if reference_e6 is None:
        return None
    price_e6 = worst_e6(view, side, reference_e6, reach_ppm)
    qty_e8 = min(qty_e8, affordable_e8(desk, view, side, price_e6)) // view.spec.lot_e8 * view.spec.lot_e8
    if qty_e8 <= 0 or notional(price_e6, qty_e8) < view.spec.min_notional:
        return None
    place = desk.buy if side == BUY else desk.sell
    return place(symbol, qty_e8, price_e6, tif="IOC")


def close(desk: Desk, symbol: str, reach_ppm: int) -> OpenOrder | None:
    """Close the position in a market as far as others are within reach; reduce-only where there is margin."""
    view = desk.market(symbol)
    held_e8, reference_e6 = desk.inventory_e8(symbol), view.reference_e6
    if not held_e8 or reference_e6 is None:
        return None
    side: Side = SELL if held_e8 > 0 else BUY
    if not view.spec.margined:
        return take(desk, symbol, side, abs(held_e8), reach_ppm)
    place = desk.buy if side == BUY else desk.sell
    price_e6 = worst_e6(view, side, reference_e6, reach_ppm)
    return place(symbol, abs(held_e8), price_e6, tif="IOC", reduce_only=True)


def worst_e6(view: MarketView, side: Side, reference_e6: int, reach_ppm: int) -> int:
    """Return the worst price a taker signs, inside the exchange's band."""
    away_e6 = reference_e6 * reach_ppm // PPM
    band_e6 = view.band_e6(side)
    if side == BUY:
        price_e6 = view.tick_down(reference_e6 + away_e6)
        return price_e6 if band_e6 is None else min(price_e6, band_e6)
    price_e6 = view.tick_up(max(reference_e6 - away_e6, 1))
    return price_e6 if band_e6 is None else max(price_e6, band_e6)


def affordable_e8(desk: Desk, view: MarketView, side: Side, price_e6: int) -> int:
    """Return the largest whole-lot quantity whose hold it can pay, leaving a twentieth for late news."""
    lot_e8 = view.spec.lot_e8
    many_e8 = 1_000 * lot_e8
    asset, hold = view.hold(side, many_e8, price_e6, resting=False)
    free = desk.available(asset) * 19 // 20
    return max(0, free * many_e8 // hold // lot_e8 * lot_e8)
