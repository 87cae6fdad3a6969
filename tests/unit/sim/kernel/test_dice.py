"""Named dice and the delays drawn from them."""

import statistics

import pytest

from sim.kernel.dice import Dice, LognormalDelay

MS = 10**6


def test_the_same_name_draws_the_same() -> None:
    assert Dice(7).named("agent", 3).random() == Dice(7).named("agent", 3).random()


def test_other_names_numbers_and_seeds_draw_otherwise() -> None:
    draws = {
        Dice(7).named("agent", 3).random(),
        Dice(7).named("agent", 4).random(),
        Dice(7).named("price", 3).random(),
        Dice(8).named("agent", 3).random(),
    }

    assert len(draws) == 4


def test_delays_have_the_median_and_the_tail_asked_for() -> None:
    link = LognormalDelay(6 * MS, 25 * MS, Dice(1).named("link", "api -> store"))
    drawn = sorted(link.draw() for _ in range(20_000))

    assert all(type(delay) is int for delay in drawn[:10])
    assert drawn[10_000] == pytest.approx(6 * MS, rel=0.03)
    assert drawn[19_800] == pytest.approx(25 * MS, rel=0.08)
    assert statistics.fmean(drawn) == pytest.approx(link.mean_ns, rel=0.03)


def test_a_fixed_delay_is_fixed() -> None:
    assert {LognormalDelay(5, 5, Dice(1).named("x")).draw() for _ in range(50)} == {5}
    assert LognormalDelay(0, 0, Dice(1).named("x")).draw() == 0


def test_a_tail_below_the_median_is_refused() -> None:
    with pytest.raises(ValueError, match="median <= p99"):
        LognormalDelay(5, 4, Dice(1).named("x"))


def test_no_delay_at_the_median_means_no_delay_at_all() -> None:
    assert LognormalDelay(0, 9, Dice(1).named("x")).mean_ns == 0
