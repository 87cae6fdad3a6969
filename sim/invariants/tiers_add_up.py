"""The tiers of statistics say what the finer ones say, and their quantiles what the trades say."""

from __future__ import annotations

from collections import defaultdict
from math import floor
from typing import Any

from sim.invariants.ledger import trades
from sim.invariants.registry import Found, invariant
from sim.invariants.state import State
from sim.invariants.verdict import Violation
from system.metrics.definitions import SUM_NAMES, of_market
from system.metrics.histogram import RELATIVE_ERROR, buckets_of, quantile_us
from system.metrics.rollup import daily_row, day_label, fold
from system.model import keys
from system.model.keys import Item
from system.model.units import DAY_NS

_QUANTILES = (0.5, 0.95, 0.99)
_KEPT_DAYS = 2  # minutes older than 48 hours may be gone
_ROUNDING_US = 1.0
_MINUTE = len("2025-05-03T20:15")


@invariant("tiers_add_up", at_end_only=True)
def check(state: State) -> Found:
    """Days are folds of their minutes, all time is all days and today, and quantiles are those of the trades.

    Folded are sums, prices, gauges and histograms (R1); the all-time row has every additive
    attribute of all days that are rolled up, and of the minutes of the others (R2); p50, p95 and
    p99 of its histogram are within 1 % of the exact ones (R6). A day that was rolled up more than once is
    the fold of its minutes all the same (R7). Five seconds fold into their minute (R8). R3 and R4 are
    checked by `stats_against_trades` and `lake_against_trades`; R5 follows from I1 and I2.
    Source: identities R1, R2 and R6 to R8 of the metrics (rule CONS-019).
    """
    minutes: dict[tuple[str, str], list[Item]] = defaultdict(list)
    fine: dict[tuple[str, str], list[Item]] = defaultdict(list)
    for row in state.items(keys.STATS_INTRADAY):
        if row["PK"].endswith(keys.FINE):
            fine[row["PK"].removesuffix(keys.FINE), row["SK"][:_MINUTE]].append(row)
        else:
            minutes[row["PK"], row["SK"][:10]].append(row)
    days = {(row["PK"], row["SK"]): row for row in state.items(keys.STATS_DAILY)}
    looked_at = yield from _days(state, minutes, days)
    looked_at += yield from _all_time(state, minutes, days)
    looked_at += yield from _quantiles(state)
    looked_at += yield from _five_seconds(minutes, fine)
    return looked_at


def _days(
    state: State, minutes: dict[tuple[str, str], list[Item]], days: dict[tuple[str, str], Item]
) -> Found:
    oldest = day_label(state.now_ns - _KEPT_DAYS * DAY_NS)
    compared = 0
    for (pk, day), row in days.items():
        if day <= oldest:
            continue
        compared += 1
        expected = daily_row(row["symbol"], day, minutes[pk, day])
        yield from _differing(f"{keys.STATS_DAILY} {row['symbol']} {day}", expected, row)
    return compared


def _all_time(
    state: State, minutes: dict[tuple[str, str], list[Item]], days: dict[tuple[str, str], Item]
) -> Found:
    rows = state.items(keys.STATS_LIFETIME)
    expected: dict[str, int] = defaultdict(int)
    parts = list(days.values())
    parts += [row for place, some in minutes.items() if place not in days for row in some]
    for part in parts:
        for name in SUM_NAMES:
            mine = of_market(name, part["symbol"]) if name == "volume_e8" else name
            expected[mine] += part.get(name, 0)
        for index, count in buckets_of(part).items():
            expected[f"h_{index}"] += count
    for name in sorted(expected):
        was = sum(row.get(name, 0) for row in rows)
        if was != expected[name]:
            where = f"{keys.STATS_LIFETIME}: {name}"
            wanted = f"{expected[name]}, of its days and minutes"
            yield Violation(where, wanted, str(was), abs(was - expected[name]))
    return len(rows)


def _five_seconds(
    minutes: dict[tuple[str, str], list[Item]], fine: dict[tuple[str, str], list[Item]]
) -> Found:
    """Compare minutes with the rows of five seconds in them: all but the extremes of gauges."""
    rows = {(row["PK"], row["SK"]): row for some in minutes.values() for row in some}
    for place in sorted(fine):
        folded = fold(sorted(fine[place], key=lambda row: str(row["SK"])))
        whole = fold([rows[place]]) if place in rows else {}
        same = {name for name in (*folded, *whole) if not name.endswith(("_min", "_max"))}
        for name in sorted(same):
            if folded.get(name) != whole.get(name):
                where = f"{keys.STATS_INTRADAY} {place[0]} {place[1]}: {name}"
                yield Violation(where, f"{folded.get(name)}, of its five seconds", str(whole.get(name)))
    return len(fine)


def _quantiles(state: State) -> Found:
    found: dict[int, int] = defaultdict(int)
    for row in state.items(keys.STATS_LIFETIME):
        for index, count in buckets_of(row).items():
            found[index] += count
    exact = sorted(row["latency_ns"] for row in trades(state))
    if len(exact) != sum(found.values()) or not exact:
        return 0  # `stats_against_trades` says which is missing
    for q in _QUANTILES:
        right = max(0, exact[floor(q * (len(exact) - 1))]) / 1_000  # below 0 where clocks differ
        was = quantile_us(found, q) or 0.0
        if abs(was - right) > RELATIVE_ERROR * 1.001 * right + _ROUNDING_US:
            where = f"{keys.STATS_LIFETIME}: p{round(100 * q)} of the latency"
            yield Violation(where, f"{right:.0f} us within 1 %", f"{was:.0f} us", round(abs(was - right)))
    return len(_QUANTILES)


def _differing(where: str, expected: dict[str, Any], was: dict[str, Any]) -> Found:
    for name in sorted({*expected, *was} - {"ttl"}):
        if expected.get(name) != was.get(name):
            wanted = f"{expected.get(name)}, of its minutes"
            yield Violation(f"{where}: {name}", wanted, str(was.get(name)))
    return 0
