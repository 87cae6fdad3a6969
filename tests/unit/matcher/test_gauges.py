"""Gauges that one kind of market has: the funding rate and the implied volatility."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from system.matcher.gauges import market_gauges
from system.matcher.matching import Engine
from system.model.market import MarketKind, MarketState
from system.model.units import NS
from system.risk.volatility import black76, quoted_vol_ppm
from tests.rules import rule
from tests.unit.floor import BTC, E6, START_NS
from tests.unit.matcher.test_clearing import LEVERAGED


@rule("METR-017")
def test_a_perpetual_has_its_funding_rate() -> None:
    engine = Engine(LEVERAGED, {}, MarketState.ACTIVE)
    engine.house.state.rate_e12 = -1_250_000

    assert market_gauges(engine, START_NS) == {"funding_rate_e12": -1_250_000}
    assert market_gauges(Engine(BTC, {}, MarketState.ACTIVE), START_NS) == {}


@rule("IVOL-009")
def test_an_option_has_the_volatility_of_its_book() -> None:
    quarter = START_NS // NS + 31_536_000 // 4
    spec = replace(
        BTC,
        symbol="BTC-PUT",
        kind=MarketKind.OPTION,
        option_type="PUT",
        strike_e6=60_000 * E6,
        expiry_s=quarter,
        settlement="ledger",
    )
    fair = round(black76("PUT", 61_000, 60_000, 0.25, 0.65) * E6)

    assert quoted_vol_ppm(spec, fair, 61_000 * E6, quarter * NS - START_NS) == pytest.approx(650_000, abs=1)
    call = replace(spec, option_type="CALL", cap_e6=120_000 * E6)
    capped = black76("CALL", 61_000, 60_000, 0.25, 0.65) - black76("CALL", 61_000, 120_000, 0.25, 0.65)
    found = quoted_vol_ppm(call, round(capped * E6), 61_000 * E6, quarter * NS - START_NS)
    assert found == pytest.approx(650_000, abs=1)
    assert quoted_vol_ppm(spec, 1, 10_000 * E6, quarter * NS - START_NS) is None  # below what it is worth
    assert quoted_vol_ppm(spec, fair, 61_000 * E6, 0) is None
