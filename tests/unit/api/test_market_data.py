"""Market data: what the book is, what was traded, where a market stands."""

from __future__ import annotations

import pytest

from system.model.units import DAY_NS, MINUTE_NS, NS
from tests.rules import rule
from tests.unit.floor import E6, E8, Floor, account_of, trader

PATH = {"symbol": "BTC-PERP"}


@pytest.fixture
def floor() -> Floor:
    floor = Floor()
    for name in ("ann", "bob", "cat"):
        floor.fund(name)
    return floor


def trade(floor: Floor, lots: int, ticks: int) -> None:
    floor.order("ann", "SELL", lots, ticks)
    floor.order("bob", "BUY", lots, ticks, tif="IOC")
    floor.run()


@rule("QURY-002")
def test_the_book_is_the_last_depth_message(floor):
    empty = floor.http("GET /markets/{symbol}/depth", path=PATH)[1]
    assert (empty["seq"], empty["data"]) == (0, {"bids": [], "asks": []})

    for ticks in (59_000, 58_900, 59_000):
        floor.order("ann", "BUY", 2, ticks)
    floor.order("bob", "SELL", 1, 61_000)
    floor.run()
    status, said = floor.http("GET /markets/{symbol}/depth", path=PATH)

    assert status == 200
    assert said == [each for each in floor.news() if each["kind"] == "depth"][-1]
    assert said["data"]["bids"] == [
        [str(59_000 * E6), str(4 * E8 // 100)],
        [str(58_900 * E6), str(2 * E8 // 100)],
    ]
    assert said["data"]["asks"] == [[str(61_000 * E6), str(E8 // 100)]]
    assert said["seq"] == floor.lease()["feed_seq"]


def test_prints_page_by_page_name_nobody(floor):
    for ticks in (60_000, 60_010, 60_020):
        trade(floor, 1, ticks)
    seen, cursor = [], ""
    while cursor is not None:
        query = {"limit": "2", **({"next": cursor} if cursor else {})}
        said = floor.http("GET /markets/{symbol}/trades", path=PATH, query=query)[1]
        seen += said["trades"]
        cursor = said["next"]

    assert [each["trade_no"] for each in seen] == ["3", "2", "1"]
    assert all(trader(name) not in str(seen) for name in ("ann", "bob"))
    refused = floor.http("GET /markets/{symbol}/trades", path=PATH, query={"next": "e30="})
    assert refused[0] == 400


def test_fills_of_a_trader_in_both_roles(floor):
    trade(floor, 1, 60_000)
    floor.order("bob", "SELL", 2, 60_010)
    floor.order("ann", "BUY", 2, 60_010, tif="IOC")
    floor.run()
    trade(floor, 3, 60_020)
    seen, cursor = [], ""
    while cursor is not None:
        query = {"account": account_of("ann"), "limit": "1", **({"next": cursor} if cursor else {})}
        said = floor.http("GET /trades", query=query)[1]
        seen += said["fills"]
        cursor = said["next"]

    assert [(each["trade_no"], each["role"]) for each in seen] == [
        ("3", "maker"),
        ("2", "taker"),
        ("1", "maker"),
    ]
    assert all("order_id" in each and "fee" in each for each in seen)
    assert trader("bob") not in str(seen)
    assert floor.http("GET /trades", query={"account": account_of("cat")})[1] == {"fills": [], "next": None}


@rule("QURY-001")
def test_fills_of_one_role_go_on_after_the_second_page(floor):
    for place in range(5):
        trade(floor, 1, 60_000 + 10 * place)
    seen, cursor = [], ""
    while cursor is not None:
        query = {"account": account_of("bob"), "limit": "1", **({"next": cursor} if cursor else {})}
        said = floor.http("GET /trades", query=query)[1]
        seen += said["fills"]
        cursor = said["next"]

    assert [(each["trade_no"], each["role"]) for each in seen] == [
        (str(no), "taker") for no in range(5, 0, -1)
    ]


@rule("QURY-003")
def test_the_ticker_is_the_last_24_hours(floor):
    trade(floor, 1, 60_000)
    floor.clock.advance(23 * 60 * MINUTE_NS)
    trade(floor, 2, 60_500)
    floor.order("ann", "BUY", 1, 59_900)
    floor.run()
    said = floor.http("GET /markets/{symbol}/ticker", path=PATH)[1]

    assert (said["best_bid"], said["best_ask"]) == ([str(59_900 * E6), str(E8 // 100)], None)
    assert said["day"]["trades"] == "2"
    assert (said["day"]["open_e6"], said["day"]["close_e6"]) == (str(60_000 * E6), str(60_500 * E6))
    assert (said["open_interest_e8"], said["status"]) == (str(3 * E8 // 100), "ACTIVE")

    floor.clock.advance(2 * 60 * MINUTE_NS)
    assert floor.http("GET /markets/{symbol}/ticker", path=PATH)[1]["day"]["trades"] == "1"


@rule("QURY-003")
def test_rows_past_their_time_are_gone_for_readers(floor):
    trade(floor, 1, 60_000)
    assert len(floor.http("GET /stats/{symbol}", path=PATH)[1]["intraday"]) == 1

    floor.clock.advance(2 * DAY_NS + 10 * NS)

    assert floor.scan()["StatsIntraday"]
    assert floor.http("GET /stats/{symbol}", path=PATH)[1]["intraday"] == []


def test_stats_of_one_tier(floor):
    trade(floor, 1, 60_000)
    for tier in ("intraday", "daily", "lifetime"):
        assert list(floor.http("GET /stats/{symbol}", path=PATH, query={"tier": tier})[1]) == [tier]
    assert floor.http("GET /stats/{symbol}", path=PATH, query={"tier": "hot"})[0] == 400


def test_orders_by_market_and_state(floor):
    live = floor.order("ann", "BUY", 1, 59_000)
    done = floor.order("ann", "BUY", 1, 59_000, tif="IOC")
    floor.order("ann", "BUY", 1, 59_000, symbol="sBTC-USDC")
    floor.run()
    query = {"account": account_of("ann"), "symbol": "BTC-PERP"}
    for status, expected in (("live", live), ("done", done)):
        said = floor.http("GET /orders", query={**query, "status": status})[1]["orders"]
        assert [f"{row['symbol']}:{row['uuid']}" for row in said] == [expected]
    assert floor.http("GET /orders", query={**query, "status": "x"})[0] == 400


@pytest.mark.parametrize("what", ["depth", "trades", "ticker"])
def test_no_such_market(floor, what):
    for symbol in ("NO-PERP", "X" * 4_000):
        status, said = floor.http("GET /markets/{symbol}/" + what, path={"symbol": symbol})
        assert (status, said["reason"]) == (404, "UNKNOWN_SYMBOL")
