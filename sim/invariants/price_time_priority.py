"""The best price trades first, and at one price who came first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from heapq import heappop, heappush
from typing import Any

from sim.invariants.registry import Found, invariant
from sim.invariants.state import State
from sim.invariants.verdict import Violation
from system.model import keys
from system.model.keys import Item
from system.model.order import BUY, LIVE, OPEN, SELL

Place = tuple[int, int, str]
"""(price, turned so that the best is the smallest; seq; uuid)"""


@invariant("price_time_priority", at_end_only=True)
def check(state: State) -> Found:
    """No order trades while a better one, or an older one at its price, rests on its side untouched.

    Read from the history alone: orders that rested before a transaction and that it leaves as they were
    have been in the book all the while. After it, no bid is at or above an ask.
    Source: price-time priority (rules MATC-001, MATC-002; CONS-032).
    """
    if state.history is None:
        raise LookupError("there is no history to read")
    books: dict[str, _Book] = defaultdict(_Book)
    known: dict[str, Item] = {}  # orders that have not ended, by sort key
    looked_at = 0
    for number, event in state.history.of_kind("tx"):
        orders = _changed(event["w"], known)
        touched = {row["uuid"]: row for row in orders}
        for write in event["w"]:
            if write[0] == "put" and write[1] == keys.TRADES and write[2]["tradeType"] == "TRADE":
                looked_at += 1
                trade = write[2]
                yield from books[trade["symbol"]].judge(trade, touched, number)
        for symbol in dict.fromkeys(row["symbol"] for row in orders):
            book = books[symbol]
            book.take(row for row in orders if row["symbol"] == symbol)
            yield from book.crossed(f"event {number}, {symbol}")
    return looked_at


def _changed(writes: list[list[Any]], known: dict[str, Item]) -> list[Item]:
    """Return the orders that a transaction writes, whole, and remember those that go on."""
    orders = []
    for write in writes:
        if write[1] != keys.ORDERS or write[0] == "del":
            continue
        if write[0] == "put":
            row = write[2] if write[2]["orderType"] in ("LIMIT", "MARKET") else None
        else:
            row = known.get(write[3])
            row = None if row is None else {**row, **write[4]}
        if row is None:
            continue
        orders.append(row)
        if row["status"] in LIVE:
            known[row["SK"]] = row
        else:
            known.pop(row["SK"], None)
    return orders


class _Book:
    """What rests in one market, as the writes so far left it."""

    def __init__(self) -> None:
        self.resting: dict[str, Place] = {}
        self._heaps: dict[str, list[Place]] = {BUY: [], SELL: []}

    def take(self, rows: Any) -> None:
        for row in rows:
            if row["status"] != OPEN:
                self.resting.pop(row["uuid"], None)
                continue
            place = _place(row)
            if self.resting.get(row["uuid"]) != place:
                self.resting[row["uuid"]] = place
                heappush(self._heaps[row["side"]], place)

    def best(self, side: str, without: Any = ()) -> Place | None:
        """Return the first in the queue of a side that is not among `without`."""
        heap, aside = self._heaps[side], []
        found: Place | None = None
        while heap:
            place = heap[0]
            if self.resting.get(place[2]) != place:
                heappop(heap)  # gone, or elsewhere since
            elif place[2] in without:
                aside.append(heappop(heap))
            else:
                found = place
                break
        for place in aside:
            heappush(heap, place)
        return found

    def judge(self, trade: Item, touched: dict[str, Item], number: int) -> Iterator[Violation]:
        side = SELL if trade["aggressor_side"] == BUY else BUY
        uuid = trade["maker_order_id"].rpartition(":")[2]
        maker = _place(touched[uuid]) if uuid in touched else self.resting.get(uuid)
        best = self.best(side, touched)
        if maker is not None and best is not None and best[:2] < maker[:2]:
            where = f"event {number}, {trade['symbol']} trade {trade['trade_no']}"
            expected = f"order {best[2]} first, at {abs(best[0])} and sequenced {best[1]}"
            yield Violation(where, expected, f"order {uuid}, at {abs(maker[0])} and sequenced {maker[1]}")

    def crossed(self, where: str) -> Iterator[Violation]:
        bid, ask = self.best(BUY), self.best(SELL)
        if bid is not None and ask is not None and -bid[0] >= ask[0]:
            yield Violation(
                where, f"a best bid below the best ask {ask[0]}", str(-bid[0]), -bid[0] - ask[0] + 1
            )


def _place(row: Item) -> Place:
    price = row["limit_price_e6"]
    return (-price if row["side"] == BUY else price), row.get("seq", 0), row["uuid"]
