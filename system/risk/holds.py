"""What an order holds back so that it can never be short: step 4 of docs/walk.md, RISK-020 to RISK-027.

Rule `gross`: every order is paid in full by itself, whatever else its trader holds. A hold is
always computed from what is left of the order, never decremented, so nothing drifts.
"""

from __future__ import annotations

from functools import lru_cache

from system.model.market import MarketKind, MarketSpec
from system.model.order import BUY, Order, Side
from system.model.units import PPM, QTY_SCALE, ppm_ceil
from system.risk.bands import price_range
from system.risk.positions import margin_step

USDC = "USDC"


def hold_asset(order: Order, spec: MarketSpec) -> str:
    """Return the asset an order is paid in: the base for a spot sell, else USDC."""
    if spec.kind is MarketKind.SPOT and order.side != BUY:
        return spec.base
    return USDC


def hold_before_match(order: Order, spec: MarketSpec) -> int:
    """Return what a new order must hold until it was matched, in `hold_asset` units.

    A derivative sell that is filled above its limit has a larger notional, so it pays at the
    far band edge `worst_price_e6` until it rests (RISK-023).
    """
    return hold_at(order, spec, worst_fill_price_e6(order), order.qty_e8 - order.cum_qty_e8)


def hold_resting(order: Order, spec: MarketSpec) -> int:
    """Return what an order in the book must hold: it can only be filled at its limit."""
    return hold_at(order, spec, order.limit_price_e6, order.leaves_e8)


def worst_price(side: Side, limit_price_e6: int, reference_price_e6: int, spec: MarketSpec) -> int:
    """Return the highest price at which a new order can be filled: `Order.worst_price_e6`.

    A BUY pays at most its limit. A SELL may be filled above its limit, up to the band's upper
    edge of this moment (RISK-023).
    """
    if side == BUY:
        return limit_price_e6
    if spec.kind is MarketKind.OPTION:
        return spec.max_payoff_e6  # nobody pays more, and the writer's lock is the same at every price
    return band(reference_price_e6, spec.band_ppm, spec.tick_e6)[1]


def worst_fill_price_e6(order: Order) -> int:
    """Return the highest price at which a taker may be filled, where its obligation is largest."""
    if order.side == BUY or order.worst_price_e6 <= order.limit_price_e6:
        return order.limit_price_e6
    return order.worst_price_e6


def hold_at(order: Order, spec: MarketSpec, price_e6: int, leaves_e8: int) -> int:
    """Return the obligation of `leaves_e8` filled at `price_e6`, given what the order paid so far.

    Margin and fee telescope over the order's fills; so after a fill at this price or a lower
    one the old hold covers exactly the fill and the new hold (I5).
    """
    if not leaves_e8 or order.reduce_only:  # what closes a position is paid out of it
        return 0
    kind = spec.kind
    if order.side != BUY:
        if kind is MarketKind.SPOT:
            return leaves_e8
        if kind is MarketKind.OPTION:  # the premium, which comes in, pays the fee
            return spec.max_payoff_e6 * leaves_e8 // QTY_SCALE
        if spec.max_price_e6:  # what it can lose is largest at its limit, and falls faster than the fee rises
            price_e6 = order.limit_price_e6
    notional = price_e6 * leaves_e8 // QTY_SCALE
    traded = order.cum_notional
    fee = -(-(traded + notional) * spec.fee_ppm // PPM) - order.fee_paid
    if kind is MarketKind.SPOT or kind is MarketKind.OPTION:
        return notional + fee
    if spec.max_price_e6 and order.side != BUY:
        return (spec.max_price_e6 - price_e6) * leaves_e8 // QTY_SCALE + fee
    return margin_step(traded, notional, spec.im_ppm) + fee


@lru_cache(maxsize=1_024)  # an order asks twice, and prices change rarely
def band(reference_price_e6: int, band_ppm: int, tick_e6: int) -> tuple[int, int]:
    """Return the lowest and the highest price of the band, rounded inward to ticks.

    >>> band(60_000_050_000, 50_000, 100_000)
    (57000100000, 63000000000)
    """
    return price_range(reference_price_e6, PPM - band_ppm, PPM + band_ppm, tick_e6)


def fee_ceil(notional: int, fee_ppm: int) -> int:
    """Return the fee of a whole notional, rounded up. Source: flat 0.5 %, seed section 6."""
    return ppm_ceil(notional, fee_ppm)
