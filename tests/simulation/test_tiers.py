"""Statistics in their other forms: all-time rows by market, and buckets of five seconds."""

from __future__ import annotations

import pytest

from sim.run import run
from sim.world.build import World
from sim.world.business import business_line
from system.metrics.queries import all_time
from system.model import keys
from system.model.keys import Item
from tests.rules import rule
from tests.simulation.scenes import ask, played, small

BUSY = ("start=2025-05-03T23:58:58Z", "duration=75 s")


def rows(world: World, table: str) -> list[Item]:
    assert world.backend is not None
    return world.backend.scan(table)


@rule("METR-015")
def test_rows_by_market_add_up_to_the_single_one() -> None:
    with played(small(2, *BUSY)) as literal, played(small(2, *BUSY, "lifetime=sharded")) as sharded:
        [one] = rows(literal, keys.STATS_LIFETIME)
        many = rows(sharded, keys.STATS_LIFETIME)

        assert [row["SK"] for row in many] == ["SHARD#BTC-PERP", "SHARD#sBTC-USDC"]
        assert all_time(many) == all_time([one])
        assert one["trades"] > 50
        for table in (keys.ORDERS, keys.TRADES, keys.BALANCES, keys.STATS_INTRADAY, keys.STATS_DAILY):
            said = [[business_line(table, row) for row in rows(world, table)] for world in (literal, sharded)]
            assert said[0] == said[1], table


@rule("METR-016")
@pytest.mark.parametrize("interleaving", ["atomic", "ports"])
def test_five_seconds_fold_into_minutes(interleaving: str) -> None:
    both = (*BUSY, "intraday=both", f"interleaving={interleaving}")
    with played(small(2, *both)) as world:
        buckets = rows(world, keys.STATS_INTRADAY)
        fine = [row for row in buckets if row["PK"] == keys.fine_pk("BTC-PERP")]
        traded = [row for row in fine if row.get("trades")]
        event = {
            "routeKey": "GET /stats/{symbol}",
            "headers": {},
            "pathParameters": {"symbol": "BTC-PERP"},
            "queryStringParameters": {"tier": "fine"},
            "requestContext": {"requestId": "x", "http": {"method": "GET", "path": "/stats/BTC-PERP"}},
        }
        said = ask(world, event)

    assert len(traded) > 10
    assert all(int(row["SK"][-2:]) % 5 == 0 for row in fine)
    assert said["statusCode"] == 200
    assert said["body"].count('"minute"') == len(fine)
    record = run(small(2, *both, "lifetime=sharded")).record
    assert record.failures == []
    assert record.invariants["tiers_add_up"] == record.invariants["stats_against_trades"] == "held"


@rule("METR-016")
def test_an_instance_that_dies_goes_on_with_its_five_seconds() -> None:
    crash = "faults=[{fault: crash, target: matcher, before: store.transact, probability: 5 %, down: 0 s}]"
    record = run(small(3, *BUSY, "intraday=both", "interleaving=ports", crash)).record

    assert record.failures == []
    assert sum(record.faults.values()) >= 2  # each keeps its market waiting for a minute
