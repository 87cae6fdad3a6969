"""May this order enter? Step 3 of docs/walk.md, rules RISK-001 to RISK-009. Integers only."""

from __future__ import annotations

from system.model.errors import Rejected, RejectReason
from system.model.market import MarketKind, MarketSpec, MarketState
from system.model.order import BUY, Order
from system.model.units import QTY_SCALE
from system.risk.holds import band

WIDE_LOW_DIVISOR = 5  # a passive BUY below reference x 0.2 is a typing error
WIDE_HIGH_FACTOR = 5  # a passive SELL above reference x 5 as well
PPM_PER_BPS = 100


def accept(
    order: Order, spec: MarketSpec, state: MarketState, reference_price_e6: int, now_ns: int
) -> Rejected | None:
    """Return why an order may not enter its market, or None when it may.

    `reference_price_e6` is the mark price (the index where there is no mark yet), 0 when unknown.
    The order of the checks is part of the rule: the first failure is the one reported.
    """
    if order.symbol != spec.symbol:
        return Rejected(RejectReason.UNKNOWN_SYMBOL, "symbol", f"expected {spec.symbol}, was {order.symbol}")
    if state is not MarketState.ACTIVE and not (state.admits_makers and order.tif in ("GTC", "GTT")):
        return Rejected(RejectReason.EXCHANGE_CLOSED, "symbol", f"{spec.symbol} is {state.value}")
    plain = order.order_type == "LIMIT" and not (order.post_only or order.reduce_only or order.stp)
    return (
        (None if plain else _flags(order, spec))  # a plain order has none
        or _numbers(order, spec)
        or _price(order, spec, reference_price_e6)
        or _terms(order, spec.fee_ppm, now_ns)
    )


def _flags(order: Order, spec: MarketSpec) -> Rejected | None:
    """Flags that exclude each other (RISK-007)."""
    market = order.order_type == "MARKET"
    if market and order.tif != "IOC":
        return Rejected(RejectReason.INCOMPATIBLE_FLAGS, "tif", f"a MARKET order is IOC, was {order.tif}")
    if order.post_only and (market or order.reduce_only or order.tif in ("IOC", "FOK")):
        return Rejected(
            RejectReason.INCOMPATIBLE_FLAGS,
            "post_only",
            "expected neither MARKET, IOC, FOK nor reduce_only beside post_only",
        )
    if order.reduce_only and spec.kind is MarketKind.SPOT:
        return Rejected(RejectReason.INCOMPATIBLE_FLAGS, "reduce_only", "a spot market has no positions")
    if order.stp == "NONE" and spec.settlement == "chain":
        detail = f"{spec.symbol} is settled on chain, where nobody may trade with himself"
        return Rejected(RejectReason.INCOMPATIBLE_FLAGS, "stp", detail)
    if order.trigger_e6 and (order.trigger_e6 < 0 or order.trigger_e6 % spec.tick_e6):
        detail = f"expected a multiple of {spec.tick_e6}, was {order.trigger_e6}"
        return Rejected(RejectReason.INCORRECT_TICK, "trigger_e6", detail)
    return None


def _numbers(order: Order, spec: MarketSpec) -> Rejected | None:
    """Tick, lot, smallest notional, largest quantity (RISK-002 to RISK-004)."""
    price = order.limit_price_e6
    qty = order.qty_e8
    if price <= 0 or price % spec.tick_e6:
        return Rejected(
            RejectReason.INCORRECT_TICK,
            "limit_price_e6",
            f"expected multiple of {spec.tick_e6}, was {price}",
        )
    if qty <= 0 or qty % spec.lot_e8:
        return Rejected(
            RejectReason.INCORRECT_QUANTITY, "qty_e8", f"expected a multiple of {spec.lot_e8}, was {qty}"
        )
    if qty > spec.max_order_e8:
        return Rejected(
            RejectReason.ORDER_EXCEEDS_LIMIT, "qty_e8", f"expected at most {spec.max_order_e8}, was {qty}"
        )
    # a trader must always be able to close what is left of a position, however small
    if price * qty < spec.min_notional * QTY_SCALE and not order.reduce_only:
        return Rejected(
            RejectReason.INCORRECT_QUANTITY,
            "qty_e8",
            f"expected a notional of {spec.min_notional} or more",
        )
    return None


def _price(order: Order, spec: MarketSpec, reference_price_e6: int) -> Rejected | None:
    """The band on the aggressive side, a wide filter on the passive side (RISK-005, RISK-006)."""
    if spec.kind is MarketKind.OPTION:
        most = spec.max_payoff_e6
        if order.limit_price_e6 <= most:
            return None
        return Rejected(
            RejectReason.PRICE_BAND, "limit_price_e6", f"expected at most {most}, the largest payoff"
        )
    if reference_price_e6 <= 0:
        return Rejected(RejectReason.NO_REFERENCE_PRICE, "symbol", f"{spec.symbol} has no price yet")
    price = order.limit_price_e6
    if spec.max_price_e6 and price > spec.max_price_e6:
        detail = f"expected at most {spec.max_price_e6}, the highest price, was {price}"
        return Rejected(RejectReason.PRICE_BAND, "limit_price_e6", detail)
    lower, upper = band(reference_price_e6, spec.band_ppm, spec.tick_e6)
    if order.side == BUY:
        if price > upper:
            return Rejected(RejectReason.PRICE_BAND, "limit_price_e6", f"expected <= {upper}, was {price}")
        if price * WIDE_LOW_DIVISOR < reference_price_e6:
            return Rejected(
                RejectReason.PRICE_BAND, "limit_price_e6", f"expected a fifth of {reference_price_e6} or more"
            )
        return None
    if price < lower:
        return Rejected(RejectReason.PRICE_BAND, "limit_price_e6", f"expected >= {lower}, was {price}")
    if price > reference_price_e6 * WIDE_HIGH_FACTOR:
        return Rejected(
            RejectReason.PRICE_BAND, "limit_price_e6", f"expected five times {reference_price_e6} or less"
        )
    return None


def _terms(order: Order, fee_ppm: int, now_ns: int) -> Rejected | None:
    """What was signed: an expiry in the future, a fee that covers ours (RISK-008, RISK-009)."""
    if order.tif == "GTT" and not order.expire_ns:
        return Rejected(RejectReason.BAD_REQUEST, "expire_s", "expected an expiry for GTT, was 0")
    if order.expire_ns and order.expire_ns <= now_ns:
        return Rejected(RejectReason.EXPIRED, "expire_s", f"expected after {now_ns}, was {order.expire_ns}")
    if order.max_fee_bps * PPM_PER_BPS < fee_ppm:
        return Rejected(
            RejectReason.FEE_ABOVE_SIGNED,
            "max_fee_bps",
            f"expected {fee_ppm} ppm, was {order.max_fee_bps} bps",
        )
    return None
