"""Step 11: minutes into a day."""

from __future__ import annotations

import json

import pytest

from system.jobs.daily_rollup import DailyRollup
from system.model.keys import Key
from system.model.units import DAY_NS, MINUTE_NS
from system.ports.store import Delete, Put
from tests.rules import rule
from tests.unit.floor import E6, START_NS, Floor

USDC = 10**6


@pytest.fixture
def floor() -> Floor:
    """A trade a minute for ten minutes, then one after midnight."""
    floor = Floor()
    for name in ("ann", "bob"):
        floor.fund(name)
    for place in range(11):
        if place == 10:
            floor.clock.set(midnight() + MINUTE_NS)
        floor.order("ann", "SELL", 1, 60_000 + place)
        floor.order("bob", "BUY", 1, 60_000 + place)
        floor.run()
        floor.clock.advance(MINUTE_NS)
    return floor


def midnight() -> int:
    return START_NS - START_NS % DAY_NS + DAY_NS


def roll(floor: Floor) -> None:
    DailyRollup(floor.store, floor.lake, floor.clock).handle({}, None)


@rule("ROLL-001")
def test_a_day_is_the_sum_of_its_minutes(floor):
    roll(floor)

    (day,) = floor.store.scan("StatsDaily")
    assert (day["PK"], day["SK"], day["minutes"], day["trades"]) == ("MARKET#BTC-PERP", "2025-05-03", 10, 10)
    assert day["volume"] == sum(600 * USDC + place * USDC // 100 for place in range(10))
    assert (day["open_e6"], day["high_e6"], day["close_e6"]) == (60_000 * E6, 60_009 * E6, 60_009 * E6)
    assert floor.lake.list("") == ["daily/2025-05-03.json"]
    said = json.loads(floor.lake.get("daily/2025-05-03.json"))
    assert said["day"] == "2025-05-03"
    assert said["markets"]["BTC-PERP"]["volume"] == str(day["volume"])
    assert list(said["markets"]) == ["BTC-PERP"]


@rule("ROLL-001")
def test_twice_is_once(floor):
    roll(floor)
    before, body = floor.scan(), floor.lake.get("daily/2025-05-03.json")
    roll(floor)
    assert floor.scan() == before
    assert floor.lake.get("daily/2025-05-03.json") == body


def test_a_closed_market_had_a_day_too(floor):
    floor.admin("delete")
    floor.run()
    roll(floor)
    assert len(floor.store.scan("StatsDaily")) == 1


def test_a_day_without_trades_leaves_nothing():
    floor = Floor()
    roll(floor)
    assert floor.store.scan("StatsDaily") == []
    assert floor.lake.list("") == []


@rule("ROLL-002")
def test_a_fill_that_is_committed_late_counts(floor):
    late = floor.store.query("StatsIntraday", "MARKET#BTC-PERP", limit=1).items[0]
    floor.store.write(Delete("StatsIntraday", Key(late["PK"], late["SK"])))
    roll(floor)
    assert floor.store.scan("StatsDaily")[0]["trades"] == 9

    floor.store.write(Put("StatsIntraday", late))
    roll(floor)

    (day,) = floor.store.scan("StatsDaily")
    assert (day["trades"], day["minutes"]) == (10, 10)
    assert json.loads(floor.lake.get("daily/2025-05-03.json"))["markets"]["BTC-PERP"]["minutes"] == "10"
