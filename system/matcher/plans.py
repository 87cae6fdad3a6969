"""Carrying out what was decided for many positions at once: funding, settlement. CLRH-003, CLRH-004.

The decision is stored with the first of its moves and each moved position names it, so that a
successor goes on where a matcher died. In between the clearing account holds what is under way.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from system.matcher.house import INVENTORY, Plan, PlannedMove
from system.matcher.lifecycle import enter
from system.matcher.steps import Accounts, Alerted, Moved, Posting, Step
from system.model.market import MarketState
from system.risk.holds import USDC

if TYPE_CHECKING:
    from system.matcher.matching import Engine


def carry_out(engine: Engine, plan: Plan) -> Iterator[Step]:
    """Move every position that this plan has not moved yet, then close its accounts."""
    house = engine.house
    for move in plan.moves:
        if engine.position(move.trader).plan != plan.number:
            yield _move(engine, move, plan)
            if plan.closes:
                yield Alerted(engine.position(move.trader), house.state.settle_e6, "SETTLED")
    accounts = house.book_fund(plan.fund)
    house.state.plan = None
    house.changed = True
    if accounts.total:
        yield Moved(None, (), 0, _balanced(accounts, accounts.total))
    if plan.closes:
        yield enter(engine, MarketState.CLOSED)


def _move(engine: Engine, move: PlannedMove, plan: Plan) -> Step:
    position = engine.position(move.trader)
    after_e8 = position.size_e8 + move.size_e8
    engine.open_interest_e8 += max(after_e8, 0) - max(position.size_e8, 0)
    position.size_e8 = after_e8
    position.cost += move.cost
    position.margin += move.margin
    position.realised += move.realised
    position.fees += move.fee
    position.adjusted += move.adjusted
    position.plan = plan.number
    engine.touch(move.trader)
    postings: tuple[Posting, ...] = ()
    paid_out = move.available
    if move.trader == INVENTORY:
        paid_out = 0  # the fund gets it in the end
    elif paid_out and plan.closes and engine.spec.ends_on_chain:
        # Spent before the claim is final, it would make fills that the contracts refuse. Rule: EXPI-011.
        position.claiming += paid_out
        postings = (Posting(move.trader, USDC, 0, paid_out),)
    elif paid_out:
        postings = (Posting(move.trader, USDC, paid_out, 0),)
    moved = paid_out + move.margin + move.fee
    return Moved(position, postings, move.margin, Accounts(move.fee, -moved))


def _balanced(accounts: Accounts, owed: int) -> Accounts:
    """Let clearing give what the other accounts get."""
    return Accounts(accounts.fees, -owed, accounts.insurance, accounts.bad_debt)
