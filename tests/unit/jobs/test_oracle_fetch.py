"""Feeds into Prices, and each market's index and mark."""

from __future__ import annotations

import pytest

from system.config import Config
from system.jobs.oracle_fetch import OracleFetch
from system.model.keys import Key
from system.model.units import NS
from system.ports.oracle import Observation
from tests.rules import rule
from tests.unit.floor import BTC, E6, START_NS, Floor


class Feeds:
    """What Pyth says by asset, and Chainlink beside it, published now."""

    def __init__(self, floor: Floor, **prices: tuple[int, ...]) -> None:
        self.floor = floor
        self.prices = prices
        self.asked: list[str] = []

    def latest(self, asset: str) -> list[Observation]:
        self.asked.append(asset)
        now_ns = self.floor.clock.now_ns()
        return [
            Observation(source, price_e6, now_ns, conf_e6=5)
            for source, price_e6 in zip(("pyth", "chainlink"), self.prices.get(asset, ()), strict=False)
        ]


def market(floor: Floor, symbol: str = "BTC-PERP"):
    return floor.store.get("Markets", Key("MARKET#" + symbol, "META"))


def fetch(floor: Floor, *prices: int, **config: int) -> None:
    feeds = Feeds(floor, BTC=prices)
    job = OracleFetch(floor.store, feeds, floor.fifo, floor.clock, Config(signatures="off", **config))
    job.handle({}, None)
    floor.run()
    assert feeds.asked == ["BTC"], "every asset once"


@rule("ORCL-001")
def test_one_row_an_asset_and_an_index_for_each_of_its_markets():
    floor = Floor()
    fetch(floor, 61_234_600_000, 61_000_000_000)

    (row,) = floor.store.scan("Prices")
    assert (row["PK"], row["SK"]) == ("ASSET#BTC", "TS#2025-05-03T23:30:00.000000007Z")
    assert (row["price_e6"], row["fault"], row["ttl"]) == (61_234_600_000, "", START_NS // NS + 7 * 86_400)
    assert row["sources"][1] == {
        "source": "chainlink",
        "price_e6": 61_000_000_000,
        "published_ns": START_NS,
        "conf_e6": 5,
        "fault": "",
    }
    for symbol in ("BTC-PERP", "sBTC-USDC"):
        found = market(floor, symbol)
        assert (found["index_e6"], found["mark_e6"], found["index_ns"]) == (
            61_234_600_000,
            61_235 * E6,
            START_NS,
        )
        assert (found["index_valid"], found["standing"], found["status"]) == (True, "", "ACTIVE")
    marks = [message["data"]["mark_e6"] for message in floor.news("markPrice")]
    assert len(marks) >= 2
    assert set(marks) == {str(61_235 * E6)}


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
    fetch(floor, price_e6)
    assert market(floor)["mark_e6"] == mark * E6


@rule("ORCL-003", "ORAC-026")
@pytest.mark.parametrize(
    ("prices", "fault"),
    [((), "NO_FEED"), ((0, 60_000 * E6), "BOUND_ONLY"), ((60_000 * E6, 70_000 * E6), "FEEDS_DIFFER")],
)
def test_without_an_index_the_last_one_is_held_and_the_rows_say_so(prices, fault):
    floor = Floor()
    fetch(floor, 61_000 * E6)
    floor.clock.advance(30 * NS)
    floor.topic.messages.clear()
    fetch(floor, *prices)
    found = market(floor)
    assert (found["index_e6"], found["mark_e6"], found["index_ns"]) == (61_000 * E6, 61_000 * E6, START_NS)
    assert (found["index_valid"], found["index_state"]["fault"], found["standing"]) == (False, fault, "")
    assert floor.news("markPrice") == []
    assert [row["fault"] for row in floor.store.scan("Prices")] == ["", fault]
    floor.clock.advance(60 * NS)
    fetch(floor)
    assert market(floor)["standing"] == "CANCEL_ONLY"


@rule("ORCL-003")
def test_the_next_tick_goes_on_from_what_was_stored():
    floor = Floor()
    fetch(floor, 60_000 * E6)
    for expected in (60_000, 53_000):  # a jump waits for one confirmation
        floor.clock.advance(30 * NS)
        fetch(floor, 53_000 * E6)
        assert market(floor)["index_e6"] == expected * E6


@rule("ORCL-004")
def test_a_deployment_may_set_guard_and_jump():
    floor = Floor()
    fetch(floor, 60_000 * E6, 60_600 * E6, index_guard_ppm=10_000)
    assert market(floor)["index_valid"]
    floor.clock.advance(30 * NS)
    fetch(floor, 53_000 * E6, index_jump_ppm=200_000)
    assert market(floor)["index_e6"] == 53_000 * E6


@rule("CLRH-001")
def test_a_paused_market_records_the_index_and_a_closed_one_nothing():
    floor = Floor()
    floor.admin("pause")
    floor.admin("delete", "sBTC-USDC")
    floor.run()
    fetch(floor, 61_000 * E6)
    assert (market(floor)["index_e6"], market(floor)["mark_e6"]) == (61_000 * E6, 60_000 * E6)
    assert market(floor, "sBTC-USDC")["mark_e6"] == 60_000 * E6
