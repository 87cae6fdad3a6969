"""Each model's own rule, where no published example shows it."""

from __future__ import annotations

from bisect import bisect
from fractions import Fraction
from itertools import pairwise
from random import Random

import pytest

from system.model.units import NS
from system.risk.funding import funding_model, impact
from system.risk.funding.dydx import median_vote
from system.risk.funding.model import E6, mean, open_window
from system.risk.funding.premium import Impact, book_premium_e12, impact_premium_e12
from tests.rules import rule
from tests.unit.risk.funding.hours import INDEX_E6, START_NS, intervals, last, model_of, sample, sampled

PERCENT = 10_000  # ppm


HOURLY_E12 = {
    # at a premium of   0.01 %       0.1 %         1 %            5 %
    "none": (0, 0, 0, 0),
    "seed_literal": (100_000_000, 1_000_000_000, 10_000_000_000, 50_000_000_000),
    "seed_twap": (100_000_000, 1_000_000_000, 10_000_000_000, 50_000_000_000),
    "bitmex": (12_500_000, 62_500_000, 1_187_500_000, 6_187_500_000),
    "binance": (12_500_000, 62_500_000, 1_187_500_000, 4_687_500_000),
    "hyperliquid": (12_500_000, 62_500_000, 1_187_500_000, 6_187_500_000),
    "dydx": (12_500_000, 125_000_000, 1_250_000_000, 6_250_000_000),
    "drift": (12_500_000, 50_000_000, 425_000_000, 1_250_000_000),
    "perp_v2": (4_166_666, 41_666_666, 416_666_666, 2_083_333_333),
    "vega": (100_000_000, 1_000_000_000, 10_000_000_000, 50_000_000_000),
    "deribit": (0, 93_750_000, 1_218_750_000, 6_218_750_000),
    "kraken": (4_166_666, 41_666_666, 416_666_666, 2_083_333_333),
}
"""By hand from each formula; binance, drift at 5 % by their own caps."""


@rule("FUND-010")
@pytest.mark.parametrize("name", list(HOURLY_E12))
def test_the_hourly_rate_at_a_constant_premium(name: str) -> None:
    model = model_of(name)
    for premium_ppm, hourly_e12 in zip((100, 1_000, 10_000, 50_000), HOURLY_E12[name], strict=True):
        result = last(model, lambda _, ppm=premium_ppm: ppm)  # type: ignore[misc]
        assert result.rate_e12 * 3_600 // model.interval_s == hourly_e12


@rule("FUND-004")
def test_the_literal_rule_takes_the_boundarys_prices_in_full() -> None:
    model = model_of("seed_literal")
    moving = last(model, lambda at: 90_000 if at % 3_600 < 3_570 else 10_000)
    assert moving.per_unit_e12 == 600 * 10**12
    assert moving.rate_e12 == 10**10


@rule("FUND-005")
def test_the_literal_rule_without_prices_at_the_boundary_pays_nothing() -> None:
    model = model_of("seed_literal")
    window = sampled(model, open_window(START_NS), [sample(at, 10_000) for at in range(0, 3_500, 30)])
    assert model.close(window, START_NS + 3_600 * NS).reason == "PAUSED"
    window = model.sample(window, sample(3_550, 10_000, valid=False))
    assert model.close(window, START_NS + 3_600 * NS).per_unit_e12 == 0


@rule("FUND-004")
def test_averages_pay_for_how_long_a_premium_lasted() -> None:
    assert last(model_of("seed_twap"), lambda at: 40_000 if at % 3_600 < 900 else 0).rate_e12 == 10**10


@rule("FUND-010")
def test_bitmex_pays_what_the_interval_before_was_like() -> None:
    first, second, third = intervals(
        model_of("bitmex"), lambda at: 10_000 if at < 28_800 else 20_000, count=3
    )
    assert (first.per_unit_e12, first.reason) == (0, "NO_HISTORY")
    assert (second.rate_e12, third.rate_e12) == (9_500 * E6, 19_500 * E6)


@rule("FUND-010")
def test_binance_weighs_later_premiums_more() -> None:
    rising, falling = (
        last(model_of("binance"), lambda at, up=up: 20_000 if (at % 28_800 >= 14_400) is up else 10_000)  # type: ignore[misc]
        for up in (True, False)
    )
    assert rising.rate_e12 / E6 == pytest.approx(17_500 - 500, abs=10)
    assert falling.rate_e12 / E6 == pytest.approx(12_500 - 500, abs=10)


