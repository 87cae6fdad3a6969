"""Many seeds of one small scenario, and every seed that ever failed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sim.run import run
from sim.scenario.schema import Scenario
from sim.swarm import draw
from tests.simulation.scenes import small

HERE = Path(__file__).parent
SCENARIOS = HERE.parents[1] / "scenarios"
QUICK, DEEP = range(100, 120), range(1_000, 1_200)
# Each seed has one of these, so that a sweep sees more than one market.
TURNS = (
    (),
    ("signatures=off", "agents.2.rate=20 /s", "agents.2.cancel_share=40 %"),
    ("markets.0.initial_margin=10 %", "agents.1.size=20_000 USDC"),
    ("markets.0.fee=33 bps", "markets.1.fee=1 bps", "agents.0.levels=5"),
    ("markets.0.tick=0.01 USDC", "markets.0.lot=0.001 BTC", "prices.BTC.volatility=900 %/y"),
    ("links={'stream -> pipe': {median: 1 s, p99: 9 s}}", "confirmations=1", "block_time=12 s"),
)


def of(seed: int) -> Scenario:
    return small(seed, *TURNS[seed % len(TURNS)])


def held(scenario: Scenario) -> None:
    result = run(scenario, look_every_ns=2 * 10**9)

    again = f"seed {scenario.seed}; add it to seeds_that_failed.txt"
    assert result.exit_code == 0, f"{again}: {result.record.failures}"
    assert result.record.verdict == "held"
    assert result.record.counts["fills"] > 0, again


@pytest.mark.parametrize("seed", QUICK)
def test_a_seed_holds(seed: int) -> None:
    held(of(seed))


@pytest.mark.deep
@pytest.mark.parametrize("seed", DEEP)
def test_one_of_many_seeds_holds(seed: int) -> None:
    held(of(seed))


# what once failed


def failed() -> Iterator[tuple[str, int, list[str]]]:
    """Read seeds_that_failed.txt: (scenario, seed, settings)."""
    for line in (HERE / "seeds_that_failed.txt").read_text().splitlines():
        words = line.partition("#")[0].split()
        if words:
            yield words[0], int(words[1]), words[2:]


def test_what_once_failed_holds_now() -> None:
    for name, seed, settings in failed():
        if name == "small":
            held(small(seed, *settings))
        elif name == "swarm":
            held(draw(seed))
        else:
            held(Scenario.load(SCENARIOS / f"{name}.yaml", [f"seed={seed}", *settings]))
