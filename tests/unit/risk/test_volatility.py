"""Black-76 and its inverses, against what must hold and against published numbers."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from system.risk.options import OptionType
from system.risk.volatility import (
    ImpliedVol,
    Quote,
    black76,
    capped_call,
    capped_call_vol,
    dearest_vol,
    greeks,
    implied_vol,
    market_vol,
    skew_25,
    years,
)
from tests.rules import rule

MONTH = 30 / 365
FORWARDS = st.floats(100, 100_000)
MONEYNESS = st.floats(-1.0, 1.0)
TIMES = st.floats(1 / 365, 1.0)
VOLS = st.floats(0.05, 3.0)
KINDS = st.sampled_from(["CALL", "PUT"])


@rule("IVOL-001")
@given(FORWARDS, MONEYNESS, TIMES, VOLS)
def test_calls_and_puts_differ_by_the_forward(forward: float, away: float, t: float, vol: float) -> None:
    strike = forward * math.exp(away)
    call, put = (black76(kind, forward, strike, t, vol) for kind in ("CALL", "PUT"))
    assert call - put == pytest.approx(forward - strike, abs=1e-9 * forward)


@rule("IVOL-001")
def test_a_year_has_365_days() -> None:
    assert years(90 * 86_400 * 10**9) == pytest.approx(90 / 365)


@rule("IVOL-002")
@given(FORWARDS, MONEYNESS, TIMES, VOLS, KINDS, st.sampled_from([0.0, 0.05]))
def test_a_price_inverts_to_its_volatility(
    forward: float, away: float, t: float, vol: float, kind: OptionType, rate: float
) -> None:
    strike = forward * math.exp(away)
    price = black76(kind, forward, strike, t, vol, rate)
    found = implied_vol(price, kind, forward, strike, t, rate).vol

    assert found is not None
    sign = 1 if kind == "CALL" else -1
    time_value = price * math.exp(rate * t) - max(0.0, sign * (forward - strike))
    if time_value > 1e-7 * forward:  # below, a price has too few digits left
        assert found == pytest.approx(vol, abs=1e-7)


@rule("IVOL-002")
def test_impossible_prices_have_a_reason() -> None:
    assert implied_vol(9.0, "CALL", 110, 100, MONTH) == ImpliedVol(None, "BELOW_INTRINSIC")
    assert implied_vol(110.0, "CALL", 110, 100, MONTH) == ImpliedVol(None, "ABOVE_MAXIMUM")
    assert implied_vol(100.0, "PUT", 110, 100, MONTH) == ImpliedVol(None, "ABOVE_MAXIMUM")
    assert implied_vol(1.0, "PUT", 110, 100, 0) == ImpliedVol(None, "EXPIRED")
    assert implied_vol(10.0, "CALL", 110, 100, MONTH) == ImpliedVol(0.0)


@rule("IVOL-003")
def test_what_a_cap_cuts_off() -> None:
    """Value of an at-the-money call above twice and three times the strike, in basis points of spot."""
    cut = {
        (days, vol, cap): round(1e4 * black76("CALL", 1, cap, days / 365, vol), 2)
        for days, vol, cap in ((30, 0.6, 2), (30, 1.0, 2), (90, 0.6, 2), (90, 1.0, 2), (90, 1.0, 3))
    }
    expected = [0.015, 10, 14, 254, 40]
    assert list(cut.values()) == pytest.approx(expected, rel=0.35, abs=0.01)
    assert capped_call(60, 60, 120, MONTH, 0.6) < black76("CALL", 60, 60, MONTH, 0.6)


@rule("IVOL-004")
@given(st.floats(40, 84), st.floats(0.05, 0.5))
def test_a_capped_call_is_dearest_where_both_vegas_are_equal(forward: float, t: float) -> None:
    best = dearest_vol(forward, 60, 120, t)
    top = capped_call(forward, 60, 120, t, best)
    for vol in (0.7 * best, 0.99 * best, 1.01 * best, 1.5 * best):
        assert capped_call(forward, 60, 120, t, vol) <= top + 1e-12


@rule("IVOL-004")
def test_the_published_turning_point() -> None:
    assert dearest_vol(80, 60, 120, 90 / 365) == pytest.approx(0.69, abs=0.01)
    assert dearest_vol(100, 60, 120, 90 / 365) == 0


@rule("IVOL-005")
@given(st.floats(40, 80), st.floats(0.1, 0.5), st.floats(0.2, 0.95))
def test_a_capped_price_inverts_to_its_smallest_root(forward: float, t: float, share: float) -> None:
    vol = share * dearest_vol(forward, 60, 120, t)
    price = capped_call(forward, 60, 120, t, vol)
    found = capped_call_vol(price, forward, 60, 120, t)
    assert found.capped
    assert found.vol is not None
    assert capped_call(forward, 60, 120, t, found.vol) == pytest.approx(price, abs=1e-9)
    if price - max(0.0, forward - 60) > 1e-4:
        assert found.vol == pytest.approx(vol, abs=1e-5)


@rule("IVOL-005")
def test_a_quoted_put_decides_and_a_price_near_its_cap_says_nothing() -> None:
    put = black76("PUT", 62, 60, MONTH, 0.55)
    found = capped_call_vol(1.0, 62, 60, 120, MONTH, put)
    assert found.vol == pytest.approx(0.55)
    assert not found.capped
    assert capped_call_vol(30.0, 85, 60, 120, MONTH).reason == "CLOSE_TO_CAP"
    assert capped_call_vol(19.0, 80, 60, 120, MONTH).reason == "BELOW_INTRINSIC"
    assert capped_call_vol(40.0, 80, 60, 120, MONTH).reason == "NO_ROOT"
    assert capped_call_vol(20.0, 80, 60, 120, 0).reason == "EXPIRED"
    assert capped_call_vol(20.0, 80, 60, 120, MONTH) == ImpliedVol(0.0, capped=True)


@rule("IVOL-006")
@pytest.mark.parametrize("cap", [0.0, 120.0])
def test_greeks_are_slopes_of_the_price(cap: float) -> None:
    forward, strike, t, vol, step = 62.0, 60.0, MONTH, 0.7, 1e-4

    def price(f: float, time: float, v: float) -> float:
        return capped_call(f, strike, cap, time, v) if cap else black76("CALL", f, strike, time, v)

    found = greeks("CALL", forward, strike, t, vol, cap)
    up, down = price(forward + step, t, vol), price(forward - step, t, vol)
    assert found.delta == pytest.approx((up - down) / (2 * step), abs=1e-6)
    assert found.gamma == pytest.approx((up - 2 * price(forward, t, vol) + down) / step**2, abs=1e-4)
    vega = (price(forward, t, vol + step) - price(forward, t, vol - step)) / (2 * step)
    assert found.vega == pytest.approx(vega, abs=1e-5)
    theta = (price(forward, t - step, vol) - price(forward, t + step, vol)) / (2 * step)
    assert found.theta == pytest.approx(theta, abs=1e-2)


def quote(kind: OptionType, strike: float, vol: float, cap: float = 0.0) -> Quote:
    price = capped_call(60, strike, cap, MONTH, vol) if cap else black76(kind, 60, strike, MONTH, vol)
    return Quote(kind, strike, price, cap)


@rule("IVOL-007")
def test_a_market_has_the_volatility_of_the_two_nearest_strikes() -> None:
    quotes = [quote("PUT", 50, 0.9), quote("PUT", 58, 0.6), quote("CALL", 61, 0.5, 122)]
    found = market_vol(quotes, 60, MONTH).vol
    weights = [greeks("PUT", 60, strike, MONTH, vol).vega for strike, vol in ((61, 0.5), (58, 0.6))]
    expected = (weights[0] * 0.5 + weights[1] * 0.6) / sum(weights)
    assert found == pytest.approx(expected, abs=1e-6)
    # at one strike the put decides
    assert market_vol([quote("CALL", 60, 0.4, 120), quote("PUT", 60, 0.7)], 60, MONTH).vol == pytest.approx(
        0.7
    )
    assert market_vol([], 60, MONTH) == ImpliedVol(None, "NO_QUOTE")


@rule("IVOL-008")
def test_skew_is_put_less_call_at_25_delta() -> None:
    quotes = [quote("PUT", 50, 0.9), quote("PUT", 55, 0.8), quote("CALL", 65, 0.5), quote("CALL", 80, 0.4)]
    # deltas: -0.20, -0.31, 0.31, 0.01
    assert skew_25(quotes, 60, MONTH).vol == pytest.approx(0.9 - 0.5, abs=1e-6)
    assert skew_25(quotes[:2], 60, MONTH) == ImpliedVol(None, "NO_QUOTE")
