"""The money of one forced close: LIQU-010 to LIQU-016.

Counterparties are paid first, at the trade price; then the liquidation fee, to the fund; then the
protocol fee; the rest is the trader's. Fees are only taken from what is left, so no fee ever
makes a debt. After a partial close the trader's rest stays in the margin.
"""

from __future__ import annotations

from fractions import Fraction

import msgspec

from system.model.units import PPM, QTY_SCALE, div_ceil, ppm_ceil
from system.risk.insurance import Fund, receive, write_off


class CloseOut(msgspec.Struct, frozen=True):
    """A position after a forced close, and who was paid. Units: uUSDC, size_e8 1e-8 base.

    Conservation, to the unit: margin before + realised
    = margin + insurance + fee + pay_out - deficit.
    """

    size_e8: int
    cost: int
    margin: int
    notional: int
    realised: int
    equity: int  # of the closed part, after its counterparty; negative beyond the bankruptcy price
    insurance: int  # liquidation fee, to the fund
    fee: int  # to FEES
    pay_out: int  # to the trader, only when nothing is left open
    deficit: int  # what the fund, or somebody after it, must pay


def close_out(
    size_e8: int,
    cost: int,
    margin: int,
    qty_e8: int,
    price_e6: int,
    *,
    liq_fee_ppm: int = 0,
    fee_ppm: int = 0,
    residual_to_fund: bool = False,
) -> CloseOut:
    """Compute the forced close of `qty_e8` of a position at a price. Rules: LIQU-010 to LIQU-012.

    The closed part takes its share of cost and margin, both rounded up, so that at the bankruptcy
    price or better nothing is owed, whatever part is closed. With `residual_to_fund` all that is
    left is the fund's (BitMEX, and the exchange's own inventory).
    """
    held = abs(size_e8)
    direction = 1 if size_e8 < 0 else -1  # of the closing fill
    notional = price_e6 * qty_e8 // QTY_SCALE
    released = div_ceil(cost * qty_e8, held)
    freed = div_ceil(margin * qty_e8, held)
    realised = -released - direction * notional
    equity = freed + realised
    left = max(0, equity)
    insurance = left if residual_to_fund else min(ppm_ceil(notional, liq_fee_ppm), left)
    fee = min(ppm_ceil(notional, fee_ppm), left - insurance)
    rest = left - insurance - fee
    closed_all = qty_e8 == held
    return CloseOut(
        size_e8 + direction * qty_e8,
        cost - released,
        margin - freed + (0 if closed_all else rest),
        notional,
        realised,
        equity,
        insurance,
        fee,
        rest if closed_all else 0,
        max(0, -equity),
    )


class Covered(msgspec.Struct, frozen=True):
    """Where a close left the fund, and what of its loss the fund and bad debt took. Units: uUSDC."""

    fund: Fund
    paid: int  # to be taken off the event's allowance
    written_off: int


def cover(fund: Fund, close: CloseOut) -> Covered:
    """Book a close in the fund: its income, or its deficit. Rule: LIQU-015."""
    after = write_off(fund, close.deficit)
    written_off = after.bad_debt - fund.bad_debt
    return Covered(receive(after, close.insurance), close.deficit - written_off, written_off)


class InventoryFill(msgspec.Struct, frozen=True):
    """The exchange's own position after it took one over; `realised` is the fund's, good or bad."""

    size_e8: int
    cost: int
    realised: int


def add_inventory(size_e8: int, cost: int, signed_qty_e8: int, price_e6: int) -> InventoryFill:
    """Compute the exchange's side of a take-over: what it holds opposite is closed first. Rule: LIQU-016."""
    qty = abs(signed_qty_e8)
    closed = min(qty, abs(size_e8)) if (size_e8 > 0) != (signed_qty_e8 > 0) else 0
    realised = 0
    if closed:
        close = close_out(size_e8, cost, 0, closed, price_e6)
        size_e8, cost, realised = close.size_e8, close.cost, close.realised
    opened = qty - closed
    direction = 1 if signed_qty_e8 > 0 else -1
    return InventoryFill(
        size_e8 + direction * opened, cost + direction * (price_e6 * opened // QTY_SCALE), realised
    )


def shortage_qty(
    shortage: int,
    price_e6: int,
    im_target_ppm: int,
    liq_fee_ppm: int,
    fee_ppm: int = 0,
    quote_price_e6: int = PPM,
) -> Fraction | None:
    """Return the exact base quantity whose close makes up a shortage of margin. Rule: LIQU-013.

    Each unit closed needs `im_target` less and costs the liquidation fee; the other fee is on
    USDC's face value (`quote_price_e6`, 1 unless USDC has lost its peg). None when closing costs
    more than it frees. Source: Drift.
    """
    freed = price_e6 * (quote_price_e6 * (im_target_ppm - liq_fee_ppm) - PPM * fee_ppm)
    if freed <= 0:
        return None
    return Fraction(shortage * PPM * PPM, freed)


def partial_qty_e8(
    shortage: int, price_e6: int, im_target_ppm: int, cost_ppm: int, lot_e8: int, held_e8: int
) -> int:
    """Return how much to close so that the rest has its target margin, in whole lots. Rule: LIQU-013.

    >>> partial_qty_e8(500_000_000, 57_000_000_000, 100_000, 15_000, 10_000, 10**8)
    10320000
    """
    exact = shortage_qty(shortage, price_e6, im_target_ppm, cost_ppm)
    if exact is None:
        return held_e8
    lots = div_ceil(exact.numerator * QTY_SCALE, exact.denominator * lot_e8)
    return min(held_e8, lots * lot_e8)


def fund_limit_price_e6(bankruptcy_e6: int, qty_e8: int, allowance: int, is_long: bool, tick_e6: int) -> int:
    """Return the worst price at which a close costs the fund no more than `allowance`. Rule: LIQU-014."""
    room = allowance * QTY_SCALE // (qty_e8 * tick_e6) * tick_e6
    return max(0, bankruptcy_e6 - room) if is_long else bankruptcy_e6 + room
