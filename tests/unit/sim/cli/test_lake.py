"""SQL over a lake that a run has kept."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from sim.report.folder import LAKE
from sim.stack.lake import ask
from system.model.errors import ProvisionError


def line(number: int, symbol: str = "BTC-PERP", notional: int = 100) -> str:
    return json.dumps({"symbol": symbol, "trade_no": str(number), "notional": str(notional)}) + "\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "trades" / "2025" / "05" / "03" / "BTC-PERP"
    place.mkdir(parents=True)
    (place / "000000000001-000000000002.jsonl").write_text(line(1) + line(2, notional=7))
    (place / "000000000002-000000000003.jsonl").write_text(line(2, notional=7) + line(3))
    daily = tmp_path / "daily"
    daily.mkdir()
    markets = {"BTC-PERP": {"symbol": "BTC-PERP", "trades": "3", "latency_buckets": {"1": "3"}}}
    (daily / "2025-05-03.json").write_text(json.dumps({"day": "2025-05-03", "markets": markets}))
    return tmp_path


def test_a_trade_that_was_archived_twice_counts_once(folder):
    found = ask(str(folder), "SELECT count(*) AS n, sum(notional::BIGINT) AS volume FROM trades")

    assert (found.columns, found.rows) == (["n", "volume"], [(3, 207)])


def test_a_run_keeps_its_lake_in_one_file(folder, tmp_path_factory):
    run = tmp_path_factory.mktemp("run")
    with zipfile.ZipFile(run / LAKE, "w") as kept:
        for path in folder.rglob("*.jsonl"):
            kept.write(path, path.relative_to(folder))

    assert ask(str(run), "SELECT max(trade_no::INT) FROM trades").rows == [(3,)]


def test_days_are_a_market_a_line(folder):
    assert ask(str(folder), "SELECT symbol, trades::INT FROM daily").rows == [("BTC-PERP", 3)]


def test_what_cannot_be_asked_says_why(folder):
    with pytest.raises(ProvisionError, match="nonsense"):
        ask(str(folder), "SELECT nonsense")
    with pytest.raises(ProvisionError, match="expected a run's folder"):
        ask(str(folder / "nowhere"), "SELECT 1")
