"""A run's tables: what is written comes back, with the shapes that the loaders promise."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from sim.kernel.history import HistoryReader, HistoryWriter
from sim.report.folder import Run
from sim.report.record import RecordUnreadable
from sim.report.tables import FILES, write_tables
from system.model import keys
from system.model.keys import Item
from tests.unit.sim.fixtures.kept_run import keep_run

LOADERS = [
    name for name, each in inspect.getmembers(Run, inspect.isfunction) if "Shape:" in (each.__doc__ or "")
]
Rows = dict[str, list[Item]]


class Backend:
    def __init__(self, rows: Rows) -> None:
        self.rows = rows

    def scan(self, table: str) -> list[Item]:
        return self.rows.get(table, [])


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return Run(keep_run(tmp_path_factory.mktemp("run"), steps=30))


def history(*events: dict[str, Any]) -> HistoryReader:
    with HistoryWriter(None, keep=True) as writer:
        for event in events:
            writer.add(event)
    return writer.reader()


def read(folder: Path, name: str) -> pd.DataFrame:
    return pd.read_parquet(folder / f"{name}.parquet", dtype_backend="numpy_nullable")


@pytest.mark.parametrize("name", LOADERS)
def test_a_loader_returns_the_columns_of_its_docstring(run: Run, name: str) -> None:
    shape = inspect.getdoc(getattr(Run, name)).partition("Shape:")[2].partition("Source:")[0]  # type: ignore[union-attr]
    promised: dict[str, str] = {}
    for line in shape.splitlines()[1:]:
        names, _, rest = line.strip().partition("  ")
        if rest:
            promised |= {column.strip(): rest.split()[0] for column in names.split(",")}

    rows = getattr(run, name)()

    assert {column: str(rows[column].dtype) for column in promised} == promised


@pytest.mark.parametrize("name", LOADERS)
def test_a_loader_works_on_a_run_in_which_nothing_happened(tmp_path: Path, name: str) -> None:
    keep_run(tmp_path, steps=0)
    write_tables(Backend({}), tmp_path / "tables", history({"t": 0, "e": "end"}))

    assert len(getattr(Run(tmp_path), name)()) == 0


def test_the_tables_are_those_of_the_exchange(run: Run) -> None:
    trades = run.trades()

    assert len(trades) == run.record.counts["fills"]
    assert trades["ts_ns"].is_monotonic_increasing
    assert set(trades["settlementStatus"]) == {"CONFIRMED"}
    assert trades["notional"].sum() == run.minutes()["volume"].sum() == run.lifetime()["volume"]
    assert run.orders()["orderType"].isin(["LIMIT", "MARKET"]).all()
    assert (run.chain()["ledger"] == run.chain()["chain"]).all()


def test_commands_are_not_orders(tmp_path: Path) -> None:
    keep_run(tmp_path, steps=0)
    order = {"PK": "MARKET#X", "SK": "TS#1", "orderType": "LIMIT", "uuid": "1", "accepted_ns": 1}
    cancel = {"PK": "MARKET#X", "SK": "TS#2", "orderType": "CANCEL", "uuid": "2"}
    write_tables(Backend({keys.ORDERS: [order, cancel]}), tmp_path / "tables", history({"t": 0, "e": "end"}))

    assert list(Run(tmp_path).orders()["uuid"]) == ["1"]


def test_a_histogram_becomes_one_column(tmp_path: Path) -> None:
    row = {"PK": "MARKET#X", "SK": "2025-05-03", "volume": 5, "h_7": 2, "h_11": 1}
    write_tables(Backend({keys.STATS_DAILY: [row]}), tmp_path, history({"t": 0, "e": "end"}))

    daily = read(tmp_path, "stats_daily")

    assert list(daily.columns) == ["PK", "SK", "volume", "latency_buckets"]
    assert daily["latency_buckets"][0] == '{"7":2,"11":1}'


def test_what_has_no_column_type_becomes_text(tmp_path: Path) -> None:
    rows: list[Item] = [
        {"PK": "A", "SK": "1", "big": 10**30, "list": [1, "a"], "raw": b"\x01", "mixed": 1, "flag": True},
        {"PK": "A", "SK": "2", "big": 1, "mixed": "one", "some_ns": 1_746_315_014_866_269_953},
    ]
    write_tables(Backend({keys.SETTLEMENTS: rows}), tmp_path, history({"t": 0, "e": "end"}))

    read_back = read(tmp_path, "settlements")

    assert list(read_back["big"]) == [str(10**30), "1"]
    assert read_back["list"][0] == '[1,"a"]'
    assert read_back["raw"][0] == '"0x01"'
    assert list(read_back["mixed"]) == ["1", "one"]
    assert read_back["flag"][0]
    assert read_back["some_ns"][1] == 1_746_315_014_866_269_953  # to the nanosecond, beside a null


def test_a_value_that_cannot_be_kept_is_a_defect(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="JSON serializable"):
        write_tables(Backend({keys.ORDERS: [{"PK": "A", "SK": "1", "x": [object()]}]}), tmp_path, history())


def test_the_depth_is_sampled_every_ten_seconds(tmp_path: Path) -> None:
    def depth(t_s: int, bid: str) -> dict[str, Any]:
        data = {"bids": [[bid, "5"]], "asks": [["20", "7"], ["21", "8"]]}
        told = {"channel": "market.X", "seq": 1, "kind": "depth", "ts_ns": 0, "data": data}
        return {"t": t_s * 10**9, "e": "publish", "m": [told, {"channel": "market.X", "kind": "trade"}]}

    events = (depth(1, "9"), depth(9, "10"), depth(25, "11"), {"t": 26 * 10**9, "e": "end"})
    write_tables(Backend({}), tmp_path, history(*events))

    rows = read(tmp_path, "depth")
    best = rows[(rows["side"] == "BUY")]
    assert list(zip(best["t_ns"] // 10**9, best["price_e6"], strict=True)) == [(10, 10), (20, 10), (30, 11)]
    assert list(rows[rows["t_ns"] == 10**10]["level"]) == [0, 0, 1]


def test_every_table_of_the_exchange_that_matters_is_kept() -> None:
    assert set(keys.TABLES) - set(FILES) == {keys.WS_CONNECTIONS, keys.IDEMPOTENCY}


def test_a_damaged_table_is_said(tmp_path: Path) -> None:
    keep_run(tmp_path, steps=3)
    (tmp_path / "tables" / "trades.parquet").write_bytes(b"PAR1 nonsense")

    with pytest.raises(RecordUnreadable, match=r"trades\.parquet"):
        Run(tmp_path).trades()
