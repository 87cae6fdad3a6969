"""A run's tables as Parquet, one file each, written at its end: what `Run` and DuckDB read.

Rows are the exchange's own, column by column; only what has no column type becomes JSON text, and
the counts of a latency histogram share one column. Three tables are not the exchange's: `depth`, the
book as it was published; `latencies`, one row for each order or fill and hop; `chain`, each
account's total in the ledger and on chain.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import orjson

from sim.invariants import State, ledger
from sim.kernel.history import HistoryReader
from system.model import keys
from system.model.funding import FUNDING
from system.model.keys import Item
from system.model.units import NS

FOLDER = "tables"
HISTORY = "history.jsonl.zst"
FILES: Mapping[str, str] = {
    keys.ORDERS: "orders",
    keys.TRADES: "trades",
    keys.POSITIONS: "positions",
    keys.BALANCES: "balances",
    keys.MARKETS: "markets",
    keys.PRICES: "prices",
    keys.STATS_INTRADAY: "stats_intraday",
    keys.STATS_DAILY: "stats_daily",
    keys.STATS_LIFETIME: "stats_lifetime",
    keys.SETTLEMENTS: "settlements",
    keys.MATCHER_LEASES: "leases",
}
"""File name of each table that a run keeps."""

_NOT_SHOWN = (keys.RISK, "STATE")  # what a clearing house and an index remember between two commands
DEPTH_STEP_NS = 10 * NS
_HISTOGRAM = "h_"
_INT64 = 1 << 63


class Tables(Protocol):
    """A backend, as far as its tables are concerned."""

    def scan(self, table: str) -> Sequence[Item]:
        """Return all rows of a table, sorted by (PK, SK)."""


def write_tables(
    backend: Tables,
    folder: Path,
    history: HistoryReader | None = None,
    samples: Mapping[str, Sequence[int]] | None = None,
    state: State | None = None,
) -> None:
    """Write all tables of a finished run into `folder`.

    Args:
        backend: whose tables are kept.
        folder: the run's folder of tables.
        history: where the depth is read from; by default the file beside `folder`.
        samples: latencies in ns by hop.
        state: the run as its judges see it, for the comparison of ledger and chain.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for table, name in FILES.items():
        rows = [row for row in backend.scan(table) if row["SK"] not in _NOT_SHOWN]
        if table == keys.TRADES:
            ticks = [row for row in rows if row["tradeType"] == FUNDING]
            rows = [row for row in rows if row["tradeType"] != FUNDING]
            _write(folder / "funding.parquet", _columns(ticks))
        _write(folder / f"{name}.parquet", _columns(rows))
    _write(folder / "alerts.parquet", _alerts(history or HistoryReader(folder.parent / HISTORY)))
    _write(folder / "depth.parquet", depth_of(history or HistoryReader(folder.parent / HISTORY)))
    given = samples or {}
    hops = [hop for hop, taken in given.items() for _ in taken]
    took = [ns for taken in given.values() for ns in taken]
    _write(folder / "latencies.parquet", {"hop": hops, "latency_ns": took})
    _write(folder / "chain.parquet", _chain(state))


def _alerts(history: HistoryReader) -> dict[str, list[Any]]:
    """Read what traders were told of liquidations, deleveraging and settlement."""
    columns: dict[str, list[Any]] = {name: [] for name in ("ts_ns", "trader", *_ALERT)}
    for _, event in history.of_kind("publish"):
        for message in event["m"]:
            if message["kind"] == "liquidationAlert":
                columns["ts_ns"].append(message["ts_ns"])
                columns["trader"].append(message["channel"].partition(".")[2])
                for name in _ALERT:
                    value = message["data"][name]
                    columns[name].append(value if name in ("symbol", "stage") else int(value))
    return columns


_ALERT = ("symbol", "stage", "size_e8", "margin", "mark_e6")


