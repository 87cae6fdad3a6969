"""What the door answered is true."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from sim.invariants.ledger import limit_orders
from sim.invariants.registry import Found, invariant
from sim.invariants.state import State
from sim.invariants.verdict import Violation
from system.model import keys
from system.model.keys import Item

_TERMS = {
    "side": "",
    "qty_e8": 0,
    "limit_price_e6": 0,
    "nonce": 0,
    "account": "",
    "post_only": False,
    "reduce_only": False,
}
"""What is compared, and what it is where it is left out."""
_REFUSED = 400


@invariant("door_keeps_its_word", at_end_only=True)
def check(state: State) -> Found:
    """An order that was acknowledged is there once, as it was sent; another's name opens nothing.

    One body has one order, however often it is sent, and so has one nonce of an account. Who sends in the
    name of another account is refused.
    Source: idempotency header, design document section 6; rules IDEM-001, SIGN-001 (rule CONS-033).
    """
    if state.history is None:
        raise LookupError("there is no history to read")
    orders = {f"{row['symbol']}:{row['uuid']}": row for row in limit_orders(state)}
    yield from _nonces(state)
    asked: dict[str, Item] = {}
    owners: dict[str, str] = {}  # account by sender, as the first request has it
    made: dict[str, set[str]] = defaultdict(set)  # orders by body
    looked_at = 0
    for number, event in state.history.of_kind("request", "response"):
        who = event["who"]
        if event["e"] == "request":
            if event["m"] != "GET" and event["b"]:
                asked[who] = event
                body = _body(event)
                owners.setdefault(who.rpartition("-")[0], body.get("account", ""))
            continue
        request = asked.get(who)
        if request is None or event["s"] >= _REFUSED:
            continue
        looked_at += 1
        where = f"event {number}, answer to {who}"
        body = _body(request)
        if body.get("account", "") != owners[who.rpartition("-")[0]]:
            yield Violation(where, "a refusal, it is in another's name", str(event["s"]))
        if (request["m"], request["p"]) == ("POST", "/orders"):
            order_id = json.loads(event["b"])["order_id"]
            made[request["b"]].add(order_id)
            yield from _as_sent(where, order_id, body, orders)
        elif request["m"] == "DELETE" and request["p"] != "/orders":
            order = orders.get(request["p"].removeprefix("/orders/"))
            if order is not None and order["account"] != body.get("account"):
                yield Violation(where, f"a refusal, the order is of {order['account']}", str(event["s"]))
    for text, order_ids in made.items():
        if len(order_ids) > 1:
            yield Violation(f"body {text[:80]}", "one order", ", ".join(sorted(order_ids)), len(order_ids))
    return looked_at


def _as_sent(where: str, order_id: str, body: dict[str, Any], orders: dict[str, Item]) -> Iterator[Violation]:
    order = orders.get(order_id)
    if order is None:
        yield Violation(where, f"order {order_id}, as acknowledged", "no such row")
        return
    for name, nothing in _TERMS.items():
        wanted, was = body.get(name, nothing), order.get(name, nothing)
        if str(wanted).lower() != str(was).lower():
            yield Violation(f"{where}, order {order_id}: {name}", str(wanted), str(was))


def _nonces(state: State) -> Iterator[Violation]:
    used: dict[tuple[str, int], str] = {}
    for row in state.items(keys.ORDERS):
        if "account" not in row or "nonce" not in row:
            continue
        place = (row["account"], row["nonce"])
        first = used.setdefault(place, row["uuid"])
        if first != row["uuid"]:
            yield Violation(
                f"account {place[0]}, nonce {place[1]}", "one order", f"{first} and {row['uuid']}"
            )


def _body(request: Item) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(request["b"])
    return body
