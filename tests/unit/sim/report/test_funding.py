"""The funding models side by side."""

from __future__ import annotations

from sim.report.funding import funding_table
from tests.rules import rule


@rule("FUND-010")
def test_how_long_a_trade_against_half_a_percent_takes_to_pay() -> None:
    patience = {row.model: row.break_even_h for row in funding_table()}
    wanted = {"seed_literal": 3, "bitmex": 27, "hyperliquid": 27, "dydx": 24, "drift": 70, "perp_v2": 72}
    assert {name: patience[name] for name in wanted} == wanted
    assert (patience["deribit"], patience["none"]) == (26, None)
