"""Facts: each is the peak of its course, and measures what its name says."""

from __future__ import annotations

from typing import Any

from sim.facts import FACTS, courses, facts
from sim.scenario.thresholds import MEASURES
from system.model.units import MINUTE_NS

START_NS = 1_746_252_000 * 10**9  # 2025-05-03T06:00
UNDERLYING = {"BTC-PERP": "BTC"}


def price(minute: int, usdc: int) -> dict[str, Any]:
    return {"asset": "BTC", "ts_ns": START_NS + minute * MINUTE_NS, "price_e6": usdc * 10**6}


def trade(minute: int, usdc: int, btc: int = 1, kind: str = "TRADE") -> dict[str, Any]:
    return {
        "symbol": "BTC-PERP",
        "tradeType": kind,
        "ts_ns": START_NS + minute * MINUTE_NS + 1,
        "notional": usdc * btc * 10**6,
        "qty_e8": btc * 10**8,
    }


def gauge(minute: int, oi: int, depth: int | None) -> dict[str, Any]:
    row = {"symbol": "BTC-PERP", "SK": f"2025-05-03T06:{minute:02}", "oi_e8": oi}
    return row if depth is None else row | {"depth_bid_200bp": depth, "depth_ask_200bp": depth}


def found(*rows: dict[str, Any], gauges: tuple[dict[str, Any], ...] = ()) -> dict[str, int]:
    prices = [row for row in rows if "asset" in row]
    trades = [row for row in rows if "tradeType" in row]
    return facts(courses(prices, trades, gauges, UNDERLYING))


def test_nothing_is_a_fact_of_an_empty_run() -> None:
    assert found() == dict.fromkeys(FACTS, 0)


def test_every_fact_can_be_a_threshold() -> None:
    assert set(FACTS) <= set(MEASURES)


def test_a_fall_counts_from_the_highest_price_before_and_a_rise_from_the_lowest() -> None:
    was = found(price(0, 100), price(1, 120), price(2, 90), price(3, 99), price(4, 60), price(5, 66))

    assert was["index_fall"] == 500_000
    assert was["index_rise"] == 200_000


def test_the_discount_is_that_of_the_worst_minutes_mean() -> None:
    was = found(price(0, 100), price(1, 100), trade(0, 99), trade(0, 97), trade(1, 104), trade(2, 10))

    assert was["discount"] == 20_000
    assert was["premium"] == 40_000


def test_what_was_liquidated_and_how_much_of_it_in_one_minute() -> None:
    was = found(
        trade(0, 100, kind="LIQUIDATION"),
        trade(3, 100, kind="ADL"),
        trade(3, 200, kind="LIQUIDATION"),
        trade(3, 9),
    )

    assert was["liquidated"] == 400 * 10**6
    assert was["liquidated_in_worst_minute"] == 750_000


def test_open_interest_and_depth_fall_from_their_highest_so_far() -> None:
    gauges = (
        gauge(0, 50, None),
        gauge(1, 200, 100),
        gauge(2, 150, 400),
        gauge(3, 100, 8),
        gauge(4, 300, 200),
    )

    was = found(gauges=gauges)

    assert was["oi_fall"] == 500_000
    assert was["depth_fall"] == 980_000


def test_a_course_shows_when_it_happened() -> None:
    gauges = (gauge(0, 10, 10), gauge(1, 5, 10))

    course = courses([], [trade(2, 1, kind="ADL"), trade(4, 1, kind="ADL")], gauges, UNDERLYING)

    assert course["oi_fall"] == [(START_NS, 0), (START_NS + MINUTE_NS, 500_000)]
    assert [value for _, value in course["deleveraged"]] == [1, 2]
