"""A funding tick: what an interval costs becomes moves of margins. FUND-020 to FUND-027, CLRH-005."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from system.matcher.house import PlannedMove
from system.matcher.plans import carry_out
from system.matcher.steps import FundingPaid, Step
from system.model.market import MarketState
from system.risk.funding.apply import Holding, apply_funding
from system.risk.funding.clock import open_clock
from system.risk.insurance import event_cap

if TYPE_CHECKING:
    from system.matcher.matching import Engine


def tick(engine: Engine, boundary_ns: int, now_ns: int) -> Iterator[Step]:
    """Pay every interval up to a boundary that was not paid; a second tick for it pays nothing."""
    house = engine.house
    if house.model is None or engine.state in (MarketState.SETTLING, MarketState.CLOSED):
        return
    clock = house.state.clock or open_clock(now_ns)
    house.state.clock, results = clock.tick(house.model, boundary_ns)
    house.state.due += results
    house.changed = True
    yield from pay(engine)


def pay(engine: Engine) -> Iterator[Step]:
    """Pay the intervals that are due, in order."""
    house = engine.house
    while house.state.due:
        result, *rest = house.state.due
        holdings = [
            Holding(at.trader, at.size_e8, at.cost, at.margin) for at in engine.open_positions() if at.size_e8
        ]
        allowance = event_cap(house.fund.balance, engine.spec.event_cap_ppm)
        done = apply_funding(
            holdings,
            result.per_unit_e12,
            house.mark_e6,
            house.fund,
            allowance,
            haircuts=engine.spec.haircut,
        )
        moves = [
            PlannedMove(
                move.trader,
                cost=move.cost_delta,
                margin=move.margin_delta,
                realised=move.cost_delta,
                adjusted=move.cash,
            )
            for move in done.moves
            if move.cash
        ]
        house.state.due = tuple(rest)
        house.state.rate_e12 = result.rate_e12
        house.decide(moves, done.fund)
        yield FundingPaid(
            result,
            paid=-sum(move.cash for move in done.moves if move.cash < 0),
            received=sum(move.cash for move in done.moves if move.cash > 0),
            dust=done.dust,
            from_insurance=done.from_insurance,
            haircut=done.haircut,
            unpaid=done.unpaid,
            positions=len(holdings),
        )
        assert house.state.plan is not None
        yield from carry_out(engine, house.state.plan)
