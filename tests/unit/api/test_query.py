"""The door's reads."""

from __future__ import annotations

import base64
import json

import pytest

from tests.rules import rule
from tests.unit.floor import E6, Floor, account_of, trader

USDC = 10**6


@pytest.fixture
def floor() -> Floor:
    floor = Floor()
    for name in ("ann", "bob"):
        floor.fund(name)
    return floor


def forged(**parts: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode()


def test_orders_newest_first_page_by_page(floor):
    mine = [floor.order("ann", "BUY", 1, 59_000 - place) for place in range(7)]
    floor.order("bob", "BUY", 1, 59_000)
    seen, cursor = [], ""
    for _ in range(4):
        query = {"account": account_of("ann"), "limit": "2", **({"next": cursor} if cursor else {})}
        status, said = floor.http("GET /orders", query=query)
        assert status == 200
        seen += [f"{row['symbol']}:{row['uuid']}" for row in said["orders"]]
        cursor = said["next"]
    assert seen == list(reversed(mine))
    assert cursor is None
    assert (
        floor.http("GET /orders", query={"trader": trader("ann"), "limit": "200"})[1]["orders"][0]["nonce"]
        == "7"
    )


def test_what_an_order_shows(floor):
    floor.order("ann", "BUY", 1, 59_000)
    (row,) = floor.http("GET /orders", query={"trader": trader("ann")})[1]["orders"]
    assert row["limit_price_e6"] == str(59_000 * E6)
    assert not {"PK", "SK", "trader_key", "signature"} & row.keys()


@rule("QURY-001")
def test_a_cursor_is_ones_own_and_unchanged(floor):
    for place in range(3):
        floor.order("ann", "BUY", 1, 59_000 - place)
        floor.order("bob", "BUY", 1, 59_000 - place)
    given = floor.http("GET /orders", query={"trader": trader("bob"), "limit": "1"})[1]["next"]
    key = "TRADER#" + trader("ann")
    before = floor.scan()
    for cursor in (
        given,
        "x",
        "%%%",
        "\ud800",
        forged(),
        forged(trader_key=key),
        forged(trader_key=key, PK="MARKET#BTC-PERP"),
        forged(trader_key=key, PK="MARKET#BTC-PERP", SK=7),
        forged(trader_key=key, PK="MARKET#BTC-PERP", SK=None),
        forged(trader_key=key, PK="TRADER#x", SK="TS#1"),
        forged(trader_key=key, PK="MARKET#BTC-PERP", SK="x"),
        forged(trader_key=key, PK="MARKET#BTC-PERP", SK="TS#" + "1" * 3_000),
        forged(trader_key=key, PK="MARKET#BTC-PERP", SK="TS#1", more=1),
        base64.urlsafe_b64encode(b"[1]").decode(),
        base64.urlsafe_b64encode(b"\xff").decode(),
    ):
        status, said = floor.http("GET /orders", query={"trader": trader("ann"), "next": cursor})
        assert (status, said["reason"], said["field"]) == (400, "BAD_REQUEST", "next"), cursor
    assert floor.scan() == before


@pytest.mark.parametrize("limit", ["", "0", "201", "-1", "many", "1.0", "9" * 5_000, "\u0663", " 5"])
def test_a_limit_out_of_range(floor, limit):
    status, said = floor.http("GET /orders", query={"trader": trader("ann"), "limit": limit})
    assert (status, said["reason"], said["field"]) == (400, "BAD_REQUEST", "limit")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({}, "trader"),
        ({"trader": "x"}, "trader"),
        ({"account": "x"}, "account"),
        ({"trader": "x" * 5_000}, "trader"),
    ],
)
def test_whose_rows(floor, query, field):
    for route in ("GET /orders", "GET /positions"):
        status, said = floor.http(route, query=query)
        assert (status, said["reason"], said["field"]) == (400, "BAD_REQUEST", field)


def test_positions_with_their_profit_at_the_mark(floor):
    floor.order("ann", "SELL", 2, 59_000)
    floor.order("bob", "BUY", 2, 59_000)
    floor.run()
    said = {
        name: floor.http("GET /positions", query={"account": account_of(name)})[1] for name in ("ann", "bob")
    }

    assert said["bob"]["positions"][0]["unrealised"] == str(20 * USDC)
    assert said["ann"]["positions"][0]["unrealised"] == str(-20 * USDC)
    assert said["bob"]["positions"][0]["mark_e6"] == str(60_000 * E6)
    (balance,) = said["bob"]["balances"]
    available, reserved = floor.balance("bob")
    amounts = {"available": str(available), "reserved": str(reserved), "backed": str(available)}
    assert balance == {"asset": "USDC", **amounts}


def test_statistics(floor):
    floor.order("ann", "SELL", 2, 59_000)
    floor.order("bob", "BUY", 2, 59_000)
    floor.run()

    status, said = floor.http("GET /stats/{symbol}", path={"symbol": "BTC-PERP"}, query={"minutes": "5"})
    assert status == 200
    (minute,) = said["intraday"]
    assert (minute["trades"], minute["volume"]) == ("1", str(1_180 * USDC))
    assert (said["lifetime"]["trades"], said["lifetime"]["oi_e8"]) == ("1", str(2 * 10**6))
    assert said["daily"] == []

    status, said = floor.http("GET /stats/{symbol}", path={"symbol": "ETH-PERP"})
    assert (status, said["reason"]) == (404, "UNKNOWN_SYMBOL")
    status, said = floor.http("GET /stats/{symbol}", path={"symbol": "BTC-PERP"}, query={"minutes": "1441"})
    assert (status, said["field"]) == (400, "minutes")
