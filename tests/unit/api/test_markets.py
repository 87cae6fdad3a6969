"""POST /admin/markets, GET /markets, and what the door remembers of a market."""

from __future__ import annotations

import pytest

from system.api.markets import MarketCache
from system.model.keys import Key
from system.model.units import NS
from system.ports.store import Put
from tests.rules import rule
from tests.unit.floor import MARK, Floor

ETH = {
    "action": "create",
    "symbol": "ETH-PERP",
    "kind": "PERP",
    "base": "ETH",
    "underlying": "ETH",
    "tick_e6": 10_000,
    "lot_e8": 100_000,
}
ROUTE = "POST /admin/markets"


def refused(floor: Floor, status: int, reason: str, body, groups=("admin",)) -> str:
    before = floor.scan()
    was, said = floor.http(ROUTE, body, groups=groups)
    assert (was, said["reason"]) == (status, reason), said
    assert floor.scan() == before
    detail: str = said["detail"]
    return detail


@rule("ADMN-001")
@pytest.mark.parametrize("groups", [(), ("ops",), ("administrators", "Admin")])
@pytest.mark.parametrize("action", ["create", "pause", "resume", "delete"])
def test_only_admins(groups, action):
    body = ETH if action == "create" else {"action": action, "symbol": "BTC-PERP"}
    refused(Floor(), 403, "FORBIDDEN", body, groups)


def test_a_new_market():
    floor = Floor()
    assert floor.http(ROUTE, ETH, groups=["admin"]) == (201, {"symbol": "ETH-PERP", "status": "ACTIVE"})
    row = floor.store.get("Markets", Key("MARKET#ETH-PERP", "META"))
    assert (row["status"], row["tick_e6"], row["fee_ppm"]) == ("ACTIVE", 10_000, 5_000)

    detail = refused(floor, 400, "BAD_REQUEST", {**ETH, "tick_e6": 20_000})
    assert detail == "ETH-PERP exists already"


@rule("BAND-002")
def test_the_usual_band():
    floor = Floor()
    sol = {**ETH, "symbol": "SOL-PERP", "base": "SOL", "underlying": "SOL"}
    for body in (ETH, sol, {**sol, "symbol": "XRP-PERP", "base": "XRP", "band_ppm": 30_000}):
        floor.http(ROUTE, body, groups=["admin"])
    assert [
        floor.store.get("Markets", Key(f"MARKET#{name}-PERP", "META"))["band_ppm"]
        for name in ("ETH", "SOL", "XRP")
    ] == [50_000, 80_000, 30_000]


CALL = {
    **ETH,
    "symbol": "BTC-27JUN25-60000-C",
    "kind": "OPTION",
    "base": "BTC",
    "underlying": "BTC",
    "tick_e6": 5_000_000,
    "lot_e8": 1_000_000,
    "expiry_s": 1_751_011_200,
    "strike_e6": 60_000_000_000,
    "option_type": "CALL",
}


@rule("OPTN-002")
@pytest.mark.parametrize(
    ("days", "price", "cap"), [(30, 50_000, 120_000), (30, 70_000, 140_000), (31, 50_000, 180_000)]
)
def test_a_call_without_a_cap_is_listed_with_the_usual_one(days, price, cap):
    floor = Floor()
    floor.store.write(Put("Prices", {"PK": "ASSET#BTC", "SK": "TS#1", "price_e6": price * 10**6}))
    floor.clock.advance((CALL["expiry_s"] - days * 86_400) * NS - floor.clock.now_ns())
    assert floor.http(ROUTE, CALL, groups=["admin"])[0] == 201
    assert floor.store.get("Markets", Key("MARKET#BTC-27JUN25-60000-C", "META"))["cap_e6"] == cap * 10**6


@rule("OPTN-002")
def test_a_call_that_needs_a_cap_and_states_none():
    floor = Floor()
    assert "no index yet" in refused(floor, 400, "BAD_REQUEST", CALL)
    floor.store.write(Put("Prices", {"PK": "ASSET#BTC", "SK": "TS#1", "price_e6": 60_000 * 10**6}))
    floor.clock.advance((CALL["expiry_s"] - 91 * 86_400) * NS - floor.clock.now_ns())
    assert "at most 90 days" in refused(floor, 400, "BAD_REQUEST", CALL)
    assert "settle tick" in refused(floor, 400, "BAD_REQUEST", {**CALL, "tick_e6": 0})


@rule("MARK-002")
@pytest.mark.parametrize(
    "change",
    [
        {"symbol": "ETH"},
        {"symbol": "ETH-PERP-PERP"},
        {"tick_e6": 0},
        {"tick_e6": -10_000},
        {"tick_e6": 10**40},
        {"lot_e8": 1},
        {"lot_e8": 10**14},
        {"fee_ppm": -1},
        {"fee_ppm": 1_000_001},
        {"im_ppm": 50_000},
        {"im_ppm": 2_000_000},
        {"mm_ppm": -1},
        {"band_ppm": 1_000_000},
        {"kind": "FUTURE"},
        {"kind": "SPOT"},
        {"kind": "SPOT", "symbol": "ETH-USDC", "base": "USDC"},
        {"colour": "red"},
        {"action": "destroy"},
        {"base": None},
    ],
)
def test_terms_that_make_no_market(change):
    refused(Floor(), 400, "BAD_REQUEST", {**ETH, **change})


@rule("ADMN-002")
def test_changes_are_sequenced_commands():
    floor = Floor()
    said = floor.http(ROUTE, {"action": "pause", "symbol": "BTC-PERP"}, groups=["admin"])
    assert said == (202, {"symbol": "BTC-PERP", "requested": "PAUSED"})
    (row,) = floor.store.scan("Orders")
    assert (row["orderType"], row["state"], row["status"]) == ("STATE", "PAUSED", "PENDING")
    assert floor.store.get("Markets", Key("MARKET#BTC-PERP", "META"))["status"] == "ACTIVE"

    for symbol in ("ETH-PERP", "", "x" * 3_000):
        refused(floor, 404, "UNKNOWN_SYMBOL", {"action": "pause", "symbol": symbol})


@rule("ADMN-003")
def test_closed_is_for_good():
    floor = Floor()
    floor.admin("delete")
    floor.run()
    for action in ("resume", "pause", "delete"):
        refused(floor, 409, "EXCHANGE_CLOSED", {"action": action, "symbol": "BTC-PERP"})


def test_the_list_of_markets():
    floor = Floor()
    floor.admin("pause", "sBTC-USDC")
    floor.run()
    status, said = floor.http("GET /markets")
    assert status == 200
    assert [(row["symbol"], row["status"]) for row in said["markets"]] == [
        ("BTC-PERP", "ACTIVE"),
        ("sBTC-USDC", "PAUSED"),
    ]
    assert said["markets"][0]["mark_e6"] == str(MARK)
    assert "PK" not in said["markets"][0]


def test_a_market_is_read_once_a_while():
    floor = Floor()
    cache = MarketCache(floor.store, floor.clock, NS)
    first = cache.get("BTC-PERP")
    assert first.mark_e6 == MARK
    assert cache.get("ETH-PERP") is None
    floor.http(ROUTE, ETH, groups=["admin"])
    assert cache.get("ETH-PERP").mark_e6 == 0
    floor.clock.advance(NS - 1)
    assert cache.get("BTC-PERP") is first
    floor.clock.advance(1)
    assert cache.get("BTC-PERP") is not first
