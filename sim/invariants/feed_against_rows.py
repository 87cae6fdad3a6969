"""What is told is what was done, to whom it concerns, and not before it was done."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sim.invariants.ledger import limit_orders, trades
from sim.invariants.registry import Found, invariant
from sim.invariants.state import State
from sim.invariants.verdict import Violation
from system.model import keys
from system.model.keys import Item
from system.model.order import LIVE

Rows = dict[Any, Item]


@invariant("feed_against_rows", at_end_only=True)
def check(state: State) -> Found:
    """Prints say what Trades says and come after the commit; news of an order goes to its trader.

    The last word on an order or a position is its row's. What was not told is the business of `sequence`.
    Source: step 7 of docs/walk.md; FIX ExecutionReport (8) (rule CONS-034).
    """
    if state.history is None:
        raise LookupError("there is no history to read")
    printed = {(row["symbol"], row["trade_no"]): row for row in trades(state)}
    orders = {f"{row['symbol']}:{row['uuid']}": row for row in limit_orders(state)}
    positions = {(row["trader"], row["symbol"]): row for row in state.items(keys.POSITIONS)}
    committed: set[tuple[str, int]] = set()
    looked_at = 0
    for number, event in state.history.of_kind("tx", "publish"):
        if event["e"] == "tx":
            for write in event["w"]:
                if write[0] == "put" and write[1] == keys.TRADES and "trade_no" in write[2]:
                    committed.add((write[2]["symbol"], write[2]["trade_no"]))
            continue
        for message in event["m"]:
            looked_at += 1
            where = f"event {number}, {message['channel']}"
            if message["kind"] == "trade":
                yield from _print(where, message, printed, committed)
            elif message["kind"] == "orderUpdate":
                yield from _order(where, message, orders)
            elif message["kind"] == "positionUpdate":
                yield from _position(where, message, positions)
    return looked_at


def _print(
    where: str, message: dict[str, Any], rows: Rows, committed: set[tuple[str, int]]
) -> Iterator[Violation]:
    data = message["data"]
    place = (message["channel"].removeprefix("market."), int(data["trade_no"]))
    if place not in committed:
        yield Violation(where, f"trade {place[1]} committed before it is told", "not yet")
        return
    row = rows[place]
    yield from _same(f"{where}: trade {place[1]}", data, row, ("price_e6", "qty_e8", "aggressor_side"))


def _order(where: str, message: dict[str, Any], orders: Rows) -> Iterator[Violation]:
    data = message["data"]
    order = orders.get(data["order_id"])
    if order is None:
        yield Violation(where, f"an order {data['order_id']}", "no such row")
        return
    where = f"{where}: order {data['order_id']}"
    if message["channel"] != f"trader.{order['trader']}":
        yield Violation(where, f"told to trader.{order['trader']}", message["channel"])
    if data["status"] not in LIVE:
        yield from _same(where, data, order, ("status", "cum_qty_e8", "cum_notional", "fee_paid", "reason"))


def _position(where: str, message: dict[str, Any], positions: Rows) -> Iterator[Violation]:
    data = message["data"]
    place = (message["channel"].removeprefix("trader."), data["symbol"])
    row = positions.get(place)
    if row is None:
        yield Violation(where, f"a position of that trader in {data['symbol']}", "no such row")
    elif data["version"] == row["version"]:
        names = ("size_e8", "cost", "margin", "realised")
        yield from _same(f"{where}: position in {data['symbol']}", data, row, names)


def _same(where: str, told: dict[str, Any], row: Item, names: tuple[str, ...]) -> Iterator[Violation]:
    for name in names:
        was, expected = str(told[name]), str(row.get(name, "" if name == "reason" else 0))
        if was != expected:
            yield Violation(f"{where}, {name}", f"{expected}, as in its row", was)
