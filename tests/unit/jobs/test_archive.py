"""TradesArchiver."""

from __future__ import annotations

import json

import pytest

from system.jobs.archive import Archive
from system.model.units import DAY_NS
from system.ports.store import Update
from tests.rules import rule
from tests.unit.floor import START_NS, Floor


@pytest.fixture
def floor() -> Floor:
    """Six trades of two markets, two of them after midnight."""
    floor = Floor()
    for name in ("ann", "bob"):
        floor.fund(name)
        floor.fund(name, "sBTC", 10**9)
    for place in range(6):
        symbol = "sBTC-USDC" if place % 3 == 2 else "BTC-PERP"
        floor.order("ann", "SELL", 1, 60_000, symbol)
        floor.order("bob", "BUY", 1, 60_000, symbol)
        floor.run()
        if place == 3:
            floor.clock.set(START_NS - START_NS % DAY_NS + DAY_NS)
    return floor


def records(floor: Floor, event_name: str = ""):
    return floor.store.stream("Trades").read("test", 1_000, event_name)


def lines(floor: Floor, key: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in floor.lake.get(key).splitlines()]


@rule("ARCH-001")
def test_one_object_a_market_and_day(floor):
    Archive(floor.lake).handle({"Records": records(floor)}, None)

    assert floor.lake.list("") == [
        "trades/2025/05/03/BTC-PERP/000000000001-000000000003.jsonl",
        "trades/2025/05/03/sBTC-USDC/000000000001-000000000001.jsonl",
        "trades/2025/05/04/BTC-PERP/000000000004-000000000004.jsonl",
        "trades/2025/05/04/sBTC-USDC/000000000002-000000000002.jsonl",
    ]
    first, *_ = lines(floor, "trades/2025/05/03/BTC-PERP/000000000001-000000000003.jsonl")
    row = floor.store.scan("Trades")[0]
    assert first["notional"] == str(row["notional"])
    assert first["tradeType"] == "TRADE"
    assert not {"PK", "SK", "maker_key", "taker_key", "settlementStatus"} & first.keys()
    assert all(isinstance(value, str) for value in first.values())


@rule("ARCH-001")
def test_a_batch_that_comes_again_writes_over_itself(floor):
    batch = {"Records": records(floor)}
    Archive(floor.lake).handle(batch, None)
    before = {key: floor.lake.get(key) for key in floor.lake.list("")}
    Archive(floor.lake).handle(batch, None)
    assert {key: floor.lake.get(key) for key in floor.lake.list("")} == before


@rule("ARCH-001")
def test_batches_that_overlap_hold_equal_lines(floor):
    all_of_them = records(floor)
    for part in (all_of_them[:4], all_of_them[2:]):
        Archive(floor.lake).handle({"Records": part}, None)
    seen: dict[tuple[str, str], dict[str, str]] = {}
    for key in floor.lake.list("trades/"):
        for line in lines(floor, key):
            assert seen.setdefault((line["symbol"], line["trade_no"]), line) == line
    assert len(seen) == 6


def test_what_settlement_changes_is_no_new_trade(floor):
    row = floor.store.scan("Trades")[0]
    key = (row["PK"], row["SK"])
    floor.store.write(Update("Trades", key, put={"settlementStatus": "BATCHED"}))
    Archive(floor.lake).handle({"Records": records(floor)[6:]}, None)
    assert floor.lake.list("") == []