def _columns(rows: Sequence[Item]) -> dict[str, list[Any]]:
    """Turn rows into columns; a missing attribute is null, a row's histogram one JSON text."""
    plain = [_folded(row) for row in rows]
    names = dict.fromkeys(name for row in plain for name in row)
    columns = {name: [row.get(name) for row in plain] for name in names}
    return {name: _typed(values) for name, values in columns.items()} or {"PK": [], "SK": []}


def _folded(row: Item) -> Item:
    counts = {name[2:]: count for name, count in row.items() if name.startswith(_HISTOGRAM)}
    if not counts:
        return row
    folded = {name: value for name, value in row.items() if not name.startswith(_HISTOGRAM)}
    return folded | {"latency_buckets": counts}


def _typed(values: list[Any]) -> list[Any]:
    """Keep a column of one simple type; make text of everything else, and of integers beyond 64 bits."""
    kinds = {type(value) for value in values if value is not None}
    if kinds <= {str} or kinds <= {bool}:
        return values
    if kinds <= {int}:
        if all(value is None or -_INT64 <= value < _INT64 for value in values):
            return values
        return [None if value is None else str(value) for value in values]
    return [value if value is None or isinstance(value, str) else _json(value) for value in values]


def _json(value: Any) -> str:
    return orjson.dumps(value, default=_hex).decode()


def _hex(value: Any) -> str:
    if isinstance(value, bytes):
        return "0x" + value.hex()
    raise TypeError(f"a table cannot keep {type(value).__name__}")


def _chain(state: State | None) -> dict[str, list[Any]]:
    """Put each account's total in the ledger beside its claim on chain."""
    columns: dict[str, list[Any]] = {"owner": [], "asset": [], "ledger": [], "chain": []}
    if state is None:
        return columns
    rows: list[tuple[str, str, int, int]] = []
    for balance in ledger.balances(state):
        account = state.accounts[balance.trader]
        usdc = balance.asset == ledger.USDC
        claim = state.chain.usdc_of(account) if usdc else state.chain.asset_of(account, balance.asset)
        rows.append((account, balance.asset, balance.total, claim))
    markets = list(ledger.market_accounts(state))
    fees = sum(market.fees for market in markets)
    locked = sum(ledger.margins(state).values()) + sum(market.clearing for market in markets)
    rows.append(("treasury", ledger.USDC, fees, state.chain.treasury_usdc()))
    rows.append(("clearing", ledger.USDC, locked, state.chain.clearing_usdc()))
    for row in rows:
        for column, value in zip(columns.values(), row, strict=True):
            column.append(value)
    return columns


def depth_of(history: HistoryReader) -> dict[str, list[Any]]:
    """Sample the published depth: at each step the newest message of each market so far."""
    columns: dict[str, list[Any]] = {
        name: [] for name in ("t_ns", "symbol", "side", "level", "price_e6", "qty_e8")
    }
    newest: dict[str, Mapping[str, Any]] = {}
    due_ns = DEPTH_STEP_NS
    for _, event in history.of_kind("publish", "end"):
        while event["t"] >= due_ns:
            _sample(columns, due_ns, newest)
            due_ns += DEPTH_STEP_NS
        for message in event.get("m", ()):
            if message["kind"] == "depth":
                newest[message["channel"].removeprefix("market.")] = message["data"]
    _sample(columns, due_ns, newest)
    return columns


def _sample(columns: dict[str, list[Any]], t_ns: int, newest: Mapping[str, Mapping[str, Any]]) -> None:
    for symbol, data in newest.items():
        for side, levels in (("BUY", data["bids"]), ("SELL", data["asks"])):
            for level, (price, qty) in enumerate(levels):
                row: Iterable[Any] = (t_ns, symbol, side, level, int(price), int(qty))
                for column, value in zip(columns.values(), row, strict=True):
                    column.append(value)


def _write(path: Path, columns: Mapping[str, list[Any]]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({name: pa.array(values) for name, values in columns.items()})
    pq.write_table(table, path, compression="zstd")
