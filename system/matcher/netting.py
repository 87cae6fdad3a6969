"""A trader's opposite orders stand for each other: what need not be reserved returns. MATC-080 to 083.

An order's hold stays what the order would need by itself. What the market's rule does not ask of
all of a trader's orders together is his relief, one number on his position: so a fill rewrites no
order but the two that met, and what is reserved is always the holds less the reliefs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from msgspec.structs import replace

from system.matcher.steps import (
    Accounts,
    Done,
    EndReason,
    Fill,
    Forced,
    Moved,
    Posting,
    Reduced,
    Rested,
    Step,
)
from system.model.market import MarketSpec
from system.model.order import CANCELED, OPEN, Order
from system.model.position import Position
from system.risk.holds import USDC
from system.risk.netting import NettingRule
from system.risk.stake import Stake

if TYPE_CHECKING:
    from system.matcher.matching import Engine


class Netting:
    """Who has a stake in a market's book, and who is short of what it needs."""

    __slots__ = ("im_ppm", "restored", "rule", "short", "stakes")

    def __init__(self, spec: MarketSpec) -> None:
        self.rule = NettingRule(spec.netting)
        self.im_ppm = spec.im_ppm
        self.stakes: dict[str, Stake] = {}
        self.short: dict[str, None] = {}  # traders whose orders are not covered any more (MATC-082)
        self.restored: dict[str, None] = {}  # traders whose relief may be older than their orders

    def restore(self, orders: Iterable[Order]) -> None:
        """Take the orders of a rebuilt book; a crash may have come before their reliefs followed them."""
        for order in orders:
            self.look(order)
            self.restored[order.trader] = None

    def look(self, order: Order) -> None:
        """Note how much of an order rests after a step."""
        if order.reduce_only:
            return
        resting = order.status == OPEN
        stake = self.stakes.get(order.trader)
        if stake is None:
            if not resting:
                return
            stake = self.stakes[order.trader] = Stake()
        stake.look(order, order.leaves_e8 if resting else 0)

    def change(self, at: Position) -> int:
        """Return by how much a trader's relief has to change."""
        stake = self.stakes.get(at.trader)
        return (stake.relief(at.size_e8, self.rule, self.im_ppm) if stake else 0) - at.relief


def netted(engine: Engine, netting: Netting, steps: Iterator[Step], now_ns: int) -> Iterator[Step]:
    """Give every step the change of relief that it causes; then cancel what is no longer covered."""
    if netting.restored:
        restored, netting.restored = netting.restored, {}
        for trader in restored:
            step = _with_relief(engine, netting, Moved(engine.position(trader), (), 0, Accounts()))
            if step.postings:
                yield step
    for step in steps:
        yield _with_relief(engine, netting, step)
    while netting.short:
        trader = next(iter(netting.short))
        stake = netting.stakes.get(trader)
        size_e8 = engine.position(trader).size_e8
        order = None if stake is None else stake.newest_paying(size_e8, netting.rule)
        if order is None:
            # A position that was read later than the book: another matcher has committed in between,
            # and what is done here will be refused.
            del netting.short[trader]
            continue
        ended = engine.end_resting(order, CANCELED, EndReason.UNCOVERED, now_ns)
        yield _with_relief(engine, netting, ended)


def _with_relief(engine: Engine, netting: Netting, step: Step) -> Step:
    """Return a step with what netting adds to it. Rules: MATC-080, MATC-081.

    Relief that goes is paid from what the same step sets free, never from a balance that the door
    may have spent meanwhile. Who cannot pay it so is short.
    """
    for order in step.orders:
        netting.look(order)
    postings = step.postings
    changed: Position | None = None
    for trader in _touched(step):
        at = engine.position(trader)
        change = netting.change(at)
        if netting.short:
            netting.short.pop(trader, None)
        if not change:
            continue
        if change < 0:
            free = sum(one.available for one in postings if one.trader == trader and one.asset == USDC)
            if free < -change:
                change = -max(0, free)
                netting.short[trader] = None
        if change:
            at.relief += change
            changed = at
            postings = _posted(postings, trader, change)
    if changed is None:
        return step
    if isinstance(step, Rested | Done | Reduced):
        return replace(step, postings=postings, position=changed)
    return replace(step, postings=postings)


def _touched(step: Step) -> tuple[str, ...]:
    """Return whose orders or position a step has changed."""
    if isinstance(step, Rested | Done | Reduced):
        return (step.order.trader,)
    if isinstance(step, Fill):
        one, other = step.maker.trader, step.taker.trader
        return (one,) if one == other else (one, other)
    if isinstance(step, Forced):
        return tuple(at.trader for at in step.positions)
    if isinstance(step, Moved) and step.position is not None:
        return (step.position.trader,)
    return ()


def _posted(postings: tuple[Posting, ...], trader: str, change: int) -> tuple[Posting, ...]:
    """Return postings in which a trader's relief has grown."""
    for place, one in enumerate(postings):
        if one.trader == trader and one.asset == USDC:
            whole = Posting(trader, USDC, one.available + change, one.reserved - change)
            return (*postings[:place], whole, *postings[place + 1 :])
    return (*postings, Posting(trader, USDC, change, -change))
