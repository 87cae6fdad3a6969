"""What a funding result does to positions: rules FUND-020 to FUND-027. Integers only.

Payers pay rounded up, receivers get rounded down; the dust is the insurance fund's. Who cannot pay
out of the position's margin pays out of its unrealised profit; what is missing then comes from the
insurance fund, and last from the receivers, in proportion.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from system.model.units import QTY_SCALE

DELTA_SCALE = 10**14  # size_e8 * per_unit_e12 in uUSDC


class Holding(NamedTuple):
    """A position as funding sees it, in the units of model/position.py."""

    trader: str
    size_e8: int
    cost: int
    margin: int


class Move(NamedTuple):
    """What one position gets (+) or pays (-). `cash` = margin_delta - cost_delta; both are to be added."""

    trader: str
    owed: int  # by the rule, before any shortfall
    cash: int  # what moved
    margin_delta: int
    cost_delta: int  # unrealised profit that was realised to pay; above 0 or 0


class Applied(NamedTuple):
    """A tick's bookings: every move, the fund's and the clearing account's, which sum to zero."""

    moves: list[Move]
    insurance_delta: int
    clearing_delta: int
    dust: int  # of the rule's roundings, before any shortfall
    unpaid: int  # what payers could not pay
    from_insurance: int
    haircut: int  # what receivers did not get


def funding_delta(size_e8: int, per_unit_e12: int) -> int:
    """Return what a position gets (+) or pays (-), in uUSDC, always rounded down.

    >>> funding_delta(333, 10**11), funding_delta(-666, 10**11)
    (-1, 0)
    """
    return -size_e8 * per_unit_e12 // DELTA_SCALE


def residual(deltas: Sequence[int]) -> int:
    """Return what is left when all these are paid out: the other side of the sum."""
    return -sum(deltas)


def cover(missing: int, available: int) -> tuple[int, int]:
    """Split a shortfall into what the insurance fund pays and what is left for the receivers."""
    fund = min(missing, max(0, available))
    return fund, missing - fund


def apply_funding(holdings: Sequence[Holding], per_unit_e12: int, mark_e6: int, insurance: int) -> Applied:
    """Compute a tick's bookings for all positions of a market, in the given order.

    `insurance` is what the fund may pay in this event. Positions are not touched.
    """
    owed = [funding_delta(one.size_e8, per_unit_e12) for one in holdings]
    payers = {
        at: _collect(holding, -delta, mark_e6)
        for at, (holding, delta) in enumerate(zip(holdings, owed, strict=True))
        if delta < 0
    }
    collected = sum(margin + profit for margin, profit in payers.values())
    due = sum(delta for delta in owed if delta > 0)
    from_insurance, haircut = cover(max(0, due - collected), insurance)
    payable = due - haircut
    moves = []
    paid_out = 0
    for at, (holding, delta) in enumerate(zip(holdings, owed, strict=True)):
        if delta < 0:
            margin, profit = payers[at]
            moves.append(Move(holding.trader, delta, -margin - profit, -margin, profit))
            continue
        gets = delta * payable // due if haircut else delta
        paid_out += gets
        moves.append(Move(holding.trader, delta, gets, gets, 0))
    realised = sum(move.cost_delta for move in moves)
    return Applied(
        moves=moves,
        insurance_delta=collected - paid_out,
        clearing_delta=-realised,
        dust=residual(owed),
        unpaid=-sum(delta for delta in owed if delta < 0) - collected,
        from_insurance=from_insurance,
        haircut=due - paid_out,
    )


def _collect(holding: Holding, payment: int, mark_e6: int) -> tuple[int, int]:
    """Return what a payer pays out of margin, and out of profit that is not realised yet."""
    margin = min(payment, max(0, holding.margin))
    profit = holding.size_e8 * mark_e6 // QTY_SCALE - holding.cost
    return margin, min(payment - margin, max(0, profit))
