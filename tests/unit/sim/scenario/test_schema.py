"""Scenarios: defaults, refusals with a remedy, the roster, and the way back to YAML."""

from pathlib import Path

import pytest

from sim.scenario.links import LINKS, Delay
from sim.scenario.schema import Scenario, json_schema
from system.model.errors import ScenarioError
from system.model.market import MarketKind
from tests.rules import rule

ROOT = Path(__file__).parents[4]
TEXT = """
scenario: small
duration: 2 h
markets:
  - {symbol: BTC-PERP, tick: 0.1 USDC, lot: 0.0001 BTC}
  - {symbol: sBTC-USDC, tick: 0.1 USDC, lot: 0.0001 sBTC}
prices:
  BTC: {process: gbm, start: 60_000 USDC}
links:
  api -> store: {median: 7 ms, p99: 25 ms}
agents:
  - {kind: market_maker, count: 2, funds: 2_000_000 USDC, half_spread: 60 bps}
  - {kind: noise_taker, name: crowd, funds: 200_000 USDC + 1 sBTC, rate: 0.2 /s}
"""
FILES = sorted((ROOT / "scenarios").glob("*.yaml"))


def small(*overrides: str) -> Scenario:
    return Scenario.parse(TEXT, "small.yaml", overrides)


def test_quantities_become_integers() -> None:
    scenario = small()

    assert scenario.duration == 7_200 * 10**9
    assert (scenario.markets[0].tick, scenario.markets[0].lot) == (100_000, ("BTC", 10_000))
    assert scenario.prices["BTC"].first_price_e6 == 60_000_000_000
    assert scenario.delays()["api -> store"] == Delay(7_000_000, 25_000_000)


def test_what_is_left_out_has_a_default() -> None:
    scenario = small()

    assert (scenario.seed, scenario.backend, scenario.chain, scenario.ingress) == (
        0,
        "memory",
        "model",
        "pipe",
    )
    assert (scenario.signatures, scenario.interleaving, scenario.expect.invariants) == (
        "real",
        "atomic",
        "all",
    )
    assert set(scenario.delays()) == set(LINKS)
    assert scenario.delays()["stream -> pipe"] == LINKS["stream -> pipe"]
    assert "chain" not in scenario.model_fields_set


def test_markets_become_the_exchanges_own_terms() -> None:
    specs = small("markets.0.initial_margin=50 %", "markets.0.fee=30 bps").specs()

    assert list(specs) == ["BTC-PERP", "sBTC-USDC"]
    perp, spot = specs.values()
    assert (perp.kind, perp.base, perp.underlying) == (MarketKind.PERP, "BTC", "BTC")
    assert (spot.kind, spot.base, spot.underlying) == (MarketKind.SPOT, "sBTC", "BTC")
    assert (perp.im_ppm, perp.fee_ppm, perp.band_ppm) == (500_000, 3_000, 50_000)


def test_the_roster_names_every_agent_and_its_funds() -> None:
    wallets = small().wallets()

    assert [wallet.name for wallet in wallets] == ["market_maker-0", "market_maker-1", "crowd-0"]
    assert wallets[2].funds == {"USDC": 200_000_000_000, "sBTC": 10**8}
    # a quarter of two million at 60 000, in whole lots
    assert wallets[0].funds == {"USDC": 2_000_000_000_000, "sBTC": 833_330_000}


def test_a_perp_trader_is_given_no_base() -> None:
    assert small("agents.0.markets=[BTC-PERP]").wallets()[0].funds == {"USDC": 2_000_000_000_000}


