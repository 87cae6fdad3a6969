"""The cold history is complete and says the same."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from sim.invariants.ledger import funding_ticks, trades
from sim.invariants.registry import Found, invariant
from sim.invariants.state import State
from sim.invariants.verdict import Violation
from system.model import keys
from system.model.keys import Item

# What settlement adds to a row after the archive has seen it, and keys that only the table needs.
_TABLE_ONLY = frozenset(
    {"PK", "SK", "maker_key", "taker_key", "settlementStatus", "settlementReason", "batch"}
)
Place = tuple[str, int]


@invariant("lake_against_trades", at_end_only=True)
def check(state: State) -> Found:
    """Every trade is in the lake once, with the same fields and under its own day, and no other trade is.

    The archive may write a trade twice after a redelivery; a reader keeps one line for each
    (symbol, trade_no), and the copies must be equal. Money in the lake is a decimal string. Each
    day in StatsDaily has its snapshot in `daily/`, with the same numbers.
    Source: cold history lake, design document section 3; rule CONS-013, R4 of the metrics.
    """
    lake: dict[Place, dict[str, Any]] = {}
    looked_at = 0
    for key in state.lake.list("trades/"):
        body = state.lake.get(key) or b""
        for number, line in enumerate(body.splitlines(), start=1):
            looked_at += 1
            trade = json.loads(line)
            place = (trade["symbol"], int(trade["trade_no"]))
            if place in lake and lake[place] != trade:
                yield Violation(
                    f"{key}, line {number}", "the same trade as elsewhere", _differing(lake[place], trade)
                )
            if not key.startswith(day := f"trades/{_day(int(trade['ts_ns']))}/"):
                yield Violation(f"{key}, line {number}", f"an object below {day}", key)
            lake[place] = trade
    rows = {(row["symbol"], row["trade_no"]): row for row in trades(state)}
    for place in sorted(set(rows) | set(lake)):
        where = f"{place[0]} trade {place[1]}"
        if place not in lake:
            yield Violation(where, "a line in the lake", "none")
        elif place not in rows:
            yield Violation(where, "no line, the table has no such trade", "one in the lake")
        elif (expected := _as_archived(rows[place])) != lake[place]:
            yield Violation(
                f"{where} in the lake", "the fields of the table", _differing(expected, lake[place])
            )
    looked_at += yield from _funding(state)
    looked_at += yield from _snapshots(state)
    return looked_at


def _funding(state: State) -> Found:
    ticks = funding_ticks(state)
    for row in ticks:
        boundary_s = row["boundary_ns"] // 10**9
        key = f"funding/{_day(row['boundary_ns'])}/{row['symbol']}/{boundary_s}.jsonl"
        body = state.lake.get(key)
        kept = json.loads(body) if body is not None else {}
        if (expected := _as_archived(row)) != kept:
            yield Violation(key, "the fields of the table", _differing(expected, kept))
    return len(ticks)


def _snapshots(state: State) -> Found:
    rows = state.items(keys.STATS_DAILY)
    for row in rows:
        key = f"daily/{row['SK']}.json"
        where = f"{key}, {row['symbol']}"
        body = state.lake.get(key)
        kept = json.loads(body)["markets"].get(row["symbol"]) if body is not None else None
        if kept is None:
            yield Violation(where, "the day's snapshot", "none")
            continue
        for name, value in row.items():
            if name in ("PK", "SK", "ttl"):
                continue
            bucket = name.startswith("h_")
            was = kept["latency_buckets"].get(name[2:]) if bucket else kept.get(name)
            if was != str(value):
                yield Violation(f"{where}: {name}", f"{value}, as in StatsDaily", str(was))
    return len(rows)


def _as_archived(row: Item) -> dict[str, Any]:
    return {
        name: str(value) if isinstance(value, int) else value
        for name, value in row.items()
        if name not in _TABLE_ONLY
    }


def _differing(expected: dict[str, Any], was: dict[str, Any]) -> str:
    names = sorted(name for name in set(expected) | set(was) if expected.get(name) != was.get(name))
    return ", ".join(f"{name} {was.get(name)!r} instead of {expected.get(name)!r}" for name in names)


def _day(ts_ns: int) -> str:
    return datetime.fromtimestamp(ts_ns // 10**9, UTC).strftime("%Y/%m/%d")
