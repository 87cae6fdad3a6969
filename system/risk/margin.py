"""What a position is worth, what it must be worth, and the prices where it stops: RISK-030 to RISK-039.

Isolated margin: a position (size, signed cost, margin) answers for itself and for nothing else.
Everything is decided on integers scaled by 1e8, so no comparison is ever rounded.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from system.model.errors import Rejected, RejectReason
from system.model.units import PPM, QTY_SCALE, div_ceil, ppm_ceil

HIGHEST_PRICE_E6 = 10**21  # where a search for a price gives up; a real one is far below


class MaintenanceBasis(StrEnum):
    """On which value the maintenance margin is taken."""

    MARK = "mark"  # dYdX, Binance
    ENTRY = "entry"  # Bybit's linear contracts: preset mm_on_entry


def equity_e8(size_e8: int, cost: int, margin: int, mark_e6: int) -> int:
    """Return margin plus unrealised profit at a mark, in 1e-8 uUSDC, exact. Rule: RISK-030.

    >>> equity_e8(-10**8, -60_000_000_000, 6_000_000_000, 61_000_000_000) // 10**8
    5000000000
    """
    return QTY_SCALE * (margin - cost) + size_e8 * mark_e6


def unrealised(size_e8: int, cost: int, mark_e6: int) -> int:
    """Return what closing at the mark would bring, in uUSDC; exact when the mark is a legal price."""
    return size_e8 * mark_e6 // QTY_SCALE - cost


def is_liquidatable(
    size_e8: int,
    cost: int,
    margin: int,
    mark_e6: int,
    mm_ppm: int,
    basis: MaintenanceBasis = MaintenanceBasis.MARK,
) -> bool:
    """Say whether equity is below the maintenance margin; at it, it is not. Rule: RISK-031."""
    value = abs(size_e8) * mark_e6 if basis is MaintenanceBasis.MARK else abs(cost) * QTY_SCALE
    return PPM * equity_e8(size_e8, cost, margin, mark_e6) < mm_ppm * value


def liquidation_price_e6(
    size_e8: int,
    cost: int,
    margin: int,
    mm_ppm: int,
    basis: MaintenanceBasis = MaintenanceBasis.MARK,
) -> int:
    """Return the last safe price: liquidated below it when long, above it when short. Rule: RISK-032.

    0 for a long that no price can liquidate.

    >>> liquidation_price_e6(10**8, 60_000_000_000, 6_000_000_000, 50_000)
    56842105264
    """
    owed = cost - margin  # what must come in, or with the other sign what may at most go out
    held = abs(size_e8)
    if basis is MaintenanceBasis.ENTRY:
        needed = QTY_SCALE * (PPM * owed + mm_ppm * abs(cost))
        edge = div_ceil(needed, PPM * held) if size_e8 > 0 else -needed // (PPM * held)
    elif size_e8 > 0:
        edge = div_ceil(owed * QTY_SCALE * PPM, held * (PPM - mm_ppm))
    else:
        edge = -owed * QTY_SCALE * PPM // (held * (PPM + mm_ppm))
    return max(0, edge)


def bankruptcy_price_e6(size_e8: int, cost: int, margin: int, tick_e6: int) -> int:
    """Return the worst legal price at which closing everything leaves nothing owed. Rule: RISK-033.

    >>> bankruptcy_price_e6(-10**8, -60_000_000_000, 6_000_000_000, 100_000)
    66000000000
    """
    owed = cost - margin
    if size_e8 > 0:
        return max(0, div_ceil(owed * QTY_SCALE, size_e8 * tick_e6) * tick_e6)
    return max(0, owed * QTY_SCALE // (size_e8 * tick_e6) * tick_e6)


def last_safe_price_e6(is_long: bool, is_safe: Callable[[int], bool]) -> int:
    """Search the last safe price of any margin schedule that is monotone in the price. Rule: RISK-036.

    The smallest safe price of a long, the largest of a short (0 when none is).
    """
    low, high = 0, HIGHEST_PRICE_E6
    if is_long:
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if is_safe(middle) else (middle + 1, high)
        return low
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if is_safe(middle) else (low, middle - 1)
    return low


def removable(size_e8: int, cost: int, margin: int, mark_e6: int, im_ppm: int) -> int:
    """Return how much margin may leave: what equity has above the initial margin. Rule: RISK-034.

    The initial margin is taken on the larger of entry and mark value, so that a profit that is
    not realised cannot be spent twice.
    """
    if not size_e8:
        return margin
    value_e8 = max(abs(size_e8) * mark_e6, abs(cost) * QTY_SCALE)
    spare = (PPM * equity_e8(size_e8, cost, margin, mark_e6) - im_ppm * value_e8) // (PPM * QTY_SCALE)
    return max(0, min(spare, margin))


def add_margin(margin: int, amount: int, available: int) -> int | Rejected:
    """Return the margin after adding to it from what is available. Rule: RISK-035."""
    if amount <= 0:
        return Rejected(RejectReason.BAD_REQUEST, "amount", f"expected above 0, was {amount}")
    if amount > available:
        return Rejected(
            RejectReason.INSUFFICIENT_FUNDS, "amount", f"expected at most {available}, was {amount}"
        )
    return margin + amount


def remove_margin(
    size_e8: int, cost: int, margin: int, amount: int, mark_e6: int, im_ppm: int
) -> int | Rejected:
    """Return the margin after taking from it, or why it must stay. Rule: RISK-034."""
    if amount <= 0:
        return Rejected(RejectReason.BAD_REQUEST, "amount", f"expected above 0, was {amount}")
    most = removable(size_e8, cost, margin, mark_e6, im_ppm)
    if amount > most:
        return Rejected(RejectReason.INSUFFICIENT_FUNDS, "amount", f"expected at most {most}, was {amount}")
    return margin - amount


def initial_margin(notional: int, im_ppm: int) -> int:
    """Return the margin of a new position, rounded up."""
    return ppm_ceil(notional, im_ppm)


def average_entry_e6(size_e8: int, cost: int) -> int:
    """Return what a unit of an open position cost, rounded down; for display only."""
    return cost * QTY_SCALE // size_e8


def return_ppm(profit: int, margin: int) -> int:
    """Return a profit as a share of the margin it was made with, in ppm, toward zero; for display only.

    >>> return_ppm(1_800, 3_300)
    545454
    """
    return (profit * PPM // margin) if profit >= 0 else -(-profit * PPM // margin)


def realise(cost: int, margin: int, amount: int) -> tuple[int, int]:
    """Move unrealised profit into the margin: (cost, margin) after it. Rule: RISK-037.

    Equity stays, and the clearing account, minus the sum of costs, pays what the margin receives.
    """
    return cost + amount, margin + amount
