"""A scenario chooses its feeds and what an index is told in; both reach the mark of the market."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from sim.run import run
from sim.scenario.schema import Scenario
from tests.rules import rule
from tests.simulation.scenes import small

USDC_AT_80_CENTS = "prices.USDC={process: gbm, start: 0.8 USDC, volatility: 0 %/y}"
WRONG_PYTH = "faults=[{fault: oracle_wrong, source: pyth, during: [0 s, 10 s], by: 8 %}]"


def prices(scenario: Scenario, folder: Path) -> pd.DataFrame:
    result = run(scenario, out=folder)
    assert result.record.failures == []
    return pd.read_parquet(folder / "tables" / "prices.parquet")


@rule("ORAC-020")
def test_a_third_feed_outvotes_one_that_is_wrong(tmp_path: Path) -> None:
    """Of two feeds a wrong one leaves no index; of three the median does not move."""
    two = prices(small(1, WRONG_PYTH), tmp_path / "two")
    three = prices(small(1, WRONG_PYTH, "index.feeds=[pyth, chainlink, exchanges]"), tmp_path / "three")

    assert "FEEDS_DIFFER" in set(two["fault"])
    assert set(three["fault"]) == {""}
    assert three["price_e6"].between(59_000 * 10**6, 61_000 * 10**6).all()


@rule("ORAC-029")
@pytest.mark.parametrize(("numeraire", "price"), [("USD", 60_000), ("USDC", 75_000)])
def test_an_index_is_told_in_dollars_or_in_usdc(numeraire: str, price: int, tmp_path: Path) -> None:
    scenario = small(1, USDC_AT_80_CENTS, f"index.numeraire={numeraire}", "prices.BTC.volatility=0 %/y")

    assert set(prices(scenario, tmp_path / "run")["price_e6"]) == {price * 10**6}
