"""Measures and figures of a run."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from sim.report import measures, plots
from sim.report.folder import Run
from tests.unit.sim.fixtures.kept_run import keep_run

FRAMES: dict[str, Callable[[Run], pd.DataFrame]] = {
    "quotes": lambda run: measures.quotes(run, "BTC-PERP"),
    "prints": lambda run: measures.prints(run, "BTC-PERP"),
    "oracle": lambda run: measures.oracle(run, "BTC"),
    "volume_by_minute": lambda run: measures.volume_by_minute(run, "BTC-PERP"),
    "resting": lambda run: measures.resting(run, "BTC-PERP"),
    "last_book": lambda run: measures.last_book(run, "BTC-PERP"),
    "settlement": measures.settlement,
    "on_the_way": measures.on_the_way,
}
FIGURES = {
    "price": lambda run: plots.price(run, "BTC-PERP"),
    "depth": lambda run: plots.depth(run, "BTC-PERP"),
    "last_book": lambda run: plots.last_book(run, "BTC-PERP"),
    "latency": plots.latency,
    "settlement": plots.settlement,
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return Run(keep_run(tmp_path_factory.mktemp("run"), steps=40))


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return Run(keep_run(tmp_path_factory.mktemp("quiet"), steps=0))


@pytest.mark.parametrize("name", FRAMES)
def test_a_measure_has_the_columns_of_its_docstring_even_when_nothing_happened(
    run: Run, quiet: Run, name: str
) -> None:
    shape = inspect.getdoc(getattr(measures, name)).partition("Shape:")[2].partition("Source:")[0]  # type: ignore[union-attr]
    promised = [
        column.strip()
        for line in shape.splitlines()[1:]
        if "  " in line.strip()
        for column in line.strip().partition("  ")[0].split(",")
    ]

    assert len(FRAMES[name](run)) > 0
    for each in (run, quiet):
        assert list(FRAMES[name](each).columns) == promised


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_drawn_even_when_nothing_happened(run: Run, quiet: Run, name: str) -> None:
    for each in (run, quiet):
        assert json.loads(FIGURES[name](each).to_json())["layout"]["height"] > 0


def test_the_spread_is_between_the_best_prices(run: Run) -> None:
    quotes = measures.quotes(run, "BTC-PERP")

    assert (quotes["bid"] < quotes["mid"]).all()
    assert (quotes["mid"] < quotes["ask"]).all()
    assert quotes["spread_bps"].between(100, 200).all()


def test_volume_adds_up(run: Run) -> None:
    both = sum(
        measures.volume_by_minute(run, symbol)[["buy", "sell"]].to_numpy().sum()
        for symbol in ("BTC-PERP", "sBTC-USDC")
    )

    assert both == pytest.approx(int(run.trades()["notional"].sum()) / 1e6)


def test_the_picture_of_the_book_loses_nothing(run: Run) -> None:
    depth = run.depth()
    mine = depth[depth["symbol"] == "BTC-PERP"]
    worth = (mine["price_e6"].astype(float) / 1e6 * mine["qty_e8"].astype(float) / 1e8).sum()

    assert measures.resting(run, "BTC-PERP")[["bid", "ask"]].sum().sum() == pytest.approx(worth)


def test_everything_is_final_in_the_end(run: Run) -> None:
    waiting = measures.on_the_way(run)

    assert waiting["trades"].iloc[-1] == 0
    assert (waiting["trades"] >= 0).all()
    assert measures.settlement(run).groupby("step")["trades"].max().to_dict() == dict.fromkeys(
        ("committed", "submitted", "confirmed"), len(run.trades())
    )


def test_the_accounts_add_up_to_the_deposits(run: Run) -> None:
    accounts = {account.name: account.amount for account in measures.where_money_is(run)}

    assert sum(accounts.values()) == 4 * 2_000_000_000_000
    assert accounts["Fees"] == run.lifetime()["fees"]
    assert accounts["Margin"] > 0


def test_marks_are_thinned_evenly() -> None:
    rows = pd.DataFrame({"n": range(1_001)})

    assert len(plots._thinned(rows, 100)) == 91
    assert len(plots._thinned(rows, 5_000)) == 1_001
    assert len(plots._thinned(rows.iloc[:0], 100)) == 0


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [(9.0, 210.0, [10, 20, 50, 100, 200]), (1.0, 10_000.0, [1, 10, 100, 1_000, 10_000])],
)
def test_ticks_are_round(low: float, high: float, ticks: list[float]) -> None:
    assert plots._log_ticks(low, high) == ticks


def test_batches_without_numbers_are_no_steps(tmp_path: Path) -> None:
    keep_run(tmp_path, steps=2)
    path = tmp_path / "tables" / "settlements.parquet"
    pd.DataFrame({"PK": ["CHAIN#HEAD"], "SK": ["META"]}).to_parquet(path)

    assert set(measures.settlement(Run(tmp_path))["step"]) == {"committed"}
