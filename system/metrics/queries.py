"""Statistics rows as a reader wants them: quantiles instead of buckets, integers as decimal strings.

Behind GET /stats/{symbol} and the daily snapshot in the lake.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from system.metrics import definitions as names
from system.metrics.histogram import PREFIX, buckets_of, quantile_us
from system.metrics.rollup import fold
from system.model.keys import Item

QUANTILES = ((0.5, "latency_p50_us"), (0.95, "latency_p95_us"), (0.99, "latency_p99_us"))
_KEYS = ("PK", "SK", "ttl")


def shaped(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of any tier without table keys, its histogram read as quantiles and a count."""
    said: dict[str, Any] = {
        name: str(value) if isinstance(value, int) else value
        for name, value in row.items()
        if name not in _KEYS and not name.startswith(PREFIX)
    }
    buckets = buckets_of(row)
    if buckets:
        said["latency_count"] = str(sum(buckets.values()))
        for q, name in QUANTILES:
            said[name] = str(round(quantile_us(buckets, q) or 0))
    return said


def intraday(rows: Iterable[Item]) -> list[dict[str, Any]]:
    """Shape StatsIntraday rows, in the order given."""
    return [{"minute": row["SK"], **shaped(row)} for row in rows]


def daily(rows: Iterable[Item]) -> list[dict[str, Any]]:
    """Shape StatsDaily rows, in the order given."""
    return [{"day": row["SK"], **shaped(row)} for row in rows]


def all_time(rows: Iterable[Item]) -> Item:
    """Add the all-time rows into one, whether there is one or one for each market.

    What belongs to one market alone has its symbol in its name, and one writer.
    """
    total: Item = {}
    for row in rows:
        for name, value in row.items():
            if name not in _KEYS:
                total[name] = total.get(name, 0) + value
    return total


def lifetime(rows: Iterable[Item], symbol: str) -> dict[str, Any]:
    """Shape the all-time rows for one market: global sums, and what belongs to this market alone."""
    row, mine = all_time(rows), "#" + symbol
    return shaped(
        {
            name.removesuffix(mine): value
            for name, value in row.items()
            if "#" not in name or name.endswith(mine)
        }
    )


def rolling(rows: list[Item]) -> dict[str, Any]:
    """Shape what the last minutes amount to together; of 1 440 rows this is the 24 h volume.

    The rows come in the order of time.
    """
    return shaped(fold(rows))


def snapshot(day: str, rows: Iterable[Item]) -> dict[str, Any]:
    """Return the content of the lake's daily/yyyy-mm-dd.json: every market's day, by symbol.

    The histogram stays a histogram, so that a reader can merge days.
    """
    markets = {}
    for row in sorted(rows, key=_symbol):
        counts = {str(index): str(count) for index, count in buckets_of(row).items()}
        markets[row["symbol"]] = {**shaped(row), "latency_buckets": counts}
    return {"day": day, "gauges": list(names.GAUGE_NAMES), "markets": markets}


def _symbol(row: Item) -> str:
    symbol: str = row["symbol"]
    return symbol
