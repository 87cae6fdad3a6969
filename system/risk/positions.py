"""What a fill does to a position: step 6 of docs/walk.md, rules RISK-010 to RISK-016.

A position is (size, signed cost, margin). A fill adds to it, reduces it, or turns it over
(first a reduction to zero, then an addition). Rounding never breaks conservation: the profit
that is paid out is by definition what the cost sums lack.
"""

from __future__ import annotations

from typing import NamedTuple

from system.model.position import Position
from system.model.units import PPM, QTY_SCALE, ppm_ceil
from system.risk.options import option_effect


class FillEffect(NamedTuple):
    """A position after a fill, and the cash that moves for it. Units: uUSDC, size_e8 1e-8 base."""

    size_e8: int
    cost: int
    margin: int
    margin_in: int  # from the order's hold into the position
    pay_out: int  # from the position to the trader's available balance, never negative
    realised: int  # profit (+) or loss (-) of the closed part


def fill_effect(
    position: Position, signed_qty_e8: int, price_e6: int, im_ppm: int, cum_notional: int = 0
) -> FillEffect | None:
    """Compute a derivative fill without applying it; None when it would bankrupt the position.

    A loss above the released margin is taken from the margin that remains; when that does not
    suffice either, the fill must not happen (RISK-014). `cum_notional` is what the order has
    traded before: margin, like the fee, is one rounded-up amount per order (RISK-011).

    >>> ann = Position(trader="ann", symbol="BTC-PERP", size_e8=3, cost=100, margin=100)
    >>> fill_effect(ann, -1, 40 * 10**8, 1_000_000)
    FillEffect(size_e8=2, cost=66, margin=67, margin_in=0, pay_out=39, realised=6)
    """
    size = position.size_e8
    if size and (size > 0) != (signed_qty_e8 > 0):
        return _reduce(position, signed_qty_e8, price_e6, im_ppm, cum_notional)
    notional = price_e6 * abs(signed_qty_e8) // QTY_SCALE
    margin_in = margin_step(cum_notional, notional, im_ppm)
    return FillEffect(
        size + signed_qty_e8,
        position.cost + (notional if signed_qty_e8 > 0 else -notional),
        position.margin + margin_in,
        margin_in,
        0,
        0,
    )


def margin_step(cum_notional: int, notional: int, im_ppm: int) -> int:
    """Return the margin of the next `notional` of an order that has traded `cum_notional`.

    Telescoping: the steps of an order add up to one rounded-up margin, which is what it held.

    >>> [margin_step(done, 1, 100_000) for done in range(3)]
    [1, 0, 0]
    """
    if im_ppm == PPM:
        return notional
    return ppm_ceil(cum_notional + notional, im_ppm) - ppm_ceil(cum_notional, im_ppm)


def _reduce(
    position: Position, signed_qty_e8: int, price_e6: int, im_ppm: int, cum_notional: int
) -> FillEffect | None:
    size, cost, margin = position.size_e8, position.cost, position.margin
    held = abs(size)
    qty = abs(signed_qty_e8)
    closed = min(held, qty)
    direction = 1 if signed_qty_e8 > 0 else -1
    notional = price_e6 * closed // QTY_SCALE
    released_cost = -(-cost * closed // held)  # ceil of a signed number: floors the profit
    realised = -released_cost - direction * notional
    freed = margin * closed // held
    pay_out = freed + realised
    margin -= freed
    if pay_out < 0:
        margin += pay_out
        pay_out = 0
        if margin < 0:
            return None
    size += direction * closed
    cost -= released_cost
    margin_in = 0
    opened = qty - closed
    if opened:
        opened_notional = price_e6 * opened // QTY_SCALE
        margin_in = margin_step(cum_notional + notional, opened_notional, im_ppm)
        size = direction * opened
        cost = direction * opened_notional
        margin += margin_in
    return FillEffect(size, cost, margin, margin_in, pay_out, realised)


def option_fill(position: Position, signed_qty_e8: int, price_e6: int, max_payoff_e6: int) -> FillEffect:
    """Compute an option fill as cash in and out: the premium moves with the lock (OPTN-004, OPTN-005)."""
    done = option_effect(position.size_e8, position.cost, signed_qty_e8, price_e6, max_payoff_e6)
    paid_in, paid_out = max(0, -done.premium), max(0, done.premium)
    return FillEffect(
        done.size_e8, done.cost, done.lock, paid_in + done.lock_in, paid_out + done.lock_out, done.realised
    )


def spot_effect(position: Position, signed_qty_e8: int, price_e6: int) -> FillEffect:
    """Compute a spot fill: the row only counts size and cost; cash and base move at once."""
    notional = price_e6 * signed_qty_e8 // QTY_SCALE
    return FillEffect(position.size_e8 + signed_qty_e8, position.cost + notional, 0, 0, 0, 0)


def settle_fill(position: Position, effect: FillEffect, fee: int) -> None:
    """Write a computed fill into the position; its version counts commits, not fills."""
    position.size_e8 = effect.size_e8
    position.cost = effect.cost
    position.margin = effect.margin
    position.realised += effect.realised
    position.fees += fee
    position.trades += 1


def closable_e8(position: Position | None, is_buy: bool) -> int:
    """Return how much of the position an order of this side can close."""
    if position is None:
        return 0
    size = position.size_e8
    return max(0, -size) if is_buy else max(0, size)
