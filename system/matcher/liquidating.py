"""Positions below their maintenance margin: the waterfall of a preset. LIQU-001 to LIQU-034, CLRH-010.

The preset says what is next (alert, close order, take-over, deleveraging, wait); here it is done to
the book and the accounts, one step after the other, and asked again with what came of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from msgspec.structs import replace

from system.matcher.deleveraging import deleverage
from system.matcher.forced import ForcedClose, take_over
from system.matcher.house import INVENTORY, Progress
from system.matcher.steps import Alerted, EndReason, Step
from system.model.market import MarketState
from system.model.order import CANCELED
from system.model.position import Position
from system.risk.insurance import event_cap
from system.risk.liquidation.case import (
    Alert,
    Case,
    Close,
    Deleverage,
    Done,
    TakeOver,
    Wait,
    last_safe_price_e6,
)

if TYPE_CHECKING:
    from system.matcher.matching import Engine

_MOST_STEPS = 64  # of one position in one command; a preset that never ends is a defect


def liquidate(engine: Engine, now_ns: int, seq: int, called: tuple[str, ...] = ()) -> Iterator[Step]:
    """Bring every position on that is due at the mark, the worst first, until none is left to look at.

    Under cross margin a position alone says nothing: only traders whose whole account is short are
    `called` (RISK-046).
    """
    house = engine.house
    if not engine.spec.liquidates:
        return
    _index(engine)
    if engine.state is not MarketState.ACTIVE or not house.state.valid or not house.mark_e6:
        return
    looked_at: set[str] = set()
    while True:
        due = [trader for trader in house.index.due(house.mark_e6) if trader not in looked_at]
        if engine.spec.is_cross:
            due = [trader for trader in due if trader in called]
        stock = engine.positions.get(INVENTORY)
        if stock is not None and stock.size_e8 and INVENTORY not in looked_at:
            due.append(INVENTORY)
        if not due:
            break
        for trader in due:
            looked_at.add(trader)
            yield from _bring_on(engine, engine.position(trader), now_ns, seq)
        _index(engine)
    _forget_the_healthy(engine)


def _index(engine: Engine) -> None:
    """Find the places of all positions that have changed. Rule: LIQU-020."""
    house = engine.house
    for trader in house.stale:
        at = engine.position(trader)
        safe_e6 = 0
        if at.size_e8 and trader != INVENTORY:
            safe_e6 = last_safe_price_e6(house.terms, at.size_e8, at.cost, at.margin)
        house.index.put(trader, at.size_e8 if trader != INVENTORY else 0, safe_e6)
    house.stale = {}


def _forget_the_healthy(engine: Engine) -> None:
    progress = engine.house.state.progress
    due = {INVENTORY, *engine.house.index.due(engine.house.mark_e6)}
    for trader in [trader for trader in progress if trader not in due or not engine.position(trader).size_e8]:
        del progress[trader]
        engine.house.changed = True


def _bring_on(engine: Engine, position: Position, now_ns: int, seq: int) -> Iterator[Step]:
    house = engine.house
    state = house.state
    start = house.fund.balance
    allowance = event_cap(start, house.terms.event_cap_ppm)
    for _ in range(_MOST_STEPS):
        left = max(0, allowance - max(0, start - house.fund.balance))
        known = state.progress.get(position.trader)
        progress = known or Progress()
        step = house.preset.next_step(_case(engine, position, progress, left, now_ns))
        if isinstance(step, Done | Wait):
            return
        if known is None and position.trader != INVENTORY:
            yield Alerted(position, house.mark_e6, "ALERT")
        house.changed = True
        state.progress[position.trader] = progress
        if isinstance(step, Alert):
            yield from _cancel_orders(engine, position.trader, now_ns)
        elif isinstance(step, Close):
            close = ForcedClose(engine, position, step, now_ns, seq)
            yield from close.run()
            state.progress[position.trader] = replace(
                progress,
                rounds=progress.rounds + 1,
                last_round_ns=now_ns,
                widened=progress.widened or step.widened,
            )
        elif isinstance(step, TakeOver):
            yield from take_over(engine, position, step, seq)
        elif isinstance(step, Deleverage):
            policy = engine.spec.adl if step.policy == "ranked" else step.policy
            yield from deleverage(engine, position, replace(step, policy=policy), seq)
            state.progress[position.trader] = replace(progress, deleveraged=True)
    raise AssertionError(f"{house.preset.name}: no end after {_MOST_STEPS} steps: {position}")


def _case(engine: Engine, position: Position, progress: Progress, fund: int, now_ns: int) -> Case:
    house = engine.house
    low_e6, high_e6 = engine.house.band
    return Case(
        terms=house.terms,
        size_e8=position.size_e8,
        cost=position.cost,
        margin=position.margin,
        mark_e6=house.mark_e6,
        band_low_e6=low_e6,
        band_high_e6=high_e6,
        now_ns=now_ns,
        prev_mark_e6=house.state.prev_mark_e6,
        open_orders=bool(engine.orders_of(position.trader)),
        rounds=progress.rounds,
        last_round_ns=progress.last_round_ns,
        fund=fund,
        widened=progress.widened,
        deleveraged=progress.deleveraged,
        is_inventory=position.trader == INVENTORY,
    )


def _cancel_orders(engine: Engine, trader: str, now_ns: int) -> Iterator[Step]:
    for order in engine.orders_of(trader):
        yield engine.end_resting(order, CANCELED, EndReason.LIQUIDATION, now_ns)
