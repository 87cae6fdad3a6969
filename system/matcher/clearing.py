"""Commands about no order: index, funding, expiry, liquidation, margin. CLRH-001 to CLRH-006."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from system.matcher import funding, settling
from system.matcher.collateral import convert, insure, level, move_margin
from system.matcher.lifecycle import stand_still
from system.matcher.liquidating import liquidate
from system.matcher.plans import carry_out
from system.matcher.steps import (
    Command,
    Convert,
    Expire,
    Funding,
    Insure,
    Level,
    Liquidate,
    Mark,
    MoveMargin,
    Step,
    Tick,
)

if TYPE_CHECKING:
    from system.matcher.matching import Engine

_IMPACT_LEVELS = 50  # of each side are looked at for the impact price of a funding sample


def clear(engine: Engine, command: Command, now_ns: int, seq: int) -> Iterator[Step]:
    """Carry out one command of the clearing house."""
    if isinstance(command, Tick):
        if engine.house.unfinished:
            yield from _finish(engine, now_ns, seq)
    elif isinstance(command, Mark):
        yield from _take_mark(engine, command, now_ns, seq)
    elif isinstance(command, Funding):
        yield from funding.tick(engine, command.boundary_ns, now_ns)
        yield from liquidate(engine, now_ns, seq)
    elif isinstance(command, Expire):
        yield from settling.expire(engine, command.price_e6, now_ns)
    elif isinstance(command, Liquidate):
        yield from liquidate(engine, now_ns, seq, command.called)
    elif isinstance(command, Level):
        yield from level(engine, command)
    elif isinstance(command, MoveMargin):
        yield from move_margin(engine, command)
    elif isinstance(command, Insure):
        yield from insure(engine, command)
    elif isinstance(command, Convert):
        yield from convert(engine, command)


def _finish(engine: Engine, now_ns: int, seq: int) -> Iterator[Step]:
    """Go on with what a matcher that died had decided (CLRH-003)."""
    if engine.house.state.plan is not None:
        yield from carry_out(engine, engine.house.state.plan)
    yield from funding.pay(engine)
    yield from liquidate(engine, now_ns, seq)


def _take_mark(engine: Engine, mark: Mark, now_ns: int, seq: int) -> Iterator[Step]:
    """Take a newer index, stand still without one, liquidate at the new mark. CLRH-001, CLRH-002."""
    yield from settling.look(engine, mark.ts_ns, now_ns)
    bids, asks = engine.book.depth(_IMPACT_LEVELS)
    engine.house.state.last_e6 = engine.last_e6
    state = engine.state
    fresh = engine.house.take(mark, bids, asks, marks=state.marks, funds=state.funds)
    yield from stand_still(engine, mark, now_ns)
    if fresh:
        yield from liquidate(engine, now_ns, seq)
