"""Averages over time."""

from __future__ import annotations

import pytest

from system.risk.twap import Twap, twap
from tests.rules import rule

SEEN = [(0, 60_000), (600, 60_300), (1_200, 59_900)]


@rule("TWAP-001", "TWAP-002")
@pytest.mark.parametrize(
    ("start", "end", "excluded", "expected"),
    [
        (0, 1_800, [], (108_120_000, 1_800)),
        (0, 1_800, [(900, 1_200)], (90_030_000, 1_500)),
        (0, 1_800, [(900, 1_100), (1_000, 1_200)], (90_030_000, 1_500)),  # overlapping times count once
        (0, 1_800, [(0, 1_800)], (0, 0)),
        (300, 700, [], (300 * 60_000 + 100 * 60_300, 400)),
        (2_000, 2_010, [], (599_000, 10)),
        (0, 1_800, [(500, 700)], (108_120_000 - 100 * 60_000 - 100 * 60_300, 1_600)),
    ],
)
def test_prices_count_with_the_time_they_hold(
    start: int, end: int, excluded: list[tuple[int, int]], expected: tuple[int, int]
) -> None:
    assert twap(SEEN, start, end, excluded) == expected


@rule("TWAP-001")
def test_time_before_the_first_observation_does_not_count() -> None:
    assert twap([(50, 10)], 0, 100) == (500, 50)
    assert twap([], 0, 100) == (0, 0)


@rule("TWAP-003")
@pytest.mark.parametrize(
    ("num", "den", "tick", "expected"),
    [(108_120_000_000_000, 1_800, 100, 60_066_666_700), (5, 2, 1, 2), (7, 2, 1, 4), (150, 1, 100, 200)],
)
def test_divided_once_and_rounded_half_even(num: int, den: int, tick: int, expected: int) -> None:
    assert Twap(since=0, num=num, den=den).price_e6(tick) == expected


@rule("TWAP-004")
def test_what_comes_late_changes_nothing() -> None:
    running = Twap(since=100).observe(110, 7).observe(120, 9)
    assert running.observe(120, 5) == running
    assert running.observe(115, 5) == running
    assert running.at(105) == running
    assert (running.at(130).num, running.at(130).den) == (70 + 90, 20)


@rule("TWAP-004")
def test_a_price_may_hold_for_so_long_only() -> None:
    running = Twap(since=0).observe(0, 7).at(1_000, most=90)
    assert (running.num, running.den) == (630, 90)
    assert running.at(2_000, most=90).den == 90


@rule("TWAP-004")
def test_a_new_window_keeps_the_price_in_force() -> None:
    running = Twap(since=0).observe(50, 7).at(100).renew(100)
    assert (running.num, running.den) == (0, 0)
    assert (running.at(110).num, running.at(110).den) == (70, 10)
