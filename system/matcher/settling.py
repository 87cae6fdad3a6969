"""The end of a contract: the average index, exact payment, CLOSED. EXPI-001 to EXPI-008, CLRH-006."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from system.matcher.house import CARRY_NS, INVENTORY, PlannedMove
from system.matcher.lifecycle import enter, wind_up
from system.matcher.plans import carry_out
from system.matcher.steps import Refused, Step
from system.model.errors import RejectReason
from system.model.market import MarketKind, MarketState
from system.model.units import NS, to_tick
from system.risk.expiry import Holding, Settle, Settled, settle_futures, settle_options, settlement_step
from system.risk.insurance import event_cap
from system.risk.options import payoff_e6

if TYPE_CHECKING:
    from system.matcher.matching import Engine


def expire(engine: Engine, price_e6: int, now_ns: int) -> Iterator[Step]:
    """Settle a market whose time has come, or that an admin is winding up."""
    if engine.state is MarketState.CLOSED:
        yield Refused(RejectReason.EXCHANGE_CLOSED)
        return
    due = engine.spec.expiry_ns and now_ns >= engine.spec.expiry_ns
    # the contracts take no price before the expiry
    if not due and (engine.state is not MarketState.SETTLING or engine.spec.ends_on_chain):
        yield Refused(RejectReason.TOO_EARLY)
        return
    yield from wind_up(engine, now_ns)
    price_e6 = price_e6 or _settlement_price_e6(engine, now_ns)
    if price_e6:
        yield from settle(engine, to_tick(price_e6, engine.spec.settle_step_e6))


def look(engine: Engine, ts_ns: int, now_ns: int) -> Iterator[Step]:
    """Settle with what was seen before the window's end, before anything later is seen."""
    if engine.state is not MarketState.SETTLING:
        return
    price_e6 = _settlement_price_e6(engine, ts_ns)
    if price_e6:
        yield from settle(engine, price_e6)


def _settlement_price_e6(engine: Engine, now_ns: int) -> int:
    """Return the average over the window, 0 while there is none; the window moves on where it must."""
    spec, state = engine.spec, engine.house.state
    if not spec.expiry_s or now_ns < spec.expiry_ns:
        return state.index_e6 if not spec.expiry_s and state.valid else 0  # a perpetual ends at the index
    while now_ns >= state.settle_end_s * NS and not state.needs_price:
        assert state.settle is not None
        end_ns = state.settle_end_s * NS
        window_ns = spec.settle_window_s * NS
        seen = state.settle.at(end_ns, CARRY_NS)
        num, den = seen.num, seen.den
        if not window_ns:
            fresh = state.valid and end_ns - state.index_ns <= CARRY_NS
            num, den = (state.index_e6, 1) if fresh else (0, 0)
        said = settlement_step(num, den, state.settle_end_s, spec.expiry_s, spec.settle_step_e6, window_ns)
        engine.house.changed = True
        if isinstance(said, Settle):
            return said.price_e6
        state.needs_price = not hasattr(said, "end_s")
        state.settle_end_s = getattr(said, "end_s", state.settle_end_s)
    return 0


def settle(engine: Engine, price_e6: int) -> Iterator[Step]:
    """Pay everybody out at a price and close the market."""
    house, spec = engine.house, engine.spec
    if spec.max_price_e6:  # then nobody owes more than his collateral (EXPI-009)
        price_e6 = min(price_e6, spec.max_price_e6)
    at = [one for one in engine.open_positions() if one.size_e8]
    holdings = [Holding(one.trader, one.size_e8, one.cost, one.margin) for one in at]
    done: Settled
    if spec.kind is MarketKind.OPTION:
        pays_e6 = payoff_e6(spec.payoff_type, spec.strike_e6, price_e6, spec.cap_e6)
        done = settle_options(holdings, pays_e6, house.fund)
    else:
        done = settle_futures(
            holdings,
            price_e6,
            house.fund,
            event_cap(house.fund.balance, spec.event_cap_ppm),
            fee_ppm=spec.settlement_fee_ppm,
            haircuts=spec.haircut,
        )
    house.state.settle_e6 = price_e6
    moves = [
        PlannedMove(one.trader, -one.size_e8, -one.cost, -one.margin, paid.amount, paid.fee, paid.realised)
        for one, paid in zip(holdings, done.credits, strict=True)
    ]
    fund = done.fund
    gained = sum(move.available for move in moves if move.trader == INVENTORY)
    if gained:
        fund = type(fund)(fund.balance + gained, fund.bad_debt)
    if not moves:
        yield enter(engine, MarketState.CLOSED)
        return
    house.decide(moves, fund, closes=True)
    assert house.state.plan is not None
    yield from carry_out(engine, house.state.plan)
