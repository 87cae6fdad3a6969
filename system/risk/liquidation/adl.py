"""Auto-deleveraging: who on the other side is closed, and by how much. ADEL-001 to ADEL-007.

What no order and no fund could close is closed against opposing positions at the bankrupt's
bankruptcy price, without a fee. The policy matters: which one ran, what it closed and what it
took beyond the deficit are reported by every run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

import msgspec

from system.model.units import QTY_SCALE
from system.risk.margin import equity_e8


class Candidate(msgspec.Struct, frozen=True):
    """An opposing position; `seq` is when it was opened and breaks ties."""

    seq: int
    size_e8: int
    cost: int
    margin: int


class Stake(msgspec.Struct, frozen=True):
    """What an allocation needs of a candidate."""

    seq: int
    held_e8: int
    score: Fraction


def score(one: Candidate, mark_e6: int) -> Fraction:
    """Rank by profit and leverage. Source: BitMEX. Rule: ADEL-001.

    Profit share times effective leverage when in profit, divided by it when not; effective
    leverage is the position's value at the mark over its equity.
    """
    equity = equity_e8(one.size_e8, one.cost, one.margin, mark_e6)
    value = abs(one.size_e8) * mark_e6
    if equity <= 0 or not value:
        return Fraction(-(10**18))  # bankrupt itself: after everybody else
    profit = equity - one.margin * QTY_SCALE
    share = Fraction(profit, max(1, abs(one.cost)) * QTY_SCALE)
    leverage = Fraction(value, equity)
    return share * leverage if profit > 0 else Fraction(share, leverage)


def can_close_at(one: Candidate, price_e6: int) -> bool:
    """Say whether a candidate, and so any part of it, survives a close at this price. Rule: ADEL-003."""
    return equity_e8(one.size_e8, one.cost, one.margin, price_e6) >= 0


def allocate_ranked(stakes: Sequence[Stake], qty_e8: int, lot_e8: int = 1) -> list[int]:
    """Close the highest score wholly, then the next; ties by seq. Rule: ADEL-001."""
    closed = [0] * len(stakes)
    for at in sorted(range(len(stakes)), key=lambda at: (-stakes[at].score, stakes[at].seq)):
        closed[at] = min(qty_e8, stakes[at].held_e8)
        qty_e8 -= closed[at]
    return closed


def allocate_pro_rata(stakes: Sequence[Stake], qty_e8: int, lot_e8: int = 1) -> list[int]:
    """Close everybody by the same share, in lots; left-over lots by largest remainder, then seq. ADEL-002."""
    total = sum(one.held_e8 for one in stakes)
    qty_e8 = min(qty_e8, total)
    if not qty_e8:
        return [0] * len(stakes)
    closed = [one.held_e8 * qty_e8 // (total * lot_e8) * lot_e8 for one in stakes]
    left = qty_e8 - sum(closed)
    order = sorted(
        range(len(stakes)), key=lambda at: (closed[at] * total - stakes[at].held_e8 * qty_e8, stakes[at].seq)
    )
    while left:
        for at in order:
            step = min(lot_e8, left, stakes[at].held_e8 - closed[at])
            closed[at] += step
            left -= step
    return closed


Allocation = Callable[[Sequence[Stake], int, int], list[int]]
POLICIES: dict[str, Allocation] = {"ranked": allocate_ranked, "pro_rata": allocate_pro_rata}


class Deleveraged(msgspec.Struct, frozen=True):
    """How much of each candidate closes, in the order given, and what remains that nobody can take."""

    closed_e8: tuple[int, ...]
    left_e8: int


def deleverage(
    candidates: Sequence[Candidate], qty_e8: int, price_e6: int, mark_e6: int, policy: str, lot_e8: int
) -> Deleveraged:
    """Choose who closes at `price_e6`, by a policy of POLICIES. Rules: ADEL-001 to ADEL-003."""
    able = [at for at, one in enumerate(candidates) if can_close_at(one, price_e6)]
    stakes = [
        Stake(candidates[at].seq, abs(candidates[at].size_e8), score(candidates[at], mark_e6)) for at in able
    ]
    closed = [0] * len(candidates)
    for at, qty in zip(able, POLICIES[policy](stakes, qty_e8, lot_e8), strict=True):
        closed[at] = qty
    return Deleveraged(tuple(closed), qty_e8 - sum(closed))


def taken(closed_e8: int, is_long: bool, price_e6: int, mark_e6: int) -> int:
    """Return what closing an opposing position at the price instead of the mark takes from it. ADEL-006.

    `is_long` is the deleveraged side; negative when the close is better than the mark.
    """
    worse = mark_e6 - price_e6 if is_long else price_e6 - mark_e6
    return worse * closed_e8 // QTY_SCALE


def overshoot(haircut_taken: int, deficit: int) -> int:
    """Return what auto-deleveraging took beyond the deficit that it had to cover. Rule: ADEL-006.

    The deficit is what the bankrupt position lacked at the mark after the fund has paid. 0 when
    all of it closes at its bankruptcy price and the fund is empty. Source: arXiv 2512.01112.
    """
    return haircut_taken - max(0, deficit)
