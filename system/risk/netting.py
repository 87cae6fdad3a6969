"""Which of a trader's open orders pay margin: RISK-050 to RISK-055.

Opposite orders up to the position, best priced first, only close and are free. What lies beyond
is excess, and three rules say what it pays:

gross  every excess order
pair   each excess sell stands beside one excess buy, best first; the dearer of the two pays
max    the dearer side (Vega); not self-funding: decision 0051

An answer is a quantity for each order, so a hold remains the hold of one order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum

import msgspec

from system.model.order import BUY, SELL, Side
from system.model.units import QTY_SCALE

Cost = Callable[[Side, int, int], int]  # side, price_e6, qty_e8 -> margin in uUSDC


class NettingRule(StrEnum):
    """How open orders of one trader in one market stand for each other."""

    GROSS = "gross"
    PAIR = "pair"
    MAX = "max"


class OpenOrder(msgspec.Struct, frozen=True):
    """What netting needs of a resting order; `seq` breaks ties at one price."""

    seq: int
    side: Side
    price_e6: int
    leaves_e8: int


def paying_e8(
    size_e8: int, orders: Sequence[OpenOrder], rule: NettingRule, cost: Cost | None = None
) -> list[int]:
    """Return for each order how much of it pays margin, in the order given. Rule: RISK-050.

    `cost` compares sides; without it margin is proportional to notional.
    """
    price_of = cost or _notional
    buys = _excess(orders, BUY, max(0, -size_e8))
    sells = _excess(orders, SELL, max(0, size_e8))
    paying = [0] * len(orders)
    if rule is NettingRule.MAX:
        bid = sum(price_of(BUY, orders[at].price_e6, qty) for at, qty in buys)
        offer = sum(price_of(SELL, orders[at].price_e6, qty) for at, qty in sells)
        sells, buys = (sells, []) if offer >= bid else ([], buys)
    elif rule is NettingRule.PAIR:
        buys, sells = _paired(orders, buys, sells, price_of)
    for at, qty in (*buys, *sells):
        paying[at] += qty
    return paying


def order_margin(size_e8: int, orders: Sequence[OpenOrder], rule: NettingRule, cost: Cost) -> int:
    """Return the margin that all open orders of a trader in a market must hold together."""
    return sum(
        cost(order.side, order.price_e6, qty)
        for order, qty in zip(orders, paying_e8(size_e8, orders, rule, cost), strict=True)
        if qty
    )


def uncovered(
    size_e8: int, orders: Sequence[OpenOrder], rule: NettingRule, cost: Cost, funds: int
) -> list[int]:
    """Return which orders to cancel, newest first, until `funds` cover the rest. Rule: RISK-055.

    A position that shrank by liquidation or auto-deleveraging turns free orders into paid ones;
    an order that pays nothing is no help and stays. Answers are places in `orders`.
    """
    kept = list(range(len(orders)))
    cancelled: list[int] = []
    while True:
        left = [orders[at] for at in kept]
        paying = paying_e8(size_e8, left, rule, cost)
        due = sum(cost(o.side, o.price_e6, qty) for o, qty in zip(left, paying, strict=True) if qty)
        if due <= funds:
            return cancelled
        _, newest = max((left[n].seq, n) for n, qty in enumerate(paying) if qty)
        cancelled.append(kept.pop(newest))


def _notional(_side: Side, price_e6: int, qty_e8: int) -> int:
    return price_e6 * qty_e8 // QTY_SCALE


def _excess(orders: Sequence[OpenOrder], side: Side, free_e8: int) -> list[tuple[int, int]]:
    """Return (place, quantity) beyond the free part, best priced first."""
    best = -1 if side == BUY else 1
    places = [at for at, order in enumerate(orders) if order.side == side]
    places.sort(key=lambda at: (best * orders[at].price_e6, orders[at].seq))
    excess = []
    for at in places:
        free = min(free_e8, orders[at].leaves_e8)
        free_e8 -= free
        if orders[at].leaves_e8 > free:
            excess.append((at, orders[at].leaves_e8 - free))
    return excess


def _paired(
    orders: Sequence[OpenOrder], buys: list[tuple[int, int]], sells: list[tuple[int, int]], price_of: Cost
) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Match excess buys with excess sells, best first; keep the dearer of each pair and what is left."""
    paid_buys: list[tuple[int, int]] = []
    paid_sells: list[tuple[int, int]] = []
    waiting = list(reversed(buys))
    for sell, wanted in sells:
        left = wanted
        while left and waiting:
            buy, open_e8 = waiting.pop()
            qty = min(left, open_e8)
            if open_e8 > qty:
                waiting.append((buy, open_e8 - qty))
            left -= qty
            bid = price_of(BUY, orders[buy].price_e6, qty)
            if bid > price_of(SELL, orders[sell].price_e6, qty):
                paid_buys.append((buy, qty))
            else:
                paid_sells.append((sell, qty))
        if left:
            paid_sells.append((sell, left))
    return [*paid_buys, *reversed(waiting)], paid_sells
