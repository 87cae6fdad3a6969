"""The double entry of one fill: who pays what, from which account. FEES-001 to FEES-004, FEES-006, MATC-015.

A fill is paid from the holds of its two orders. What a hold no longer needs returns to the
trader at once, so a hold is at every step exactly what is left to pay at worst (I5).
"""

from __future__ import annotations

from typing import NamedTuple

from system.matcher.steps import EndReason, Fill, Posting
from system.model.market import MarketKind, MarketSpec
from system.model.order import BUY, CANCELED, EXPIRED_IN_MATCH, FILLED, Order
from system.model.position import Position
from system.model.trade import MAKER_FLOOR, TAKER_FLOOR
from system.model.units import PPM, QTY_SCALE, fee_step, ppm_ceil
from system.risk.capped import capped_effect
from system.risk.holds import USDC, hold_at, worst_fill_price_e6
from system.risk.positions import FillEffect, fill_effect, option_fill, settle_fill, spot_effect
from system.risk.rebates import rebate_step
from system.risk.redemption import CXPT, issue


def effect_of(
    position: Position, order: Order, price_e6: int, qty_e8: int, spec: MarketSpec, cum_notional: int
) -> FillEffect | None:
    """Compute what a fill would do to the position of one of its sides; None: bankrupt."""
    signed = qty_e8 if order.side == BUY else -qty_e8
    kind = spec.kind
    if kind is MarketKind.SPOT:
        return spot_effect(position, signed, price_e6)
    effect: FillEffect | None
    if kind is MarketKind.OPTION:
        effect = option_fill(position, signed, price_e6, spec.max_payoff_e6)
    elif spec.max_price_e6:
        effect = capped_effect(position, signed, price_e6, spec.max_price_e6)
    else:
        effect = fill_effect(position, signed, price_e6, spec.im_ppm, cum_notional)
    if order.reduce_only and effect is not None:  # what it sets free pays its fee (RISK-028)
        paid = ppm_ceil(cum_notional, spec.fee_ppm)
        fee = fee_step(cum_notional + price_e6 * qty_e8 // QTY_SCALE, paid, spec.fee_ppm)
        if effect.pay_out - effect.margin_in < fee:
            return None
    return effect


def position_after(position: Position, effect: FillEffect) -> Position:
    """Return a copy as the fill would leave it, for a look ahead."""
    return Position(
        trader=position.trader,
        symbol=position.symbol,
        size_e8=effect.size_e8,
        cost=effect.cost,
        margin=effect.margin,
    )


class Party(NamedTuple):
    """One side of a fill about to happen: whose order, on which position, with what effect."""

    order: Order
    position: Position
    effect: FillEffect


def settle(spec: MarketSpec, maker: Party, taker: Party, price_e6: int, qty_e8: int, now_ns: int) -> Fill:
    """Write a fill into both orders and positions and state its postings.

    The leaves of both orders must already be without `qty_e8`.
    """
    resting, arriving = maker.order, taker.order
    notional = price_e6 * qty_e8 // QTY_SCALE
    maker_fee, maker_free = _advance(resting, spec, resting.limit_price_e6, notional, qty_e8, now_ns)
    taker_fee, taker_free = _advance(arriving, spec, worst_fill_price_e6(arriving), notional, qty_e8, now_ns)
    margin = clearing = floors = 0
    postings: tuple[Posting, ...]
    if spec.kind is MarketKind.SPOT:
        postings = (
            *_spot_postings(resting, maker_free, maker_fee, notional, qty_e8, spec.base),
            *_spot_postings(arriving, taker_free, taker_fee, notional, qty_e8, spec.base),
        )
        settle_fill(maker.position, maker.effect, maker_fee)
        settle_fill(taker.position, taker.effect, taker_fee)
    else:
        if spec.im_ppm < PPM and spec.kind is not MarketKind.OPTION:
            sides = ((MAKER_FLOOR, maker), (TAKER_FLOOR, taker))
            floors = sum(bit for bit, party in sides if _rounded_down(party, spec.im_ppm, price_e6, qty_e8))
        postings = (
            _derivative_posting(resting, maker_free, maker_fee, maker.effect),
            _derivative_posting(arriving, taker_free, taker_fee, taker.effect),
        )
        # one after the other: in a permitted self-trade both positions are one object
        for position, effect, fee in (
            (maker.position, maker.effect, maker_fee),
            (taker.position, taker.effect, taker_fee),
        ):
            margin += effect.margin - position.margin
            clearing += position.cost - effect.cost
            settle_fill(position, effect, fee)
        if spec.kind is MarketKind.OPTION:
            clearing = 0  # the premium went from hand to hand
    issued = 0
    if spec.rebate_ppm:
        for order, fee in ((resting, maker_fee), (arriving, taker_fee)):
            rebate, paid = rebate_of(order, fee, spec)
            postings = (*postings, *paid)
            issued += rebate
    return Fill(
        resting,
        arriving,
        price_e6,
        qty_e8,
        notional,
        maker_fee,
        taker_fee,
        maker.position,
        taker.position,
        postings,
        margin,
        maker_fee + taker_fee - issued,
        clearing,
        floors,
        issued,
    )


def rebate_of(order: Order, fee: int, spec: MarketSpec) -> tuple[int, tuple[Posting, ...]]:
    """Return what of a fill's fee backs its order's rebate, and the CXPT that its trader gets. FEES-006."""
    rebate = rebate_step(order.fee_paid - fee, order.fee_paid, spec.rebate_ppm)
    return rebate, (Posting(order.trader, CXPT, issue(rebate).supply_e8, 0),) if rebate else ()


def _rounded_down(party: Party, im_ppm: int, price_e6: int, qty_e8: int) -> bool:
    """Tell whether the margin of what a fill opens is less than that of its own notional, rounded up."""
    size, closed = party.position.size_e8, 0
    if size and (size > 0) != (party.order.side == BUY):
        closed = min(abs(size), qty_e8)
    opened = price_e6 * qty_e8 // QTY_SCALE - price_e6 * closed // QTY_SCALE
    return party.effect.margin_in < ppm_ceil(opened, im_ppm)


def settle_against(
    spec: MarketSpec, maker: Party, price_e6: int, qty_e8: int, now_ns: int
) -> tuple[Posting, int, int, int]:
    """Write the resting side of a forced close; return (posting, fee, margin, clearing) of it."""
    order, position, effect = maker.order, maker.position, maker.effect
    notional = price_e6 * qty_e8 // QTY_SCALE
    fee, free = _advance(order, spec, order.limit_price_e6, notional, qty_e8, now_ns)
    posting = _derivative_posting(order, free, fee, effect)
    margin, clearing = effect.margin - position.margin, position.cost - effect.cost
    settle_fill(position, effect, fee)
    return posting, fee, margin, clearing


def _advance(
    order: Order, spec: MarketSpec, next_price_e6: int, notional: int, qty_e8: int, now_ns: int
) -> tuple[int, int]:
    """Count a fill into its order; return the fee of it and what its hold set free."""
    order.cum_qty_e8 += qty_e8
    order.cum_notional += notional
    fee = -(-order.cum_notional * spec.fee_ppm // PPM) - order.fee_paid
    order.fee_paid += fee
    order.updated_ns = now_ns
    leaves = order.leaves_e8
    hold = hold_at(order, spec, next_price_e6, leaves) if leaves else 0
    released = order.hold - hold
    order.hold = hold
    if not leaves:
        if order.cum_qty_e8 == order.qty_e8:
            order.status = FILLED
        elif order.reduce_only:  # its excess over the position had been cut off before
            order.status, order.reason = CANCELED, EndReason.REDUCE_ONLY.value
        else:
            order.status, order.reason = EXPIRED_IN_MATCH, EndReason.SELF_TRADE.value
    return fee, released


def _derivative_posting(order: Order, released: int, fee: int, effect: FillEffect) -> Posting:
    change = released - fee - effect.margin_in + effect.pay_out
    # I5: a hold is never short; only where it is empty, or for a writer's fee, the pay-out serves
    assert change >= 0, (order.uuid, released, fee, effect)
    return Posting(order.trader, USDC, change, -released)


def _spot_postings(
    order: Order, released: int, fee: int, notional: int, qty_e8: int, base: str
) -> tuple[Posting, Posting]:
    if order.side == BUY:
        change = released - fee - notional
        assert change >= 0, (order.uuid, released, fee, notional)
        return Posting(order.trader, USDC, change, -released), Posting(order.trader, base, qty_e8, 0)
    assert released >= qty_e8, (order.uuid, released, qty_e8)
    return (
        Posting(order.trader, USDC, notional - fee, 0),
        Posting(order.trader, base, released - qty_e8, -released),
    )


def release_to(order: Order, hold: int) -> tuple[Posting, ...]:
    """Lower an order's hold and state what returns to its trader."""
    released = order.hold - hold
    if not released:
        return ()
    assert released > 0, (order.uuid, order.hold, hold)
    order.hold = hold
    return (Posting(order.trader, order.hold_asset, released, -released),)
