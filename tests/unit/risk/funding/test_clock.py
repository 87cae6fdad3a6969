"""Boundaries, and ticks that come late, twice, or not at all."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from system.model.funding import FundingTrade
from system.model.units import NS
from system.risk.funding import FundingClock, FundingResult, Sample, boundary_after, offset_ns, open_clock
from system.risk.funding.clock import clock_from_row
from tests.rules import rule
from tests.unit.risk.funding.hours import START_NS, model_of, sample

MODEL = model_of("seed_twap")
HOUR_NS = 3_600 * NS


def at_hour(hours: int) -> int:
    return START_NS + hours * HOUR_NS


def hours(count: int) -> list[Sample]:
    """One premium for each hour: 1 %, 2 %, ..."""
    return [sample(at, 10_000 * (1 + at // 3_600)) for at in range(0, count * 3_600, 30)]


def observed(clock: FundingClock, samples: Iterable[Sample]) -> FundingClock:
    for one in samples:
        clock = clock.observe(MODEL, one)
    return clock


def rates(results: tuple[FundingResult, ...]) -> list[int]:
    return [one.rate_e12 // 10**10 for one in results]


@rule("FUND-030")
def test_boundaries_are_whole_intervals_since_the_epoch() -> None:
    assert boundary_after(START_NS, 28_800) == START_NS + 28_800 * NS
    assert boundary_after(START_NS + 28_800 * NS - 1, 28_800) == START_NS + 28_800 * NS


@rule("FUND-030")
def test_a_sample_at_the_boundary_belongs_to_the_interval_that_ends() -> None:
    literal = model_of("seed_literal")
    clock = open_clock(START_NS).observe(literal, sample(0, 10_000))
    clock = clock.observe(literal, sample(3_600, 50_000))
    clock, [result] = clock.tick(literal, at_hour(1))
    assert result.mark_e6 == 63_000 * 10**6


@rule("FUND-031")
def test_a_second_tick_gets_nothing() -> None:
    clock = observed(open_clock(START_NS), hours(1))
    clock, results = clock.tick(MODEL, at_hour(1))
    assert rates(results) == [1]
    assert clock.tick(MODEL, at_hour(1)) == (clock, ())
    assert clock.tick(MODEL, at_hour(0)) == (clock, ())
    assert clock.settled_ns == at_hour(1)


@rule("FUND-031")
def test_missed_ticks_are_made_up_in_order() -> None:
    clock = observed(open_clock(START_NS), hours(3))
    clock, results = clock.tick(MODEL, at_hour(3))
    assert rates(results) == [1, 2, 3]
    assert [one.boundary_ns for one in results] == [at_hour(1), at_hour(2), at_hour(3)]


@rule("FUND-031")
def test_ticks_may_come_for_one_boundary_after_the_other() -> None:
    clock = observed(open_clock(START_NS), hours(3))
    told = []
    for hour in (1, 2, 3):
        clock, results = clock.tick(MODEL, at_hour(hour))
        told += rates(results)
    assert told == [1, 2, 3]


@rule("FUND-032")
@pytest.mark.parametrize("late_s", [0, 30, 600, 3_000])
def test_a_late_tick_pays_what_a_punctual_one_would_have(late_s: int) -> None:
    samples = hours(2)
    punctual = observed(open_clock(START_NS), samples[:121])
    late = observed(punctual, samples[121 : 121 + late_s // 30])
    clock, results = late.tick(MODEL, at_hour(1))
    assert results == punctual.tick(MODEL, at_hour(1))[1]
    clock, following = observed(clock, samples[121 + late_s // 30 :]).tick(MODEL, at_hour(2))
    assert rates(following) == [2]


@rule("FUND-033")
def test_the_first_interval_is_the_rest_of_the_running_one() -> None:
    opened_ns = START_NS + 2_700 * NS
    clock = observed(open_clock(opened_ns), [one for one in hours(1) if one.ts_ns >= opened_ns])
    _, [result] = clock.tick(MODEL, at_hour(1))
    assert (result.active_s, result.rate_e12) == (900, 25 * 10**8)


@rule("FUND-031")
def test_a_market_that_slept_has_empty_intervals() -> None:
    clock = observed(open_clock(START_NS), hours(1))
    _, results = clock.tick(MODEL, at_hour(4))
    assert [one.per_unit_e12 > 0 for one in results] == [True, False, False, False]
    assert [(one.active_s, one.reason) for one in results] == [
        (3_600, ""), (60, "NO_SAMPLES"), (0, "PAUSED"), (0, "PAUSED"),
    ]  # fmt: skip


@rule("FUND-003")
def test_a_stored_clock_goes_on() -> None:
    clock = observed(open_clock(START_NS), hours(2))
    assert clock_from_row(clock.to_row()) == clock


@rule("FUND-034")
def test_markets_do_not_tick_all_at_once() -> None:
    offsets = {offset_ns(f"{name}-PERP") for name in ("BTC", "ETH", "SOL", "DOGE")}
    assert len(offsets) == 4
    assert all(0 <= one < 60 * NS and one % NS == 0 for one in offsets)
    assert offset_ns("BTC-PERP") == offset_ns("BTC-PERP")


@rule("FUND-035")
def test_a_tick_is_a_trade_of_nothing_between_nobody() -> None:
    trade = FundingTrade(
        symbol="BTC-PERP", uuid="u", seq=7, boundary_ns=at_hour(1), mark_e6=60_600, index_e6=60_000,
        per_unit_e12=-1_500_000, rate_e12=-25, active_s=3_600, capped=False, reason="", model="dydx", ts_ns=9,
    )  # fmt: skip
    item = trade.to_item()
    assert (item["PK"], item["SK"], item["tradeType"]) == ("MARKET#BTC-PERP", "TS#u", "FUNDING")
    assert (item["price_e6"], item["qty_e8"], item["dF_e12"]) == (60_600, 0, -1_500_000)
    assert item["funding_per_unit_e6"] == -1
    assert not {"maker", "taker", "maker_key", "taker_key", "notional"} & item.keys()
