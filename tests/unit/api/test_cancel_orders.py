"""DELETE /orders/{id} and DELETE /orders."""

from __future__ import annotations

import pytest

from system.model.units import NS
from tests.rules import rule
from tests.unit.floor import START_NS, TOMORROW_S, Floor, account_of, trader


@pytest.fixture
def floor() -> Floor:
    floor = Floor(signatures="real")
    floor.fund("ann")
    floor.fund("bob")
    return floor


def refused(floor: Floor, status: int, reason: str, field: str, route: str, body, **how) -> None:
    before = floor.scan()
    was, said = floor.http(route, body, **how)
    assert (was, said["reason"], said["field"]) == (status, reason, field), said
    assert said["detail"]
    assert floor.scan() == before


def body_of(floor: Floor, name: str, nonce: int, deadline: int = TOMORROW_S, **more):
    signature = floor.signed_cancel(name, 0, nonce, deadline)
    return {"account": account_of(name), "nonce": nonce, "deadline": deadline, "signature": signature, **more}


@rule("SIGN-002")
def test_a_cancel_is_a_command_on_the_orders_road(floor):
    order_id = floor.order("ann", "BUY", 1, 59_000)
    status, said = floor.cancel("ann", order_id)

    assert (status, said) == (202, {"order_id": order_id, "status": "CANCEL_REQUESTED"})
    row = next(row for row in floor.store.scan("Orders") if row["orderType"] == "CANCEL")
    assert (row["PK"], row["target"], row["trader"]) == ("MARKET#BTC-PERP", order_id, trader("ann"))
    assert (row["status"], row["accepted_ns"]) == ("PENDING", START_NS)
    assert floor.status(order_id) == "PENDING"


@rule("SIGN-002")
def test_who_may_not_cancel(floor):
    order_id = floor.order("ann", "BUY", 1, 59_000)
    good = body_of(floor, "ann", 1)
    route, path = "DELETE /orders/{id}", {"path": {"id": order_id}}

    refused(floor, 403, "NOT_OWNER", "account", route, body_of(floor, "bob", 1), **path)
    refused(floor, 403, "NOT_OWNER", "account", route, body_of(floor, "ann", 2), **path)
    stolen = {**body_of(floor, "bob", 1), "account": account_of("ann")}
    refused(floor, 401, "BAD_SIGNATURE", "signature", route, stolen, **path)
    refused(floor, 401, "BAD_SIGNATURE", "signature", route, {**good, "signature": ""}, **path)
    refused(floor, 401, "BAD_SIGNATURE", "signature", route, {**good, "deadline": TOMORROW_S + 1}, **path)
    many = floor.signed_cancel("ann", 1, 0, TOMORROW_S)
    refused(floor, 401, "BAD_SIGNATURE", "signature", route, {**good, "signature": many}, **path)


@rule("SIGN-002")
def test_a_deadline_ends_a_signature(floor):
    order_id = floor.order("ann", "BUY", 1, 59_000)
    route, path = "DELETE /orders/{id}", {"path": {"id": order_id}}
    past = body_of(floor, "ann", 1, START_NS // NS)
    refused(floor, 422, "EXPIRED", "deadline", route, past, **path)
    for deadline in (-1, 2**40, 10**30):
        refused(floor, 400, "BAD_REQUEST", "deadline", route, {**past, "deadline": deadline}, **path)
    body = body_of(floor, "ann", 1, START_NS // NS + 1)
    assert floor.http(route, body, **path)[0] == 202


@pytest.mark.parametrize(
    "order_id", ["", "x", ":", "BTC-PERP:", ":x", "BTC-PERP:x", "ETH-PERP:x", "\ud800:x", "a:" * 5_000]
)
def test_an_id_that_is_no_order(floor, order_id):
    refused(
        floor,
        404,
        "UNKNOWN_ORDER",
        "id",
        "DELETE /orders/{id}",
        body_of(floor, "ann", 1),
        path={"id": order_id},
    )


def test_a_command_is_no_order(floor):
    floor.cancel("ann", floor.order("ann", "BUY", 1, 59_000))
    row = next(row for row in floor.store.scan("Orders") if row["orderType"] == "CANCEL")
    path = {"id": f"BTC-PERP:{row['uuid']}"}
    refused(floor, 404, "UNKNOWN_ORDER", "id", "DELETE /orders/{id}", body_of(floor, "ann", 1), path=path)


def test_too_late(floor):
    order_id = floor.order("ann", "SELL", 1, 60_000)
    floor.order("bob", "BUY", 1, 60_000)
    floor.run()
    path = {"id": order_id}
    refused(
        floor, 409, "TOO_LATE_TO_CANCEL", "id", "DELETE /orders/{id}", body_of(floor, "ann", 1), path=path
    )


@rule("HTTP-001")
@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"account": "nobody"}, "account"),
        ({"account": "0x" + "z" * 40}, "account"),
        ({"nonce": "one"}, "nonce"),
        ({"colour": "red"}, "colour"),
        ({"deadline": None}, "deadline"),
        ({"signature": "0" * 133}, "signature"),
    ],
)
def test_a_body_that_is_no_cancel(floor, change, field):
    order_id = floor.order("ann", "BUY", 1, 59_000)
    body = {**body_of(floor, "ann", 1), **change}
    refused(floor, 400, "BAD_REQUEST", field, "DELETE /orders/{id}", body, path={"id": order_id})
    refused(floor, 400, "BAD_REQUEST", "body", "DELETE /orders/{id}", "{", path={"id": order_id})


@rule("SIGN-002")
def test_cancel_below_a_nonce(floor):
    body = {"account": account_of("ann"), "min_nonce": 7, "deadline": TOMORROW_S}
    body["signature"] = floor.signed_cancel("ann", 7, 0, TOMORROW_S)
    query = {"symbol": "BTC-PERP"}

    status, said = floor.http("DELETE /orders", body, query=query)
    assert (status, said) == (202, {"symbol": "BTC-PERP", "status": "CANCEL_REQUESTED"})
    (row,) = floor.store.scan("Orders")
    assert (row["nonce_floor"], row["target"], row["trader"]) == (7, "", trader("ann"))

    route = "DELETE /orders"
    for symbol in ("", "ETH-PERP", "x" * 5_000, "\ud800"):
        refused(floor, 404, "UNKNOWN_SYMBOL", "symbol", route, body, query={"symbol": symbol})
    refused(floor, 404, "UNKNOWN_SYMBOL", "symbol", route, body)
    refused(floor, 401, "BAD_SIGNATURE", "signature", route, {**body, "min_nonce": 8}, query=query)
    stolen = {**body, "account": account_of("bob")}
    refused(floor, 401, "BAD_SIGNATURE", "signature", route, stolen, query=query)
    for min_nonce in (0, -1, 2**64, 10**30):
        refused(floor, 400, "BAD_REQUEST", "min_nonce", route, {**body, "min_nonce": min_nonce}, query=query)
    refused(floor, 400, "BAD_REQUEST", "account", route, {**body, "account": "0x"}, query=query)
    refused(floor, 400, "BAD_REQUEST", "body", route, "[]", query=query)