@pytest.mark.parametrize(
    ("override", "place", "problem"),
    [
        ("duration=0 s", "duration", "more than 0"),
        ("duration=2", "duration", "with its unit"),
        ("seed=-1", "seed", "a number of at least 0, was `-1`"),
        ("seed=1.5", "seed", "a whole number, was `1.5`"),
        ("seed=true", "seed", "a whole number, was `True`"),
        ("scenario=Big One", "scenario", "small letters"),
        ("about=5", "about", "expected text"),
        ("backend=mto", "backend", "no backend `mto`"),
        ("chain=ganache", "chain", "`model`, `anvil` or an http address"),
        ("ingress=fast", "ingress", "no ingress `fast`"),
        ("interleaving=greenlet", "interleaving", "no interleaving `greenlet`"),
        ("signatures=maybe", "signatures", "no signatures `maybe`"),
        ("start=noon", "start", "an instant in UTC"),
        ("speed=9", "speed", "unknown field `speed`"),
        ("markets=[]", "markets", "at least one item"),
        ("markets=5", "markets", "expected a list"),
        ("markets.0=5", "markets.0", "a mapping"),
        ("markets.0.tick=0.1", "markets.0.tick", "with its unit"),
        ("markets.0.tick=0.00001 USDC", "markets.0", "tick times lot"),
        ("markets.0.lot=0.0001 ETH", "markets.0.lot", "an amount of BTC"),
        ("markets.0.lot=5 USDC", "markets.0.lot", "an amount of BTC"),
        ("markets.0.symbol=BTC-PRP", "markets.0", "not a legal market: symbol"),
        ("markets.0.funding=bitmax", "markets.0.funding", "no funding model"),
        ("markets.0.liquidation=slow", "markets.0.liquidation", "no liquidation preset"),
        ("markets.0.insurance=5 USDC", "markets.0.insurance", "no position is liquidated"),
        ("markets.1={symbol: BTC-PERP, tick: 1 USDC, lot: 1 BTC}", "markets.1.symbol", "there twice"),
        ("prices={}", "prices", "`BTC-PERP` needs the price of BTC"),
        ("prices.BTC.process=vasicek", "prices.BTC.process", "no process `vasicek`"),
        ("links.api -> moon={median: 1 s, p99: 2 s}", "links.api -> moon", "no link `api -> moon`"),
        ("links={api->store: {}}", "links.api->store", "no link `api->store`"),
        ("links=5", "links", "a mapping"),
        ("links.api -> store.p99=1 ms", "links.api -> store.p99", "at least the median"),
        ("agents.0.kind=maker", "agents.0.kind", "no kind `maker`"),
        ("agents.0={funds: 5 USDC}", "agents.0.kind", "`kind` is missing"),
        ("agents.0.half_spred=5 bps", "agents.0.half_spred", "unknown field `half_spred`"),
        ("agents.0.count=0", "agents.0.count", "at least 1"),
        ("agents.0.levels=five", "agents.0.levels", "a whole number"),
        ("agents.0.markets=[BTC-PRP]", "agents.0.markets", "no market `BTC-PRP`"),
        ("agents.0.name=crowd", "agents.1.name", "is called `crowd` too"),
        ("agents.1={kind: noise_taker, funds: 5 USDC}", "agents.1.rate", "`rate` is missing"),
        ("events=[{at: 1 s, flood: {}}]", "events.0.flood", "unknown field `flood`"),
        ("events=[{at: 1 s}]", "events.0", "expected one of oracle_shock, market, was none"),
        ("events=[{at: 99 h, market: {action: pause}}]", "events.0.at", "before the end"),
        ("events=[{at: 1 s, market: {action: close}}]", "events.0.market.action", "close"),
        ("events=[{at: 1 s, market: {action: pause, symbol: X}}]", "events.0.market.symbol", "no market `X`"),
        (
            "events=[{at: 1 s, oracle_shock: {asset: ABC, move: 1 %}}]",
            "events.0.oracle_shock.asset",
            "no price of `ABC`",
        ),
        (
            "events=[{at: 1 s, oracle_shock: {asset: BTC, move: -100 %}}]",
            "events.0.oracle_shock.move",
            "above -100 %",
        ),
        ("faults=[{fault: flood}]", "faults.0.fault", "no fault `flood`"),
        ("faults=[{fault: crash, target: matcher}]", "faults.0.at", "needs an instant"),
        ("faults=[{fault: crash, target: mather, at: 1 s}]", "faults.0.target", "no function `mather`"),
        ("faults=[{fault: crash, target: matcher, before: store.drop}]", "faults.0.before", "no port call"),
        ("faults=[{fault: duplicate, target: api -> moon}]", "faults.0.target", "no hop `api -> moon`"),
        ("faults=[{fault: throttle, at: 99 h}]", "faults.0.at", "before the end"),
        ("faults=[{fault: throttle, during: [2 s, 1 s]}]", "faults.0.during", "end after the beginning"),
        ("faults=[{fault: throttle, at: 1 s, during: [1 s, 2 s]}]", "faults.0.at", "was both"),
        ("expect.thresholds=[p95(foo) < 1 s]", "expect.thresholds.0", "no measure `foo`"),
        ("expect.invariants=most", "expect.invariants", "no invariants `most`"),
    ],
)
def test_refuses(override: str, place: str, problem: str) -> None:
    with pytest.raises(ScenarioError) as refused:
        small(override)

    where, said, remedy, *_ = refused.value.args
    assert where.rpartition(": ")[2] == place
    assert problem in said
    assert remedy


