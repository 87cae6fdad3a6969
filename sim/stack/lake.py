"""SQL over the data lake: `trades` and `funding`, one line each, and `daily`, one line a market and day.

The lake is a run's folder, any folder, or `s3://bucket`, whose objects are fetched first. The archive
may write a trade twice (redelivered batches with other boundaries), so the view keeps one a number.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from sim.report.folder import LAKE
from sim.stack.deploy import target_of
from system.adapters.aws.lake import S3Lake
from system.model.errors import ProvisionError

_LINES = (
    "SELECT * FROM read_json_auto("
    "'{folder}/{name}/**/*.jsonl', format='newline_delimited', union_by_name=true)"
)
_VIEWS = {
    "trades": _LINES + " QUALIFY row_number() OVER (PARTITION BY symbol, trade_no) = 1",
    "funding": _LINES,
}


class Table(NamedTuple):
    """What a query found."""

    columns: list[str]
    rows: list[tuple[Any, ...]]


def ask(source: str, sql: str) -> Table:
    """Run one query over a lake.

    Raises:
        ProvisionError: there is no such lake, or DuckDB refuses the query.
    """
    place = Path(source)
    if place.is_dir() and not (place / LAKE).exists():
        return _ask(place, sql)
    with TemporaryDirectory(prefix="dexsim-lake-") as text:
        folder = Path(text)
        if source.startswith("s3://"):
            _fetch(source.removeprefix("s3://"), folder)
        elif (place / LAKE).exists():
            with zipfile.ZipFile(place / LAKE) as kept:
                kept.extractall(folder)
        else:
            expected = "expected a run's folder, a folder or s3://bucket"
            raise ProvisionError(source, "lake", "folder", expected)
        return _ask(folder, sql)


def _fetch(bucket: str, folder: Path) -> None:
    lake = S3Lake(target_of("localstack").client("s3"), bucket)
    for key in lake.list(""):
        path = folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(lake.get(key) or b"")


def _ask(folder: Path, sql: str) -> Table:
    import duckdb

    with duckdb.connect() as database:
        for name, view in _VIEWS.items():
            if any((folder / name).rglob("*.jsonl")):
                database.execute(f"CREATE VIEW {name} AS {view.format(folder=folder.as_posix(), name=name)}")
        _daily(database, folder)
        try:
            found = database.execute(sql)
        except duckdb.Error as error:
            raise ProvisionError(sql, "query", "DuckDB", str(error)) from None
        columns = [column[0] for column in found.description or ()]
        return Table(columns, found.fetchall())


def _daily(database: Any, folder: Path) -> None:
    """Read the snapshots: a market a line, its histogram left in the file."""
    lines = [
        {"day": snapshot["day"], **{name: value for name, value in row.items() if name != "latency_buckets"}}
        for path in sorted((folder / "daily").glob("*.json"))
        for snapshot in [json.loads(path.read_bytes())]
        for row in snapshot["markets"].values()
    ]
    if not lines:
        return
    with TemporaryDirectory(prefix="dexsim-daily-") as place:
        path = Path(place, "daily.jsonl")
        path.write_text("\n".join(map(json.dumps, lines)))
        database.execute(f"CREATE TABLE daily AS SELECT * FROM read_json_auto('{path.as_posix()}')")
