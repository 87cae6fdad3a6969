"""Rows fold into rows: the identities of the tiers (R1, R7, R8) and their presentation."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from system.metrics import queries
from system.metrics.definitions import CLOSE, GAUGE_NAMES, HIGH, LOW, OPEN, SUM_NAMES
from system.metrics.rollup import daily_row, day_label, fold, minute_range, yesterday
from system.model.units import DAY_NS
from tests.rules import rule
from tests.unit.metrics.rows import START_NS

AMOUNTS = st.integers(0, 10**24)
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "sums": st.tuples(*[AMOUNTS] * len(SUM_NAMES)),
            "prices": st.none() | st.tuples(*[st.integers(1, 10**12)] * 4),
            "gauges": st.dictionaries(st.sampled_from(GAUGE_NAMES), AMOUNTS),
            "histogram": st.dictionaries(st.integers(0, 900), st.integers(1, 99), max_size=5),
        }
    ),
    max_size=12,
)


def rows_of(drawn: list[dict[str, Any]], day: str = "2025-05-03") -> list[dict[str, Any]]:
    rows = []
    for minute, parts in enumerate(drawn):
        row: dict[str, Any] = {
            "PK": "MARKET#X-PERP",
            "SK": f"{day}T00:{minute:02d}",
            "symbol": "X-PERP",
            "ttl": 1,
        }
        row |= dict(zip(SUM_NAMES, parts["sums"], strict=True))
        if parts["prices"]:
            row |= dict(zip((OPEN, HIGH, LOW, CLOSE), parts["prices"], strict=True))
        row |= parts["gauges"]
        row |= {f"h_{index}": count for index, count in parts["histogram"].items()}
        rows.append(row)
    return rows


@rule("METR-010")
@given(ROWS)
def test_a_day_is_the_sum_of_its_minutes(drawn: list[dict[str, Any]]) -> None:
    """R1, exact to the unit."""
    rows = rows_of(drawn)

    day = daily_row("X-PERP", "2025-05-03", rows)

    for name in SUM_NAMES:
        assert day[name] == sum(row[name] for row in rows)
    buckets = [name for name in {name for row in rows for name in row} if name.startswith("h_")]
    for name in buckets:
        assert day[name] == sum(row.get(name, 0) for row in rows)
    traded = [row for row in rows if OPEN in row]
    if traded:
        assert (day[OPEN], day[CLOSE]) == (traded[0][OPEN], traded[-1][CLOSE])
        assert (day[HIGH], day[LOW]) == (max(r[HIGH] for r in traded), min(r[LOW] for r in traded))
    else:
        assert OPEN not in day
    for name in GAUGE_NAMES:
        seen = [row[name] for row in rows if name in row]
        expected = (seen[-1], min(seen), max(seen)) if seen else (None, None, None)
        assert (day.get(name), day.get(name + "_min"), day.get(name + "_max")) == expected


@rule("METR-011")
@given(ROWS, st.integers(1, 4))
def test_folding_folds_equals_folding_at_once(drawn: list[dict[str, Any]], width: int) -> None:
    """R8: five-second rows into minutes into a day is the same as into the day."""
    rows = rows_of(drawn)
    groups = [
        [row for _, row in group] for _, group in groupby(enumerate(rows), key=lambda pair: pair[0] // width)
    ]

    assert fold([fold(group) for group in groups]) == fold(rows)


@rule("METR-012")
@given(ROWS, st.randoms(use_true_random=False))
def test_rolling_up_again_or_in_another_order_changes_nothing(drawn: list[dict[str, Any]], dice: Any) -> None:
    """R7."""
    rows = rows_of(drawn)
    shuffled = rows.copy()
    dice.shuffle(shuffled)
    other_days = rows_of(drawn, "2025-05-02") + rows_of(drawn, "2025-05-04")

    once = daily_row("X-PERP", "2025-05-03", rows)

    assert daily_row("X-PERP", "2025-05-03", shuffled + other_days) == once
    assert once["minutes"] == len(rows)


@rule("METR-013")
def test_a_late_minute_shows_in_the_next_roll_up() -> None:
    minute = {"SK": "2025-05-03T00:01", "volume": 5, "trades": 1}
    late = {"SK": "2025-05-03T23:59", "volume": 7, "trades": 1}

    assert daily_row("X-PERP", "2025-05-03", [minute])["minutes"] == 1
    again = daily_row("X-PERP", "2025-05-03", [minute, late])
    assert (again["minutes"], again["volume"]) == (2, 12)


def test_days() -> None:
    assert day_label(START_NS) == "2025-05-03"
    assert yesterday(START_NS + DAY_NS) == "2025-05-03"
    assert minute_range("2025-05-03") == ("2025-05-03T00:00", "2025-05-03T23:59")


@rule("METR-014")
def test_shaped_rows_have_quantiles_and_decimal_strings() -> None:
    row = {
        "PK": "p",
        "SK": "2025-05-03T20:15",
        "ttl": 1,
        "symbol": "X-PERP",
        "volume": 10**25,
        "h_279": 99,
        "h_400": 1,
    }

    (said,) = queries.intraday([row])

    assert said == {
        "minute": "2025-05-03T20:15",
        "symbol": "X-PERP",
        "volume": str(10**25),
        "latency_count": "100",
        "latency_p50_us": "248",
        "latency_p95_us": "248",
        "latency_p99_us": "248",
    }
    assert queries.daily([row])[0]["day"] == "2025-05-03T20:15"


@rule("METR-014")
def test_a_market_sees_its_own_part_of_the_all_time_row() -> None:
    row = {
        "PK": "KEY#GLOBAL",
        "SK": "META",
        "volume": 5,
        "oi_e8#A-PERP": 1,
        "oi_e8#B-PERP": 2,
        "volume_e8#A-PERP": 3,
    }

    assert queries.lifetime([row], "A-PERP") == {"volume": "5", "oi_e8": "1", "volume_e8": "3"}
    assert queries.lifetime([], "A-PERP") == {}


@rule("METR-014")
def test_rolling_day_and_snapshot() -> None:
    rows = [{"SK": f"2025-05-03T00:0{n}", "symbol": "X-PERP", "volume": n, "h_10": 1} for n in range(3)]

    assert queries.rolling(rows)["volume"] == "3"
    day = daily_row("X-PERP", "2025-05-03", rows)
    said = queries.snapshot("2025-05-03", [day])
    assert said["day"] == "2025-05-03"
    assert said["markets"]["X-PERP"]["volume"] == "3"
    assert said["markets"]["X-PERP"]["latency_buckets"] == {"10": "3"}
