"""The operator disappears with everything, and every user gets out what is theirs, to the unit."""

from pathlib import Path

import pytest

from sim.run import run
from sim.scenario.schema import Scenario
from system.model import keys
from system.model.errors import ScenarioError
from system.model.trade import BATCHED, PENDING, SUBMITTED
from tests.rules import rule
from tests.simulation.scenes import played

FILE = Path(__file__).parents[2] / "scenarios/operator-gone.yaml"


@rule("CONS-016")
@pytest.mark.parametrize("chain", ["model", pytest.param("anvil", marks=pytest.mark.anvil)])
def test_everybody_gets_out(chain: str) -> None:
    with played(Scenario.load(FILE, [f"chain={chain}", "signatures=real"])) as world:
        assert world.backend is not None
        asked = world.chain
        for purse in world.purses.values():
            assert asked.usdc_of(purse.account) == 0
            assert asked.wallet_of(purse.account, "USDC") > 0
        assert asked.vault_usdc() == asked.treasury_usdc() > 0
        rows = world.backend.scan(keys.TRADES)
        void = [row for row in rows if row["settlementStatus"] in (PENDING, BATCHED, SUBMITTED)]
        assert 0 < len(void) < len(rows), "some trades should have been under way"


@rule("CONS-016")
@pytest.mark.parametrize("chain", ["model", pytest.param("anvil", marks=pytest.mark.anvil)])
def test_the_scenario_holds(chain: str) -> None:
    record = run(Scenario.load(FILE, [f"chain={chain}"])).record

    assert record.failures == []
    assert record.invariants["nobody_is_locked_in"] == "held"
    assert record.faults == {"operator_gone": 1}


@rule("CONS-016")
@pytest.mark.parametrize("chain", ["model", pytest.param("anvil", marks=pytest.mark.anvil)])
def test_losses_above_margins_are_shared_to_the_unit(chain: str) -> None:
    """A wild market with little margin: some have lost more than they put down, and batches skipped fills."""
    wild = ["prices.BTC.volatility=20000 %/y", "seed=1", f"chain={chain}"]
    thin = ["markets.0.initial_margin=4 %", "markets.0.maintenance_margin=3.6 %"]
    with played(Scenario.load(FILE, wild + thin)) as world:
        assert world.backend is not None
        assert any(world.chain.skipped_in(number) for number in range(1, world.chain.last_batch() + 1))
        ended = [world.chain.position_of(each.account, "BTC-PERP") for each in world.purses.values()]
        assert {tuple(each) for each in ended} == {(0, 0, 0)}
        assert 0 < world.chain.clearing_usdc() < len(ended), "all but what was rounded down"
    assert run(Scenario.load(FILE, wild + thin)).record.failures == []


@rule("CONS-016")
@pytest.mark.parametrize("chain", ["model", pytest.param("anvil", marks=pytest.mark.anvil)])
def test_options_end_without_an_operator_too(chain: str) -> None:
    """One at its payoff, as its price was published before; one, not expired yet, at its last premium."""
    terms = "tick: 5 USDC, lot: 0.01 BTC, band: 50 %"
    ended, open_still = (
        f"{{symbol: BTC-3MAY25-55000-C, cap: 110_000 USDC, settle_window: 0 s, {terms}}}",
        f"{{symbol: BTC-9MAY25-65000-P, {terms}}}",
    )
    makers = "kind: market_maker, count: 2, funds: 4_000_000 USDC, half_spread: 3 %, step: 1 %, levels: 3"
    takers = "kind: noise_taker, count: 6, funds: 200_000 USDC, rate: 0.05 /s, size: 500 USDC, reach: 10 %"
    settings = [
        "start=2025-05-03T07:50:00Z",
        f"markets=[{ended}, {open_still}]",
        f"agents=[{{{makers}, refresh: 1 min, size: 2_000 USDC}}, {{{takers}}}]",
        "faults=[{fault: operator_gone, at: 18 min}]",
        "expect.thresholds=[]",
        f"chain={chain}",
    ]
    with played(Scenario.load(FILE, settings)) as world:
        assert world.chain.ending_of("BTC-3MAY25-55000-C") > 50_000 * 10**6
        assert 0 < world.chain.ending_of("BTC-9MAY25-65000-P") < 20_000 * 10**6
    assert run(Scenario.load(FILE, settings)).record.failures == []


@rule("CONS-016")
def test_a_wallet_that_got_too_little_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: the Vault keeps one uUSDC of every exit."""
    from sim.world import model_exits

    pay = model_exits._pay
    monkeypatch.setattr(model_exits, "_pay", lambda books, account, assets: pay(books, account, assets - 1))

    record = run(Scenario.load(FILE)).record

    assert record.invariants["nobody_is_locked_in"] == "broken"
    assert any("in its wallet" in failure.where for failure in record.failures)


@rule("CONS-016")
def test_a_position_that_was_paid_too_little_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: Clearing keeps one uUSDC of every claim."""
    from sim.world import model_claims

    worth = model_claims._worth
    monkeypatch.setattr(model_claims, "_worth", lambda position, price: worth(position, price) - 1)

    record = run(Scenario.load(FILE)).record

    assert record.invariants["nobody_is_locked_in"] == "broken"


def test_a_run_too_short_to_leave_is_refused() -> None:
    with pytest.raises(ScenarioError, match="27 hours"):
        run(Scenario.load(FILE, ["duration=27 h"]))
