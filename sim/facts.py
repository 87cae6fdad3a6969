"""Facts of a run that the stress catalogue states in numbers: how far prices fell, how far markets parted.

Pure functions of the exchange's tables. Units: ppm for shares, uUSDC for money.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from system.model.units import MINUTE_NS, PPM, QTY_SCALE

Row = Mapping[str, Any]


def facts(prices: Sequence[Row], trades: Sequence[Row], specs: Mapping[str, Any]) -> dict[str, int]:
    """Return every fact by the name that thresholds use.

    Args:
        prices: rows of Prices, each an index with its time.
        trades: rows of Trades, funding apart.
        specs: the markets, by symbol.
    """
    index = _index(prices)
    forced = [row for row in trades if row["tradeType"] in ("LIQUIDATION", "ADL")]
    minutes: dict[int, int] = {}
    for row in forced:
        minute = row["ts_ns"] // MINUTE_NS
        minutes[minute] = minutes.get(minute, 0) + row["notional"]
    below, above = _parting(index, trades, specs)
    liquidated = sum(minutes.values())
    return {
        "index_fall": max((_fall(path) for path in index.values()), default=0),
        "index_rise": max(
            (_fall([(at, -price) for at, price in path]) for path in index.values()), default=0
        ),
        "discount": below,
        "premium": above,
        "liquidated": liquidated,
        "liquidated_in_worst_minute": max(minutes.values(), default=0) * PPM // liquidated
        if liquidated
        else 0,
    }


def _index(prices: Sequence[Row]) -> dict[str, list[tuple[int, int]]]:
    """Return each asset's (time, index), in order of time."""
    index: dict[str, list[tuple[int, int]]] = {}
    for row in prices:
        index.setdefault(row["asset"], []).append((row["ts_ns"], row["price_e6"]))
    return {asset: sorted(path) for asset, path in sorted(index.items())}


def _fall(path: Sequence[tuple[int, int]]) -> int:
    """Return the largest fall from an earlier price, as its share; of negated prices, the rise."""
    worst, top = 0, path[0][1] if path else 0
    for _, price in path:
        top = max(top, price)
        worst = max(worst, (top - price) * PPM // abs(top))
    return worst


def _parting(
    index: Mapping[str, list[tuple[int, int]]], trades: Sequence[Row], specs: Mapping[str, Any]
) -> tuple[int, int]:
    """Return how far trades of perpetuals were below and above the last index, in the worst minute's mean."""
    sums: dict[tuple[str, int], list[int]] = {}
    for row in trades:
        if row["symbol"].endswith("-PERP"):
            cell = sums.setdefault((row["symbol"], row["ts_ns"] // MINUTE_NS), [0, 0])
            cell[0] += row["notional"]
            cell[1] += row["qty_e8"]
    below = above = 0
    for (symbol, minute), (worth, qty_e8) in sorted(sums.items()):
        path = index.get(specs[symbol].underlying, [])
        inside = [price for at, price in path if at // MINUTE_NS == minute]
        if inside:
            fair_e6 = sum(inside) // len(inside)
            parting = worth * QTY_SCALE // qty_e8 * PPM // fair_e6 - PPM
            below, above = max(below, -parting), max(above, parting)
    return below, above
