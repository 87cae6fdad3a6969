"""Feeds into Prices, and each market's index and mark."""

from __future__ import annotations

import json

import pytest

from system.jobs.oracle_fetch import OracleFetch
from system.model.keys import Key
from system.model.units import NS
from system.ports.oracle import Observation
from tests.rules import rule
from tests.unit.floor import BTC, E6, START_NS, Floor


class Feeds:
    """Prices as told, by asset."""

    def __init__(self, **prices: tuple[int, ...]) -> None:
        self.prices = prices
        self.asked: list[str] = []

    def latest(self, asset: str) -> list[Observation]:
        self.asked.append(asset)
        return [
            Observation(f"source {place}", price_e6, START_NS - place)
            for place, price_e6 in enumerate(self.prices.get(asset, ()))
        ]


def market(floor: Floor, symbol: str = "BTC-PERP"):
    return floor.store.get("Markets", Key("MARKET#" + symbol, "META"))


def fetch(floor: Floor, feeds: Feeds) -> None:
    OracleFetch(floor.store, feeds, floor.topic, floor.clock).handle({}, None)


@rule("ORCL-001")
def test_one_row_an_asset_and_a_mark_for_each_of_its_markets():
    floor, feeds = Floor(), Feeds(BTC=(61_234_600_000, 61_000_000_000))
    fetch(floor, feeds)

    assert feeds.asked == ["BTC"]
    (row,) = floor.store.scan("Prices")
    assert (row["PK"], row["SK"]) == ("ASSET#BTC", "TS#2025-05-03T23:30:00.000000007Z")
    assert (row["price_e6"], row["ttl"]) == (61_234_600_000, START_NS // NS + 7 * 86_400)
    assert row["sources"][1] == {
        "source": "source 1",
        "price_e6": 61_000_000_000,
        "published_ns": START_NS - 1,
    }
    for symbol in ("BTC-PERP", "sBTC-USDC"):
        found = market(floor, symbol)
        assert (found["index_e6"], found["mark_e6"], found["index_ns"]) == (
            61_234_600_000,
            61_235 * E6,
            START_NS,
        )
        assert found["status"] == "ACTIVE"
    (text,) = floor.topic.messages
    assert [message["data"]["mark_e6"] for message in json.loads(text)] == [str(61_235 * E6)] * 2


@rule("ORCL-002")
@pytest.mark.parametrize(
    ("price_e6", "mark"),
    [
        (60_000_499_999, 60_000),
        (60_000_500_000, 60_000),  # half goes to the even tick
        (60_001_500_000, 60_002),
        (60_000_500_001, 60_001),
        (60_000_000_000, 60_000),
    ],
)
def test_the_mark_is_the_index_on_a_tick(price_e6, mark):
    floor = Floor((BTC,))
    fetch(floor, Feeds(BTC=(price_e6,)))
    assert market(floor)["mark_e6"] == mark * E6


@rule("ORCL-003")
@pytest.mark.parametrize("prices", [(), (0, 5), (-1,)])
def test_no_price_changes_nothing(prices):
    floor = Floor()
    before = floor.scan()
    fetch(floor, Feeds(BTC=prices))
    assert floor.scan() == before
    assert floor.topic.messages == []


def test_a_paused_market_has_a_mark_and_a_closed_one_none():
    floor = Floor()
    floor.admin("pause")
    floor.admin("delete", "sBTC-USDC")
    floor.run()
    fetch(floor, Feeds(BTC=(61_000 * E6,)))
    assert market(floor)["mark_e6"] == 61_000 * E6
    assert market(floor, "sBTC-USDC")["mark_e6"] == 60_000 * E6
