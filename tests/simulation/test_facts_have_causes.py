"""What the catalogue's crashes show comes from their markets, not from a number in a file."""

from pathlib import Path

import pytest

from sim.run import run
from sim.scenario.schema import Scenario

SCENARIOS = Path(__file__).parents[2] / "scenarios"
RICH_MAKERS = [
    "agents.0.funds=20_000_000 USDC",
    "agents.0.size=60_000 USDC",
    "agents.0.inventory=5_000_000 USDC",
]


def facts(name: str, seed: int, *settings: str) -> dict[str, int]:
    scenario = Scenario.load(SCENARIOS / f"{name}.yaml", [f"seed={seed}", "expect.thresholds=[]", *settings])
    return run(scenario).record.facts


@pytest.mark.deep
@pytest.mark.parametrize("seed", [1000, 1001, 1002, 1003])
def test_the_discount_of_march_2020_is_made_by_makers_without_money(seed: int) -> None:
    thin, rich = (facts("crash-2020-03-12", seed, *how) for how in ([], RICH_MAKERS))

    assert 60_000 <= thin["discount"] <= 140_000
    assert rich["discount"] < 40_000


@pytest.mark.deep
@pytest.mark.parametrize("price", ["4 %", "15 %"])
def test_the_discount_of_march_2020_is_not_the_price_of_its_backstop(price: str) -> None:
    assert 60_000 <= facts("crash-2020-03-12", 1000, f"agents.1.discount={price}")["discount"] <= 140_000


@pytest.mark.deep
@pytest.mark.parametrize("seed", [1000, 1003])
def test_the_open_interest_lost_in_october_2025_is_what_no_backstop_takes_over(seed: int) -> None:
    lean, rich = (
        facts("adl-2025-10-10", seed, f"agents.6.capital={capital} USDC", "agents.6.funds=2_000_000 USDC")
        for capital in (100_000, 900_000)
    )

    assert lean["oi_fall"] > 430_000
    assert rich["oi_fall"] < 230_000
