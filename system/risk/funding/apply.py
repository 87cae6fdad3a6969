"""What a funding result does to positions: rules FUND-020 to FUND-027. Integers only.

Payers pay rounded up, receivers get rounded down; the dust is the insurance fund's. Who cannot pay
out of the position's margin pays out of its unrealised profit; what is missing then comes from the
insurance fund, and last from the receivers, in proportion.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from system.model.units import QTY_SCALE
from system.risk.insurance import Fund, receive, share_deficit

DELTA_SCALE = 10**14  # size_e8 * per_unit_e12 in uUSDC


class Holding(NamedTuple):
    """A position as funding sees it, in the units of model/position.py."""

    trader: str
    size_e8: int
    cost: int
    margin: int


class Move(NamedTuple):
    """What one position gets (+) or pays (-). Margin and cost change by the two deltas."""

    trader: str
    owed: int  # by the rule, before any shortfall
    cash: int  # what moved: margin_delta - cost_delta
    margin_delta: int
    cost_delta: int  # unrealised profit that was realised to pay; never below 0


class Applied(NamedTuple):
    """A tick's bookings.

    Margins, the fund less its bad debt, and the clearing account change by amounts that sum to zero.
    """

    moves: list[Move]
    fund: Fund
    clearing_delta: int
    dust: int  # of the rule's roundings, before any shortfall
    unpaid: int  # what payers could not pay
    from_insurance: int
    haircut: int  # what receivers did not get
    written_off: int  # bad debt, where haircuts are off


def funding_delta(size_e8: int, per_unit_e12: int) -> int:
    """Return what a position gets (+) or pays (-), in uUSDC, always rounded down.

    >>> funding_delta(333, 10**11), funding_delta(-666, 10**11)
    (-1, 0)
    """
    return -size_e8 * per_unit_e12 // DELTA_SCALE


def residual(deltas: Sequence[int]) -> int:
    """Return what is left when all these are paid out: the other side of the sum."""
    return -sum(deltas)


def apply_funding(
    holdings: Sequence[Holding],
    per_unit_e12: int,
    mark_e6: int,
    fund: Fund,
    allowance: int,
    *,
    haircuts: bool = True,
) -> Applied:
    """Compute a tick's bookings for all positions of a market, in the given order; none is touched.

    `allowance` is what the fund may pay in this event; without haircuts it pays whatever it has.
    """
    owed = [funding_delta(one.size_e8, per_unit_e12) for one in holdings]
    paid = [
        _collect(one, -delta, mark_e6) if delta < 0 else (0, 0)
        for one, delta in zip(holdings, owed, strict=True)
    ]
    collected = sum(margin + profit for margin, profit in paid)
    gains = [max(0, delta) for delta in owed]
    deficit = sum(gains) - collected
    insurance = haircut = written_off = 0
    if deficit <= 0:
        fund = receive(fund, -deficit)
    else:
        shared = share_deficit(fund, deficit, gains, allowance, haircuts)
        fund, insurance, written_off = shared.fund, shared.insurance, shared.written_off
        haircut = sum(gains) - sum(shared.gains)
        gains = list(shared.gains)
    moves = [
        Move(one.trader, delta, gain - margin - profit, gain - margin, profit)
        for one, delta, gain, (margin, profit) in zip(holdings, owed, gains, paid, strict=True)
    ]
    return Applied(
        moves=moves,
        fund=fund,
        clearing_delta=-sum(profit for _, profit in paid),
        dust=residual(owed),
        unpaid=-sum(min(0, delta) for delta in owed) - collected,
        from_insurance=insurance,
        haircut=haircut,
        written_off=written_off,
    )


def _collect(holding: Holding, payment: int, mark_e6: int) -> tuple[int, int]:
    """Return what a payer pays out of margin, and out of profit that is not realised yet."""
    margin = min(payment, max(0, holding.margin))
    profit = holding.size_e8 * mark_e6 // QTY_SCALE - holding.cost
    return margin, min(payment - margin, max(0, profit))
