"""The tables that docs/lake.md declares for Athena are what the archive writes."""

from __future__ import annotations

import re

import orjson
import pytest

from sim.scenario.schema import Scenario
from sim.stack.lake import ask
from tests.house import ROOT
from tests.simulation.scenes import played

PAGE = (ROOT / "docs/lake.md").read_text(encoding="utf-8")
STATEMENTS = re.findall(r"```sql\n(.*?)\n```", PAGE, re.DOTALL)
DAY = re.compile(r"[a-z]+/\d{4}/\d{2}/\d{2}/[A-Za-z0-9-]+/[\d-]+\.jsonl")


@pytest.fixture(scope="module")
def lake() -> dict[str, bytes]:
    """Everything that a run with liquidations and funding leaves in its lake, by key."""
    with played(Scenario.load(ROOT / "scenarios/eight-o-clock.yaml")) as world:
        assert world.backend is not None
        where = world.backend.lake
        return {key: where.get(key) or b"" for key in where.list("")}


@pytest.mark.parametrize("table", ["trades", "funding"])
def test_columns_and_partitions_are_those_of_the_objects(table: str, lake: dict[str, bytes]) -> None:
    [statement] = [text for text in STATEMENTS if f"TABLE {table} " in text]
    columns = re.findall(r"^  (\w+) string,?$", statement, re.MULTILINE)
    objects = {key: body for key, body in lake.items() if key.startswith(table + "/")}
    lines = [orjson.loads(line) for body in objects.values() for line in body.splitlines()]

    assert lines
    assert set(columns) == {name for line in lines for name in line}
    assert {type(value) for line in lines for value in line.values()} == {str}
    assert all(DAY.fullmatch(key) for key in objects)
    assert f"/{table}/${{day}}/'" in statement
    assert "'projection.day.format' = 'yyyy/MM/dd'" in statement


def test_the_query_of_the_page_adds_each_trade_once(
    lake: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("lake")
    for key, body in lake.items():
        (folder / key).parent.mkdir(parents=True, exist_ok=True)
        (folder / key).write_bytes(body)
    trades = {
        (line["symbol"], line["trade_no"]): int(line["notional"])
        for key, body in lake.items()
        if key.startswith("trades/")
        for line in map(orjson.loads, body.splitlines())
    }
    [query] = [text for text in STATEMENTS if text.startswith("SELECT")]

    # what Athena takes from the folder's name, DuckDB takes from the time
    said = ask(str(folder), query.replace("WHERE day = '2025/05/03'", ""))

    assert {symbol: int(volume) for symbol, volume in said.rows} == {
        symbol: sum(worth for (of, _), worth in trades.items() if of == symbol) for symbol, _ in trades
    }
