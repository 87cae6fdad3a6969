"""Every funding model and every liquidation preset, by its name in a scenario's market, from end to end."""

from __future__ import annotations

from pathlib import Path

import pytest

from sim.invariants import INVARIANTS
from sim.report.clearing import clearing_house
from sim.report.folder import Run
from sim.report.page import write_page
from sim.run import RunResult, run
from sim.scenario.schema import Scenario
from system.risk.funding import PRESETS as FUNDING
from system.risk.liquidation.presets import PRESETS as LIQUIDATION
from tests.rules import rule

LEANING = """\
scenario: leaning
about: Three minutes around a boundary that all models share; takers who buy lift the mark above the index.
start: 2025-05-03T07:58:40Z
duration: 3 min
markets:
  - {symbol: BTC-PERP, tick: 0.1 USDC, lot: 0.0001 BTC, initial_margin: 10 %, settlement: ledger}
prices:
  BTC: {process: gbm, start: 60_000 USDC, volatility: 20 %/y}
agents:
  - {kind: market_maker, count: 2, funds: 500_000 USDC, half_spread: 60 bps, levels: 3, refresh: 5 s}
  - {kind: noise_taker, count: 6, funds: 20_000 USDC, rate: 0.3 /s, buys: 90 %, size: 8_000 USDC}
"""


def played(*settings: str) -> RunResult:
    return run(Scenario.parse(LEANING, "leaning.yaml", list(settings)))


@rule("FUND-001")
@pytest.mark.parametrize("model", list(FUNDING))
def test_a_market_is_funded_by_the_model_it_names(model: str) -> None:
    """Models by the hour and by eight hours meet at 08:00; `none` has no ticks at all."""
    record = played(f"markets.0.funding={model}").record

    assert record.failures == []
    assert record.invariants == dict.fromkeys(sorted(INVARIANTS), "held")
    assert record.counts["fills"] > 0
    assert record.counts["funding_ticks"] == (0 if model == "none" else 1)


@pytest.mark.parametrize("way", list(LIQUIDATION))
def test_a_market_liquidates_by_the_preset_it_names(way: str) -> None:
    """The index falls through everybody's maintenance margin."""
    record = played(
        f"markets.0.liquidation={way}",
        "prices.BTC={process: gbm, start: 60_000 USDC, volatility: 20 %/y, drift: -4_000_000 %/y}",
    ).record

    assert record.failures == []
    assert record.invariants == dict.fromkeys(sorted(INVARIANTS), "held")
    assert record.counts["liquidations"] > 0


def test_the_report_tells_what_the_clearing_house_did(tmp_path: Path) -> None:
    record = run(
        Scenario.parse(LEANING, "leaning.yaml", ["markets.0.funding=seed_twap"]), out=tmp_path / "run"
    ).record

    told = clearing_house(Run(tmp_path / "run"))
    page = write_page(Run(tmp_path / "run")).read_text(encoding="utf-8")

    assert sum(tick["paid"] for tick in told["ticks"]) == record.counts["funding_paid"] > 0
    assert [tick["model"] for tick in told["ticks"]] == ["seed_twap"]
    assert sum(row["liquidations"] for row in told["markets"]) == record.counts["liquidations"]
    assert "The clearing house" in page
