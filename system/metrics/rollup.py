"""Fold rows of a finer tier into one of a coarser: step 11 of docs/walk.md, METR-010 to METR-013.

`fold` is the only arithmetic. It is the same for five seconds into a minute and for minutes into
a day, and folding folds equals folding everything at once. So a roll-up may be repeated at will.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from system.metrics import definitions as names
from system.metrics.histogram import bucket_name, buckets_of, merge
from system.model import keys
from system.model.keys import Item
from system.model.units import DAY_NS, NS


def fold(rows: Sequence[Item]) -> Item:
    """Add rows of one market, given in the order of time, into one without keys.

    Sums add up; prices are first, highest, lowest and last; a gauge keeps its last, smallest and
    largest value; histograms add bucket by bucket. What no row has, the result has not.
    """
    folded: Item = dict.fromkeys(names.SUM_NAMES, 0)
    histogram: dict[int, int] = {}
    for row in rows:
        for name in names.SUM_NAMES:
            folded[name] += row.get(name, 0)
        merge(histogram, buckets_of(row))
        if names.OPEN in row:
            folded.setdefault(names.OPEN, row[names.OPEN])
            folded[names.HIGH] = max(row[names.HIGH], folded.setdefault(names.HIGH, row[names.HIGH]))
            folded[names.LOW] = min(row[names.LOW], folded.setdefault(names.LOW, row[names.LOW]))
            folded[names.CLOSE] = row[names.CLOSE]
    for name in names.GAUGE_NAMES:
        measured = [row for row in rows if name in row]
        if measured:
            folded[name] = measured[-1][name]
            low, high = name + "_min", name + "_max"
            folded[low] = min(row[low] if low in row else row[name] for row in measured)
            folded[high] = max(row[high] if high in row else row[name] for row in measured)
    folded |= {bucket_name(index): count for index, count in sorted(histogram.items())}
    return folded


def daily_row(symbol: str, day: str, minutes: Iterable[Item]) -> Item:
    """Return the StatsDaily row of a market and day from that day's StatsIntraday rows, in any order.

    Rows of other days are left out, so a caller may query with room at both ends.
    """
    mine = sorted((row for row in minutes if row["SK"].startswith(day)), key=_sort_key)
    return {
        "PK": keys.market_pk(symbol),
        "SK": day,
        "symbol": symbol,
        "minutes": len(mine),  # a later roll-up with more rows saw late ones
        **fold(mine),
    }


def _sort_key(row: Item) -> str:
    key: str = row["SK"]
    return key


def day_label(now_ns: int) -> str:
    """Return the sort key of the day that an instant belongs to, in UTC.

    >>> day_label(1_746_303_319_000_000_000)
    '2025-05-03'
    """
    return datetime.fromtimestamp(now_ns // NS, UTC).strftime("%Y-%m-%d")


def yesterday(now_ns: int) -> str:
    """Return the day before an instant's, which the job at midnight rolls up."""
    return day_label(now_ns - DAY_NS)


def minute_range(day: str) -> tuple[str, str]:
    """Return the first and the last sort key of a day's minute rows, for an inclusive query.

    >>> minute_range("2025-05-03")
    ('2025-05-03T00:00', '2025-05-03T23:59')
    """
    return day + "T00:00", day + "T23:59"
