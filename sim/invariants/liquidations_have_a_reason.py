"""Nobody is closed by force who need not be."""

from __future__ import annotations

from collections import defaultdict

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

    Read from the history: the position as it was before the transaction, and the marks before and in it.
    Where the same transaction moved the position otherwise, too, nothing can be said. A close that goes on in
    the next transaction of its instant, because one would be too large, is judged by its begin.
    Source: maintenance margin on mark value, as dYdX and Binance have it (rule CONS-036).
    """
    if state.history is None:
        raise LookupError("there is no history to read")
    marks: dict[str, int] = {}
    positions: dict[tuple[str, str], Item] = {}
    looked_at, begun_ns, begun = 0, -1, set[tuple[str, str]]()
    for number, event in state.history.of_kind("tx"):
        if event["by"] != "matcher":
            continue
        if event["t"] != begun_ns:
            begun_ns, begun = event["t"], set()
        told: dict[str, list[int]] = defaultdict(list)
        puts: dict[str, list[Item]] = {keys.POSITIONS: [], keys.TRADES: []}
        for write in event["w"]:
            if write[0] == "put" and write[1] in puts:
                puts[write[1]].append(write[2])
            elif write[0] == "upd" and write[1] == keys.MARKETS and "mark_e6" in write[4]:
                told[write[2].removeprefix("MARKET#")].append(write[4]["mark_e6"])
        for trade in _forced_alone(puts[keys.TRADES]):
            symbol = trade["symbol"]
            before = positions.get((trade["taker"], symbol))
            near = [*told[symbol], *([marks[symbol]] if symbol in marks else [])]
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
        marks.update({symbol: given[-1] for symbol, given in told.items() if given})
    return looked_at


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