def test_names_the_line() -> None:
    with pytest.raises(ScenarioError) as refused:
        Scenario.parse(TEXT.replace("0.1 USDC, lot: 0.0001 sBTC", "0.1 BTC, lot: 0.0001 sBTC"), "small.yaml")

    assert refused.value.args[0] == "small.yaml:6: markets.1.tick"


def test_tells_all_troubles_at_once() -> None:
    with pytest.raises(ScenarioError) as refused:
        small("duration=2", "agents.0.count=0")

    assert len(str(refused.value).splitlines()) == 2


def test_says_what_was_meant_probably() -> None:
    with pytest.raises(ScenarioError) as refused:
        small("backend=mto")

    assert refused.value.args[2] == "did you mean `moto`? known here: memory, moto, localstack, aws"


def test_a_missing_field_names_itself() -> None:
    with pytest.raises(ScenarioError, match=r"`duration` is missing; add `duration: \.\.\.`"):
        Scenario.parse(TEXT.replace("duration: 2 h", ""))


@pytest.mark.parametrize("chain", ["anvil", "http://127.0.0.1:8545", "https://rpc.example.org/key"])
def test_a_chain_may_be_an_address(chain: str) -> None:
    assert small(f"chain={chain}").chain == chain


def test_resolved_text_loads_to_an_equal_scenario() -> None:
    scenario = small("expect.thresholds=[p95(order_to_fill) < 1 s]", "expect.settled_within=90 s")
    text = scenario.resolved_yaml()

    assert Scenario.parse(text) == scenario
    assert Scenario.parse(text).resolved_yaml() == text
    assert "stream -> pipe" in text


def test_a_scenario_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        small().seed = 5  # type: ignore[misc]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_files_of_the_house_load_and_are_named_by_their_file(path: Path) -> None:
    scenario = Scenario.load(path)

    assert scenario.scenario == path.stem
    assert scenario.about
    assert Scenario.parse(scenario.resolved_yaml()) == scenario


def test_the_committed_json_schema_is_current() -> None:
    committed = (ROOT / "scenarios" / "schema.json").read_text(encoding="utf-8")

    assert committed == json_schema(), (
        "scenarios/schema.json is not current: run `python -m sim.scenario > scenarios/schema.json`"
    )


@rule("BAND-002", "OPTN-002")
def test_what_a_market_does_not_say_follows_from_its_underlying() -> None:
    terms = "tick: 1 USDC, lot: 0.1 SOL"
    listed = f"markets=[{{symbol: SOL-27JUN25-100-C, {terms}}}, {{symbol: %s, {terms}}}]"
    said = ("start=2025-06-01T00:00:00Z", "prices={SOL: {process: gbm, start: 120 USDC}}", "agents=[]")
    specs = small(listed % "SOL-PERP", *said).specs()

    assert [spec.band_ppm for spec in specs.values()] == [80_000, 80_000]
    assert specs["SOL-27JUN25-100-C"].cap_e6 == 240 * 10**6
    assert small().specs()["BTC-PERP"].band_ppm == 50_000
    with pytest.raises(ScenarioError, match="at most 90 days"):
        small(listed % "SOL-26DEC25-100-C", *said)
