"""Every scenario that ships, cut short: it is valid, everything in it moves, and all invariants hold."""

from pathlib import Path

import pytest

from sim.invariants import INVARIANTS
from sim.report.folder import Run
from sim.run import run
from sim.scenario.schema import Scenario, json_schema
from tests.rules import rule

SCENARIOS = Path(__file__).parents[2] / "scenarios"
FILES = sorted(SCENARIOS.glob("*.yaml"))
SHORT = {
    "throughput": "3 s",
    "reorg-storm": "250 s",
    "stale-oracle": "11 min",
    "bazaar": "1 min",
    "expiry-pin": "2 min",
    "cxpt-arbitrage": "9 min",
}
LONG_WINDOWS = ("matcher-crash", "infra-", "eight-o-clock")
"""Scenarios whose faults or events need all of their time."""

CUT_SHORT = [path for path in FILES if path.stem != "operator-gone" and not path.stem.startswith("infra-")]
"""operator-gone lasts a day or is nothing, test_operator_gone.py plays it; `infra-*` are played below."""


def short(path: Path) -> Scenario:
    """Load a file for a fraction of its time, and without limits that count on all of it."""
    duration = SHORT.get(path.stem, "30 s")
    cut = [] if path.stem.startswith(LONG_WINDOWS) else [f"duration={duration}"]
    return Scenario.load(path, [*cut, "backend=memory", "chain=model", "expect.thresholds=[]"])


def test_there_are_scenarios() -> None:
    assert {"smoke", "calm", "throughput"} <= {path.stem for path in FILES}


@pytest.mark.parametrize("path", CUT_SHORT, ids=lambda path: path.stem)
def test_a_scenario_holds_cut_short(path: Path) -> None:
    result = run(short(path))

    record = result.record
    assert result.exit_code == 0, record.failures
    assert record.verdict == "held"
    assert record.invariants == dict.fromkeys(sorted(INVARIANTS), "held")
    assert record.counts["fills"] > 0
    counts = record.counts
    assert counts["trades_settled"] + counts["trades_in_ledger"] == counts["fills"]
    assert record.counts["dead_letters"] == 0


@rule("RISK-072", "EXPI-009")
def test_a_capped_future_ends_at_its_highest_price_and_nobody_is_liquidated(tmp_path: Path) -> None:
    capped = ["max_price=60_050 USDC", "initial_margin=100 %", "insurance=0 USDC"]
    overrides = [f"markets.0.{term}" for term in capped]
    rising = ["prices.BTC.drift=20_000 %/y", "expect.thresholds=[liquidations == 0, bad_debt == 0]"]
    result = run(Scenario.load(SCENARIOS / "future-expiry.yaml", [*overrides, *rising]), out=tmp_path / "run")

    assert result.exit_code == 0, result.record.failures
    market = Run(result.folder).markets().set_index("symbol").loc["BTC-3MAY25"]
    assert market["index_e6"] > 60_050 * 10**6 == market["settle_e6"]


def test_cxpt_has_a_floor_only_where_it_is_redeemed() -> None:
    path = SCENARIOS / "cxpt-arbitrage.yaml"
    whole = run(Scenario.load(path))
    closed = run(Scenario.load(path, ["cxpt_redemption=false", "expect.thresholds=[]"]))

    assert (whole.exit_code, closed.exit_code) == (0, 0)
    opening = sum(wallet.funds["CXPT"] // 100 for wallet in Scenario.load(path).wallets())
    assert whole.record.counts["cxpt_minted"] > opening
    assert whole.record.counts["cxpt_redeemed"] > 0 == closed.record.counts["cxpt_redeemed"]
    assert closed.record.counts["cxpt_minted"] > opening


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_scenario_has_the_name_of_its_file_and_says_what_happens(path: Path) -> None:
    scenario = Scenario.load(path)

    assert scenario.scenario == path.stem
    assert scenario.about


@pytest.mark.deep
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_scenario_holds_as_it_is(path: Path) -> None:
    result = run(Scenario.load(path))

    assert result.exit_code == 0, result.record.failures


def test_the_schema_for_editors_is_that_of_the_code() -> None:
    assert (SCENARIOS / "schema.json").read_text() == json_schema()


@pytest.mark.parametrize("name", [path.stem for path in FILES if path.stem.startswith("infra-")])
def test_every_fault_of_an_infrastructure_scenario_strikes(name: str) -> None:
    record = run(short(SCENARIOS / f"{name}.yaml")).record

    assert record.failures == []
    assert not [fault for fault, times in record.faults.items() if not times]
