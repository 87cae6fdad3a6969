"""The states of a market: who may do what, and the way from one to another. MATC-060 to MATC-063."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from system.matcher.steps import Mark, Refused, StateChanged, Step
from system.model.errors import RejectReason
from system.model.market import MarketState, may_become, stricter
from system.model.order import BUY, CANCELED, Order
from system.model.units import NS

if TYPE_CHECKING:
    from system.matcher.matching import Engine


def set_state(engine: Engine, state: MarketState, now_ns: int) -> Iterator[Step]:
    """Move along MATC-061; what was closed to takers comes back through POST_ONLY (MATC-062)."""
    cooldown_ns = engine.spec.cooldown_s * NS
    again = engine.state is state is MarketState.SETTLING  # a matcher may have died on the way
    if not again and not may_become(engine.state, state):
        yield Refused(RejectReason.EXCHANGE_CLOSED)
    elif state in (MarketState.SETTLING, MarketState.CLOSED):
        yield from wind_up(engine, now_ns)
        if state is MarketState.CLOSED and not engine.open_interest_e8:
            yield enter(engine, state)
    elif state is not MarketState.ACTIVE or not cooldown_ns:
        yield enter(engine, state)
    elif engine.state is not MarketState.POST_ONLY:
        yield enter(engine, MarketState.POST_ONLY, now_ns + cooldown_ns)
    elif not engine.reopens_ns:  # else it opens by itself, and not before
        yield enter(engine, state)


def wind_up(engine: Engine, now_ns: int) -> Iterator[Step]:
    """Stop trading for good and take every order back; open contracts wait for settlement (MATC-063)."""
    if engine.state is not MarketState.SETTLING:
        yield enter(engine, MarketState.SETTLING)
    for order in [*engine.book.orders(), *engine.stops]:
        yield engine.end_resting(order, CANCELED, RejectReason.EXCHANGE_CLOSED, now_ns)


def stand_still(engine: Engine, mark: Mark, now_ns: int) -> Iterator[Step]:
    """Make a market stricter while it has no index, and let it come back when it has one. Rule: CLRH-002."""
    house = engine.house
    if not engine.state.moves_margin:
        return
    if mark.standing:
        asked = MarketState(mark.standing)
        if stricter(asked, engine.state):
            house.state.stalled = house.changed = True
            yield enter(engine, asked)
    elif house.state.stalled and mark.valid:
        house.state.stalled = False
        house.changed = True
        if not engine.state.admits_makers:
            yield from set_state(engine, MarketState.ACTIVE, now_ns)


def stop_at_band(engine: Engine, taker: Order, price_e6: int, now_ns: int) -> Iterator[Step]:
    """End a taker that would print outside the band, and give makers time to follow the mark. MATC-064.

    Both in one commit (`handler`): a market that is calmed by an order says so with its end.
    """
    yield engine.stop(taker, RejectReason.PRICE_BAND, now_ns)
    low_e6, high_e6 = engine.house.band
    cooldown_ns = engine.spec.cooldown_s * NS
    outside = high_e6 and not low_e6 <= price_e6 <= high_e6
    if outside and engine.spec.calms and cooldown_ns and engine.state is MarketState.ACTIVE:
        yield enter(engine, MarketState.POST_ONLY, now_ns + cooldown_ns)


def reopen(engine: Engine, now_ns: int) -> Iterator[Step]:
    """Be ACTIVE again, without what still rests where no trade may print. Rule: MATC-065.

    Such an order would stop the next taker, and with it the market, for as long as its owner likes.
    """
    low_e6, high_e6 = engine.house.band
    if high_e6:
        for order in engine.book.orders():
            price_e6 = order.limit_price_e6
            if price_e6 > high_e6 if order.side == BUY else price_e6 < low_e6:
                yield engine.end_resting(order, CANCELED, RejectReason.PRICE_BAND, now_ns)
    yield enter(engine, MarketState.ACTIVE)


def enter(engine: Engine, state: MarketState, reopens_ns: int = 0) -> Step:
    """Be in a state from now on."""
    engine.state = state
    engine.reopens_ns = reopens_ns
    return StateChanged(state, reopens_ns)