@rule("FUND-010")
def test_dydx_takes_the_median_of_a_minute_and_counts_silent_minutes() -> None:
    outlier = last(model_of("dydx"), lambda at: 900_000 if at % 60 == 30 else 8_000)
    assert outlier.rate_e12 > 8_000 * E6 // 8
    model = model_of("dydx")
    steady = [sample(at, 900_000 if at % 60 == 10 else 8_000) for at in range(0, 3_600, 10)]
    window = sampled(model, open_window(START_NS), steady)
    assert model.close(window, START_NS + 3_600 * NS).rate_e12 == 1_000 * E6
    silent = [one for one in steady if one.ts_ns // (60 * NS) % 2 == 0]
    carried = funding_model("dydx", model_of("dydx").terms.__class__(carry_s=120))  # type: ignore[attr-defined]
    window = sampled(carried, open_window(START_NS), silent)
    assert carried.close(window, START_NS + 3_600 * NS).rate_e12 == 500 * E6
    assert median_vote((1, 2, 9)) == 2
    assert median_vote((-1, -4)) == -2


@rule("FUND-010")
def test_perp_v2_sees_the_last_quarter_of_an_hour() -> None:
    """A premium that lasts a moment moves the average for 15 minutes, by what it lasted."""
    spike = last(model_of("perp_v2"), lambda at: 150_000 if 5_400 <= at < 5_460 else 0)
    assert spike.rate_e12 / E6 == pytest.approx(150_000 / 60 / 24, rel=0.05)


@rule("FUND-010")
def test_perp_v2_is_what_a_second_by_second_average_gives() -> None:
    """Unevenly spaced samples; naive: each second of the last 15 minutes has the spread in force then."""
    dice = Random("perp_v2")
    times = sorted(dice.sample(range(-3_600, 3_600), 90))
    spreads = {at: dice.randrange(-20_000, 20_000) for at in times}
    model = model_of("perp_v2", sample_s=1)
    samples = [sample(at, spreads[at]) for at in times]
    window = sampled(model, open_window(START_NS - 3_600 * NS), samples[: bisect(times, 0)])
    window = sampled(model, model.renew(window, START_NS), samples[bisect(times, 0) :])

    total, weight = Fraction(0), 0
    for before, at in pairwise(times):
        if at > 0:
            seen = [one for one in times if one <= before]
            seconds = range(max(at - 900, times[0]), at)
            in_force = [spreads[seen[bisect(seen, second) - 1]] for second in seconds]
            step = min(at - max(before, 0), 90)
            total += Fraction(sum(in_force), len(in_force)) * step
            weight += step
    paid_ppm = Fraction(mean(window), INDEX_E6)
    assert float(paid_ppm) == pytest.approx(float(total / weight), rel=1e-6)


@rule("FUND-008")
@pytest.mark.parametrize(
    ("name", "ppm", "interval_ppm"),
    [
        ("hyperliquid", 400_000, 40_000),
        ("kraken", 100_000, 2_500),
        ("drift", 50_000, 1_250),
        ("binance", 90_000, 37_500),
        ("bitmex", 900_000, 712_500),
    ],
)
def test_own_caps(name: str, ppm: int, interval_ppm: int) -> None:
    for sign in (1, -1):
        result = last(model_of(name), lambda _, sign=sign: sign * ppm)  # type: ignore[misc]
        assert (result.rate_e12, result.capped) == (sign * interval_ppm * E6, True)


@rule("FUND-008")
def test_dydx_caps_by_margins() -> None:
    model = model_of("dydx", im_ppm=5 * PERCENT, mm_ppm=3 * PERCENT)
    result = last(model, lambda _: 200_000)
    assert (result.rate_e12, result.capped) == (15_000 * E6, True)


@rule("FUND-010")
def test_vega_pulls_toward_its_interest_within_the_clamp() -> None:
    wide = {"clamp_low_ppm": -(10**6), "clamp_high_ppm": 10**6}
    interest = last(model_of("vega", yearly_interest_ppm=87_600, **wide), lambda _: 5_000)
    assert interest.rate_e12 == 10 * E6
    bound = last(model_of("vega", rate_high_ppm=1_000), lambda _: 5_000)
    assert (bound.rate_e12, bound.capped) == (1_000 * E6, True)
    assert last(model_of("vega", scaling_ppm=500_000), lambda _: 5_000).rate_e12 == 2_500 * E6


@rule("FUND-009")
def test_impact_prices() -> None:
    levels = [(100 * E6, 10**8), (110 * E6, 10**8), (120 * E6, 10**9)]
    assert impact(levels, 50 * E6) == Impact(100 * E6, thin=False)
    assert impact(levels, 210 * E6) == Impact(105 * E6, thin=False)
    assert impact(levels, 330 * E6) == Impact(110 * E6, thin=False)
    assert impact([(100 * E6, 10**8)], 100 * E6) == Impact(100 * E6, thin=False)
    assert impact(levels, 2_000 * E6) == Impact(120 * E6, thin=True)
    assert impact([], 50 * E6) == Impact(0, thin=True)


@rule("FUND-009")
@pytest.mark.parametrize(
    ("bid", "ask", "ppm"),
    [
        (60_600, 60_700, 10_000),
        (59_300, 59_400, -10_000),
        (59_900, 60_100, 0),
        (59_900, 0, 0),
        (0, 59_400, -10_000),
    ],
)
def test_a_premium_is_what_the_impact_prices_leave_of_the_index(bid: int, ask: int, ppm: int) -> None:
    assert impact_premium_e12(INDEX_E6, bid * E6, ask * E6) == ppm * E6


@rule("FUND-009")
def test_an_empty_book_has_the_premium_of_the_mark() -> None:
    from msgspec.structs import replace

    assert book_premium_e12(replace(sample(0, 5_000), impact_bid_e6=0, impact_ask_e6=0)) == 5_000 * E6
