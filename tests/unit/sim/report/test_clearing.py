"""What the clearing houses did, as tables of a real run and as the page draws them."""

import json
from pathlib import Path

import pytest

from sim.report.clearing import clearing_house, closes_by_minute, funding_path, funds
from sim.report.clearing_plots import clearing
from sim.report.folder import Run
from sim.run import run as play
from sim.scenario.schema import Scenario
from tests.rules import rule

ROOT = Path(__file__).parents[4]


@pytest.fixture(scope="module")
def crash(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The fall of October 2025: positions are liquidated, and deleveraged when the fund is empty."""
    scenario = Scenario.load(ROOT / "scenarios" / "adl-2025-10-10.yaml")
    return Run(play(scenario, out=tmp_path_factory.mktemp("crash") / "run").folder)


def test_closes_add_up_to_the_trades(crash: Run) -> None:
    closes = closes_by_minute(crash).groupby("kind")[["closes", "worth"]].sum()

    counts = crash.record.counts
    assert closes["closes"].to_dict() == {"LIQUIDATION": counts["liquidations"], "ADL": counts["deleveraged"]}
    trades = crash.trades()
    forced = trades[trades["tradeType"] != "TRADE"]["notional"].sum()
    assert round(closes["worth"].sum() * 10**6) == forced


@rule("ADEL-006")
def test_what_deleveraging_took_is_told_by_trade_by_market_and_for_the_run(crash: Run) -> None:
    """Below zero: who waited for the book was closed short of his mark, and others gained by it."""
    trades = crash.trades()
    told = trades.loc[trades["tradeType"] == "ADL", ["taken", "overshoot"]].astype("int64").sum()

    assert told["taken"] == crash.record.counts["adl_taken"] < 0
    assert told["overshoot"] == crash.record.counts["adl_overshoot"] <= told["taken"]
    house = clearing_house(crash)["markets"]
    assert [sum(row[name] for row in house) for name in told.index] == told.tolist()


@rule("RISK-084")
def test_what_synths_are_worth_and_what_could_pay_for_it_is_counted(tmp_path: Path) -> None:
    overrides = ["duration=5 min", "expect.thresholds=[synth_liability > 0]"]
    scenario = Scenario.load(ROOT / "scenarios" / "smoke.yaml", overrides)
    run = Run(play(scenario, out=tmp_path / "run").folder)

    counts, balances = run.record.counts, run.balances()
    markets = run.markets().set_index("symbol")
    held = int(balances[balances["asset"] == "sBTC"][["available", "reserved"]].sum().sum())
    assert counts["synth_liability"] == held * int(markets["index_e6"]["sBTC-USDC"]) // 10**8
    assert all(result.held for result in run.record.thresholds.values())
    assert counts["synth_coverage_share"] == counts["fees"] * 10**6 // counts["synth_liability"] > 0


def test_a_fund_ends_where_its_account_does(crash: Run) -> None:
    path = funds(crash)

    assert len(path) > 2
    assert path["time"].is_monotonic_increasing
    assert (path["insurance"] >= 0).all()
    last = path.groupby("symbol")[["insurance", "bad_debt"]].last().sum()
    counts = crash.record.counts
    assert [round(last[name] * 10**6) for name in ("insurance", "bad_debt")] == [
        counts["insurance"],
        counts["bad_debt"],
    ]


def test_the_figure_has_a_row_for_what_happened(crash: Run) -> None:
    figure = clearing(crash)
    assert figure is not None
    drawn = json.loads(figure.to_json())

    titles = [axis["title"]["text"] for name, axis in drawn["layout"].items() if name.startswith("yaxis")]
    assert titles == ["insurance, USDC", "closed, USDC/min"]
    assert [trace["name"] for trace in drawn["data"]] == ["BTC-PERP", "liquidated", "deleveraged"]


def test_funding_is_drawn_where_it_was_paid(tmp_path: Path) -> None:
    scenario = Scenario.load(ROOT / "scenarios" / "eight-o-clock.yaml")
    run = Run(play(scenario, out=tmp_path / "run").folder)
    path = funding_path(run)

    assert len(path) == run.record.counts["funding_ticks"] > 0
    assert round(path["paid"].iloc[-1] * 10**6) == run.record.counts["funding_paid"]
    figure = clearing(run)
    assert figure is not None
    assert "funding, % of index" in figure.to_json()
