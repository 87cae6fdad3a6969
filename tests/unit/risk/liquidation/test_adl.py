"""Who is deleveraged, and by how much."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from system.model.position import Position
from system.model.units import PPM
from system.risk.liquidation.adl import (
    POLICIES,
    Candidate,
    Stake,
    can_close_at,
    deleverage,
    overshoot,
    score,
    taken,
)
from system.risk.positions import fill_effect
from tests.rules import rule

K = 10**9
ONE = 10**8
MARK = 50 * K


@rule("ADEL-001")
def test_the_score_is_profit_times_leverage_or_loss_by_leverage() -> None:
    paid = Candidate(1, -ONE, -60 * K, 60 * K)  # short from 60,000, fully paid: 16.7 % at 50/70
    assert score(paid, MARK) == Fraction(1, 6) * Fraction(50, 70)
    levered = Candidate(2, -ONE, -60 * K, 6 * K)
    assert score(levered, MARK) == Fraction(1, 6) * Fraction(50, 16)
    losing = Candidate(3, -ONE, -48 * K, 8 * K)  # -4.2 % at 50/6
    assert score(losing, MARK) == Fraction(-2, 48) / Fraction(50, 6)
    bankrupt = Candidate(4, -ONE, -40 * K, 4 * K)
    ranked = sorted((levered, losing, bankrupt, paid), key=lambda one: -score(one, MARK))
    assert [one.seq for one in ranked] == [2, 1, 3, 4]


STAKES = st.lists(st.tuples(st.integers(1, 50), st.integers(-5, 5)), min_size=1, max_size=8)


@rule("ADEL-001", "ADEL-002")
@pytest.mark.parametrize("policy", list(POLICIES))
@given(found=STAKES, wanted=st.integers(0, 500), lot=st.sampled_from([1, 10_000]))
def test_allocations_close_what_is_wanted_in_lots_and_nobody_beyond_his_own(
    policy: str, found: list[tuple[int, int]], wanted: int, lot: int
) -> None:
    stakes = [Stake(seq, qty * lot, Fraction(rank)) for seq, (qty, rank) in enumerate(found)]
    closed = POLICIES[policy](stakes, wanted * lot, lot)

    assert sum(closed) == min(wanted * lot, sum(one.held_e8 for one in stakes))
    assert all(qty % lot == 0 and 0 <= qty <= one.held_e8 for qty, one in zip(closed, stakes, strict=True))
    if policy == "ranked":
        for one, qty in zip(stakes, closed, strict=True):
            for other, its in zip(stakes, closed, strict=True):
                before = (-one.score, one.seq) < (-other.score, other.seq)
                assert not (before and its and qty < one.held_e8), "the higher score closes first"
    else:
        total = sum(one.held_e8 for one in stakes)
        for one, qty in zip(stakes, closed, strict=True):
            assert abs(Fraction(qty) - Fraction(one.held_e8 * sum(closed), total)) < lot


@rule("ADEL-003")
def test_nobody_is_bankrupted_by_another() -> None:
    sound, weak = Candidate(1, -ONE, -60 * K, 6 * K), Candidate(2, -ONE, -51 * K, K)
    assert can_close_at(weak, MARK)
    assert not can_close_at(weak, 54 * K)
    chosen = deleverage([weak, sound], 2 * ONE, 54 * K, MARK, "ranked", 1)
    assert chosen.closed_e8 == (0, ONE)
    assert chosen.left_e8 == ONE


@rule("ADEL-003", "ADEL-004")
@given(
    st.integers(1, 50),
    st.sampled_from([1, -1]),
    st.integers(0, 10**6),
    st.integers(0, 10**6),
    st.integers(0, 10**4),
    st.integers(1, 50),
)
def test_any_part_of_who_can_close_closes_as_a_fill(
    lots: int, side: int, cost: int, margin: int, ticks: int, closed: int
) -> None:
    lot, tick = 10_000, 10_000  # 1 uUSDC a step: every rounding shows
    at = Position(trader="t", symbol="X", size_e8=side * lots * lot, cost=side * cost, margin=margin)
    one = Candidate(1, at.size_e8, at.cost, at.margin)
    effect = fill_effect(at, -side * min(closed, lots) * lot, ticks * tick, PPM)
    if can_close_at(one, ticks * tick):
        assert effect is not None
    elif closed >= lots:
        assert effect is None


@rule("ADEL-006")
def test_what_is_taken_is_told_against_the_mark() -> None:
    assert taken(ONE, is_long=False, price_e6=54 * K, mark_e6=MARK) == 4 * K
    assert taken(ONE, is_long=True, price_e6=66 * K, mark_e6=70 * K) == 4 * K
    assert taken(ONE, is_long=True, price_e6=66 * K, mark_e6=65 * K) == -K
    assert overshoot(4 * K, 4 * K) == 0
    assert overshoot(4 * K, -K) == 4 * K
