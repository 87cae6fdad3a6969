"""What the store says of orders could have been a book."""

from __future__ import annotations

from sim.invariants.ledger import limit_orders, named
from sim.invariants.registry import Found, invariant
from sim.invariants.state import State
from sim.invariants.verdict import Violation
from system.model import keys
from system.model.keys import Item
from system.model.order import BUY, FILLED, LIVE, OPEN, PENDING, TERMINAL, UNTRIGGERED
from system.model.units import ppm_ceil

_STEP = {PENDING: 0, UNTRIGGERED: 0, OPEN: 1} | dict.fromkeys(TERMINAL, 2)


@invariant("books_agree")
def check(state: State) -> Found:
    """Open orders do not cross, an order's quantities agree with its status, and no order comes back to life.

    The best bid of a market is below its best ask: two orders that cross should have been matched.
    An order has paid the fee on all that it traded, rounded up once.
    In the end the whole history is read: an order goes from PENDING to OPEN to one final status,
    and never back.
    Source: price-time priority (rule CONS-010); FIX OrdStatus (39).
    """
    looked_at = 0
    bids: dict[str, Item] = {}
    asks: dict[str, Item] = {}
    for row in limit_orders(state):
        looked_at += 1
        status = row["status"]
        fee = ppm_ceil(row["cum_notional"], state.specs[row["symbol"]].fee_ppm)
        paid, filled = row["fee_paid"], row["cum_qty_e8"]
        if paid != fee:
            yield Violation(named(row), f"fee of {fee}", str(paid), abs(paid - fee))
        if status in LIVE:
            if row["leaves_e8"] <= 0:
                yield Violation(named(row), "leaves above 0", str(row["leaves_e8"]))
            if status == OPEN:
                _keep_best(bids if row["side"] == BUY else asks, row)
        elif status == FILLED and filled != row["qty_e8"]:
            yield Violation(named(row), f"filled {row['qty_e8']}", str(filled))
    for symbol in sorted(set(bids) & set(asks)):
        bid, ask = bids[symbol]["limit_price_e6"], asks[symbol]["limit_price_e6"]
        if bid >= ask:
            where = f"{symbol}: {named(bids[symbol])} and {named(asks[symbol])}"
            yield Violation(where, f"best bid below best ask {ask}", str(bid), bid - ask + 1)
    if state.final:
        looked_at += yield from _statuses(state)
    return looked_at


def _keep_best(side: dict[str, Item], row: Item) -> None:
    best = side.get(row["symbol"])
    price = row["limit_price_e6"]
    if best is None or (price > best["limit_price_e6"]) == (row["side"] == BUY):
        side[row["symbol"]] = row


def _statuses(state: State) -> Found:
    if state.history is None:
        raise LookupError("there is no history to read")
    last: dict[str, str] = {}
    looked_at = 0
    for number, event in state.history.of_kind("tx"):
        for write in event["w"]:
            if write[1] != keys.ORDERS or write[0] == "del":
                continue
            uuid, changed = (write[2]["SK"], write[2]) if write[0] == "put" else (write[3], write[4])
            status = changed.get("status")
            if status not in _STEP:
                continue  # outcomes of CANCEL and STATE rows
            looked_at += 1
            before = last.get(uuid, PENDING)
            if _STEP[status] < _STEP[before] or (_STEP[before] == 2 and status != before):
                yield Violation(f"event {number}, order {uuid[3:]}", f"{before} or later", status)
            last[uuid] = status
    return looked_at
