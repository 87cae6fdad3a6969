"""One market's minutes: what is added, what is set, what survives a restart."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from system.matcher.book import Book
from system.metrics.buckets import MinuteBucket, depth_gauges
from system.metrics.definitions import GAUGES, LIFETIME_GAUGES, PRICES, SUMS, depth_name
from system.metrics.histogram import buckets_of
from system.metrics.rollup import fold
from system.model.keys import Key
from system.model.units import MINUTE_NS, NS
from tests.rules import rule
from tests.unit.matcher.venue import Venue
from tests.unit.metrics.rows import START_NS, Table, commit, minutes, trade

E6, E8 = 10**6, 10**8
LIFETIME = ("StatsLifetime", Key("KEY#GLOBAL", "META"))


@rule("METR-001", "METR-002")
def test_a_minute_of_trades() -> None:
    bucket, table = MinuteBucket("BTC-PERP", START_NS), Table()
    for number, (price, side) in enumerate([(100, "BUY"), (103, "SELL"), (98, "SELL"), (101, "BUY")]):
        bucket.add_trade(trade(number, price * E6, E8, START_NS + number, side))
        commit(table, bucket)

    (row,) = minutes(table)
    assert (row["PK"], row["SK"]) == ("MARKET#BTC-PERP", "2025-05-03T20:15")
    assert row["ttl"] == START_NS // NS + 48 * 3600
    assert (row["volume"], row["volume_e8"], row["trades"]) == (402 * E6, 4 * E8, 4)
    assert row["buy_volume"] == 201 * E6
    assert row["fees"] == 402 * E6 // 100
    assert [row[metric.name] for metric in PRICES] == [100 * E6, 103 * E6, 98 * E6, 101 * E6]
    assert sum(buckets_of(row).values()) == 4


@rule("METR-005")
def test_all_time_row_adds_what_adds_and_keeps_markets_apart() -> None:
    table = Table()
    for symbol in ("BTC-PERP", "CXPT-USDC"):
        bucket = MinuteBucket(symbol, START_NS)
        bucket.add_trade(trade(1, 100 * E6, E8, START_NS))
        bucket.gauge(Book(), 7 * E8, START_NS, {"funding_rate_e12": 5, "iv_ppm": 600_000})
        commit(table, bucket)

    row = table[LIFETIME]
    assert (row["volume"], row["trades"]) == (200 * E6, 2)
    assert "volume_e8" not in row
    assert (row["volume_e8#CXPT-USDC"], row["oi_e8#BTC-PERP"]) == (E8, 7 * E8)
    assert {name.split("#")[0] for name in row if "#BTC-PERP" in name} == {"volume_e8", *LIFETIME_GAUGES}


@rule("METR-001")
def test_nothing_happened_nothing_written() -> None:
    bucket = MinuteBucket("BTC-PERP", START_NS)
    assert bucket.actions() == []

    bucket.add_trade(trade(1, 100 * E6, E8, START_NS))
    assert len(bucket.actions()) == 2
    bucket.committed()
    assert bucket.actions() == []


@rule("METR-002")
def test_a_restarted_matcher_goes_on_with_the_minute() -> None:
    """Sums are added by the table; highest, lowest and first come back from the row."""
    table, bucket = Table(), MinuteBucket("BTC-PERP", START_NS)
    bucket.add_trade(trade(1, 100 * E6, E8, START_NS))
    bucket.open_interest(9 * E8, START_NS)
    commit(table, bucket)

    reborn = MinuteBucket("BTC-PERP", START_NS + 30 * NS)
    reborn.restore(minutes(table)[0])
    reborn.add_trade(trade(2, 90 * E6, E8, START_NS + 31 * NS))
    reborn.open_interest(4 * E8, START_NS + 31 * NS)
    commit(table, reborn)

    (row,) = minutes(table)
    assert [row[metric.name] for metric in PRICES] == [100 * E6, 100 * E6, 90 * E6, 90 * E6]
    assert (row["trades"], row["oi_e8"], row["oi_e8_min"], row["oi_e8_max"]) == (2, 4 * E8, 4 * E8, 9 * E8)


@rule("METR-001")
def test_minutes_change_and_never_go_back() -> None:
    table, bucket = Table(), MinuteBucket("BTC-PERP", START_NS)
    for number, at_ns in enumerate(
        [START_NS, START_NS + MINUTE_NS, START_NS + 5]
    ):  # the last: a clock set back
        bucket.add_trade(trade(number, (100 + number) * E6, E8, at_ns))
        commit(table, bucket)

    assert [(row["SK"][-5:], row["trades"], row["open_e6"]) for row in minutes(table)] == [
        ("20:15", 1, 100 * E6),
        ("20:16", 2, 101 * E6),
    ]
    bucket.add_trade(trade(9, E6, E8, START_NS + MINUTE_NS))
    with pytest.raises(AssertionError, match="not committed"):
        bucket.add_trade(trade(10, E6, E8, START_NS + 2 * MINUTE_NS))


@rule("METR-006")
def test_depth_counts_notional_within_a_distance_of_mid() -> None:
    venue = Venue()
    for side, price, qty in [("BUY", 9_999, 3), ("BUY", 9_996, 5), ("BUY", 9_900, 7), ("SELL", 10_001, 2)]:
        venue.engine.book.add(
            venue.order("ann", "BUY" if side == "BUY" else "SELL", qty, price, leaves_e8=qty * E8)
        )

    found = depth_gauges(venue.engine.book)  # mid is 10 000

    assert found[depth_name("bid", 1)] == 3 * 9_999 * E6
    assert found[depth_name("bid", 5)] == (3 * 9_999 + 5 * 9_996) * E6
    assert found[depth_name("bid", 50)] == found[depth_name("bid", 5)]
    assert found[depth_name("bid", 100)] == found[depth_name("bid", 50)] + 7 * 9_900 * E6
    assert found[depth_name("ask", 1)] == 2 * 10_001 * E6


@rule("METR-006")
def test_depth_of_a_one_sided_book_is_zero() -> None:
    venue = Venue()
    venue.engine.book.add(venue.order("ann", "BUY", 1, 100, leaves_e8=E8))

    assert set(depth_gauges(venue.engine.book).values()) == {0}


class Traded(NamedTuple):
    """A random trade."""

    price: int
    qty: int
    after_s: int
    side: str
    latency_ns: int


TRADES = st.lists(
    st.builds(
        Traded, st.integers(1, 500), st.integers(1, 9), st.integers(0, 50), st.sampled_from(["BUY", "SELL"]),
        st.integers(0, 10**10),
    ),
    max_size=40,
)  # fmt: skip


@rule("METR-002", "METR-005", "METR-010")
@given(TRADES, st.integers(1, 5))
def test_minutes_add_up_to_the_trades_and_to_the_all_time_row(trades: list[Traded], per_commit: int) -> None:
    """R1, R2 and R6: however commits and minutes fall, nothing is lost and nothing counted twice."""
    table, bucket, now_ns = Table(), MinuteBucket("BTC-PERP", START_NS), START_NS
    made = []
    for number, wanted in enumerate(trades):
        if number % per_commit == 0:
            commit(table, bucket)
            now_ns += wanted.after_s * NS
        one = trade(number, wanted.price * E6, wanted.qty * E8, now_ns, wanted.side, wanted.latency_ns)
        bucket.add_trade(one)
        made.append(one)
    commit(table, bucket)

    folded = fold(minutes(table))
    assert folded["volume"] == sum(one.notional for one in made)
    assert folded["trades"] == len(made) == sum(buckets_of(folded).values())
    assert folded["fees"] == sum(one.maker_fee + one.taker_fee for one in made)
    if made:
        prices = [one.price_e6 for one in made]
        shown = [folded[metric.name] for metric in PRICES]
        assert shown == [prices[0], max(prices), min(prices), prices[-1]]
        lifetime = table[LIFETIME]
        for metric in SUMS:
            name = metric.name if metric.name != "volume_e8" else "volume_e8#BTC-PERP"
            assert lifetime[name] == folded[metric.name]
        assert buckets_of(lifetime) == buckets_of(folded)


def test_every_metric_is_described() -> None:
    described = [*SUMS, *PRICES, *GAUGES]
    assert len({metric.name for metric in described}) == len(described)
    assert all(metric.unit and metric.about for metric in described)
