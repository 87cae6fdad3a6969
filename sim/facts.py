"""Facts that the stress catalogue states in numbers: how far prices fell, markets parted, depth went.

A fact is the highest point of a course, a quantity over the run's time: one arithmetic serves the threshold
that judges the fact and the figure that shows how it came about. Pure functions of the exchange's tables.
Units: ppm for shares, uUSDC for money.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import accumulate
from typing import Any

from system.model.units import MINUTE_NS, NS, PPM, QTY_SCALE

Row = Mapping[str, Any]
Course = list[tuple[int, int]]
"""(UTC ns, value), in order of time."""

FACTS = (
    "index_fall",
    "index_rise",
    "discount",
    "premium",
    "liquidated",
    "liquidated_in_worst_minute",
    "oi_fall",
    "depth_fall",
)
DEPTH = ("depth_bid_200bp", "depth_ask_200bp")
"""What stands for the depth: with 0.5 % fees a side hardly anything rests nearer to the mid than 0.6 %."""


def facts(courses: Mapping[str, Course]) -> dict[str, int]:
    """Return every fact by the name that thresholds use: the highest point of its course."""
    return {name: max((value for _, value in courses[name]), default=0) for name in FACTS}


def courses(
    prices: Sequence[Row], trades: Sequence[Row], minutes: Sequence[Row], underlying: Mapping[str, str]
) -> dict[str, Course]:
    """Return how each fact, and each count of forced trades, came about.

    Args:
        prices: rows of Prices, each an index with its time.
        trades: rows of Trades, funding apart.
        minutes: rows of StatsIntraday.
        underlying: the asset of each market.
    """
    index = _index(prices)
    below, above = _parting(index, trades, underlying)
    forced = sorted((row["ts_ns"], row["notional"]) for row in trades if row["tradeType"] in _FORCED)
    gauges = _gauges(minutes)
    return {
        "index_fall": _merged(_fall(path) for path in index.values()),
        "index_rise": _merged(_fall([(at, -price) for at, price in path]) for path in index.values()),
        "discount": below,
        "premium": above,
        "liquidated": _running(forced),
        "liquidated_in_worst_minute": _by_minute(forced),
        "oi_fall": _merged(_fall(oi) for oi, _ in gauges.values()),
        "depth_fall": _merged(_fall(depth) for _, depth in gauges.values()),
        "liquidations": _running([(r["ts_ns"], 1) for r in trades if r["tradeType"] == "LIQUIDATION"]),
        "deleveraged": _running([(r["ts_ns"], 1) for r in trades if r["tradeType"] == "ADL"]),
    }


_FORCED = ("LIQUIDATION", "ADL")


def _index(prices: Sequence[Row]) -> dict[str, Course]:
    """Return each asset's index, in order of time."""
    index: dict[str, Course] = {}
    for row in prices:
        index.setdefault(row["asset"], []).append((row["ts_ns"], row["price_e6"]))
    return {asset: sorted(path) for asset, path in sorted(index.items())}


def _fall(path: Course) -> Course:
    """Return how far a path is below its highest point so far, as a share; of negated prices, the rise."""
    fallen, top = [], path[0][1] if path else 0
    for at, value in path:
        top = max(top, value)
        fallen.append((at, (top - value) * PPM // abs(top) if top else 0))
    return fallen


def _merged(many: Iterable[Course]) -> Course:
    """Return at each instant the worst of several markets."""
    worst: dict[int, int] = {}
    for course in many:
        for at, value in course:
            worst[at] = max(worst.get(at, 0), value)
    return sorted(worst.items())


def _running(steps: Course) -> Course:
    """Return the sum so far."""
    steps = sorted(steps)
    return list(zip((at for at, _ in steps), accumulate(value for _, value in steps), strict=True))


def _by_minute(steps: Course) -> Course:
    """Return each minute's share of the whole."""
    minutes: dict[int, int] = {}
    for at, value in steps:
        minutes[at // MINUTE_NS] = minutes.get(at // MINUTE_NS, 0) + value
    whole = sum(minutes.values())
    return [(minute * MINUTE_NS, value * PPM // whole) for minute, value in sorted(minutes.items())]


def _gauges(minutes: Sequence[Row]) -> dict[str, tuple[Course, Course]]:
    """Return each market's open interest and depth, where a minute has them, in order of time."""
    gauges: dict[str, tuple[Course, Course]] = {}
    for row in sorted(minutes, key=lambda row: (row["symbol"], row["SK"])):
        at = int(datetime.strptime(row["SK"], "%Y-%m-%dT%H:%M").replace(tzinfo=UTC).timestamp()) * NS
        interest, depth = gauges.setdefault(row["symbol"], ([], []))
        if row.get("oi_e8") is not None:
            interest.append((at, row["oi_e8"]))
        if row.get(DEPTH[0]) is not None:
            depth.append((at, sum(row[side] for side in DEPTH)))
    return gauges


def _parting(
    index: Mapping[str, Course], trades: Sequence[Row], underlying: Mapping[str, str]
) -> tuple[Course, Course]:
    """Return how far each minute's mean trade of a perpetual was below and above that minute's mean index."""
    sums: dict[tuple[str, int], list[int]] = {}
    for row in trades:
        if row["symbol"].endswith("-PERP"):
            cell = sums.setdefault((row["symbol"], row["ts_ns"] // MINUTE_NS), [0, 0])
            cell[0] += row["notional"]
            cell[1] += row["qty_e8"]
    fair: dict[tuple[str, int], list[int]] = {}
    for asset, path in index.items():
        for at, price_e6 in path:
            fair.setdefault((asset, at // MINUTE_NS), []).append(price_e6)
    below, above = [], []
    for (symbol, minute), (worth, qty_e8) in sorted(sums.items()):
        inside = fair.get((underlying[symbol], minute))
        if inside:
            fair_e6 = sum(inside) // len(inside)
            parting = worth * QTY_SCALE // qty_e8 * PPM // fair_e6 - PPM
            below.append((minute * MINUTE_NS, max(0, -parting)))
            above.append((minute * MINUTE_NS, max(0, parting)))
    return _merged([below]), _merged([above])
