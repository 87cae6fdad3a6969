"""Nobody is closed by force who need not be."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from sim.invariants.registry import Found, invariant
from sim.invariants.state import State
from sim.invariants.verdict import Violation
from system.model import keys
from system.model.keys import Item
from system.model.market import MarketSpec
from system.model.units import PPM, QTY_SCALE

_FORCED = frozenset({"LIQUIDATION", "ADL"})
"""Types of the trades that nobody ordered; a funding tick is one without traders."""


@invariant("liquidations_have_a_reason", at_end_only=True)
def check(state: State) -> Found:
    """A position that is closed by force was below its maintenance margin at the mark of that moment.

    Read from the history: the position as it was before the transaction, and the marks before and in it,
    with those that it does not tell because others came after them in its batch.
    Where the same transaction moved the position otherwise, too, nothing can be said. A close that goes on in
    the next transaction of its instant, because one would be too large, is judged by its begin.
    Source: maintenance margin on mark value, as dYdX and Binance have it (rule CONS-036).
    """
    if state.history is None:
        raise LookupError("there is no history to read")
    marks = _Marks(state.specs)
    positions: dict[tuple[str, str], Item] = {}
    looked_at, begun_ns, begun = 0, -1, set[tuple[str, str]]()
    for number, event in state.history.of_kind("tx"):
        if event["by"] != "matcher":
            marks.observe(event["w"])
            continue
        if event["t"] != begun_ns:
            begun_ns, begun = event["t"], set()
        puts: dict[str, list[Item]] = {keys.POSITIONS: [], keys.TRADES: []}
        for write in event["w"]:
            if write[0] == "put" and write[1] in puts:
                puts[write[1]].append(write[2])
        told = marks.told(event["w"])
        for trade in _forced_alone(puts[keys.TRADES]):
            symbol = trade["symbol"]
            before = positions.get((trade["taker"], symbol))
            near = told.get(symbol) or marks.of(symbol)
            goes_on = (trade["taker"], symbol) in begun
            if before is None or not near or goes_on:
                continue
            looked_at += 1
            spec = state.specs[symbol]
            if not any(_short(before, mark_e6, spec) for mark_e6 in near):
                where = f"event {number}, {symbol} trade {trade['trade_no']} of {trade['taker']}"
                was = f"{before['size_e8']} with cost {before['cost']} and margin {before['margin']}"
                yield Violation(where, f"a position below its maintenance margin at {near}", was)
        begun |= {(row["taker"], row["symbol"]) for row in puts[keys.TRADES] if row["tradeType"] in _FORCED}
        for row in puts[keys.POSITIONS]:
            positions[row["trader"], row["symbol"]] = row
    return looked_at


class _Marks:
    """The last mark that the history tells of each market, and the observations since."""

    def __init__(self, specs: Mapping[str, MarketSpec]) -> None:
        self._specs = specs
        self._last: dict[str, tuple[int, int]] = {}  # mark_ns, mark_e6
        self._seen: dict[str, list[tuple[int, int]]] = defaultdict(list)  # index_ns, index_e6

    def of(self, symbol: str) -> list[int]:
        return [self._last[symbol][1]] if symbol in self._last else []

    def observe(self, writes: list[list[Any]]) -> None:
        """Take what the oracle's job has written."""
        for write in writes:
            if write[0] == "upd" and write[1] == keys.MARKETS and "index_ns" in write[4]:
                symbol = write[2].removeprefix("MARKET#")
                self._seen[symbol].append((write[4]["index_ns"], write[4]["index_e6"]))

    def told(self, writes: list[list[Any]]) -> dict[str, list[int]]:
        """Return by market the marks that one transaction may have judged by.

        These are the one before, the one that it tells, and where it takes several observations at once,
        whatever the others' may have been: a mark is within its band around the index.
        """
        found: dict[str, list[int]] = {}
        for write in writes:
            if write[0] != "upd" or write[1] != keys.MARKETS or "mark_e6" not in write[4]:
                continue
            symbol, mark_e6 = write[2].removeprefix("MARKET#"), write[4]["mark_e6"]
            since_ns, _ = self._last.get(symbol, (0, 0))
            now_ns = write[4].get("mark_ns", since_ns)
            band_ppm = self._specs[symbol].mark_band_ppm
            silent = [index_e6 for ns, index_e6 in self._seen[symbol] if since_ns < ns < now_ns]
            edges = [e6 * (PPM + sign * band_ppm) // PPM for e6 in silent for sign in (-1, 1)]
            found[symbol] = [mark_e6, *edges, *self.of(symbol)]
            self._last[symbol] = now_ns, mark_e6
            self._seen[symbol] = [each for each in self._seen[symbol] if each[0] > now_ns]
        return found


def _forced_alone(rows: list[Item]) -> list[Item]:
    """Return the first forced close of each trader whom nothing else in the transaction concerns."""
    if any(row["tradeType"] == "FUNDING" for row in rows):
        return []
    busy = {row[role] for row in rows for role in ("maker", "taker") if row["tradeType"] == "TRADE"}
    busy |= {row["maker"] for row in rows}
    firsts: dict[str, Item] = {}
    for row in rows:
        if row["tradeType"] in _FORCED and row["taker"] not in busy and row["taker"] != "inventory":
            firsts.setdefault(row["taker"], row)
    return list(firsts.values())


def _short(row: Item, mark_e6: int, spec: MarketSpec) -> bool:
    size: int = row["size_e8"]
    equity_e8: int = QTY_SCALE * (row["margin"] - row["cost"]) + size * mark_e6
    return PPM * equity_e8 < spec.mm_ppm * abs(size) * mark_e6
