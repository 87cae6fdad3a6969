"""Levelling moves margin and makes none, and afterwards an account falls as a whole or not at all."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from system.model.units import PPM, QTY_SCALE
from system.risk.cross import Leg, account_of, cover_ppm, levelled, spare
from system.risk.margin import realise
from tests.rules import rule

E6 = 10**6


@st.composite
def legs(draw: st.DrawFn) -> tuple[Leg, ...]:
    """Positions with a lot of 0.001, at prices of whole USDC; some of them far under water."""
    made = []
    for number in range(draw(st.integers(1, 4))):
        size_e8 = draw(st.integers(-2_000, 2_000).filter(bool)) * 10**5
        mark_e6 = draw(st.integers(1, 90_000)) * E6
        entry_e6 = mark_e6 * draw(st.integers(50, 150)) // 100
        cost = size_e8 * entry_e6 // QTY_SCALE
        margin = draw(st.integers(0, 200)) * abs(cost) // 100
        mm_ppm = draw(st.sampled_from([50_000, 100_000, 333_333]))
        made.append(Leg(f"M{number}", size_e8, cost, margin, mark_e6, mm_ppm))
    return tuple(made)


def carried_out(before: tuple[Leg, ...], least: int) -> tuple[Leg, ...]:
    """Move what is to be moved as the markets do: out of margin, then out of profit that is realised."""
    after = {leg.symbol: leg for leg in before}
    for giver, taker, amount in levelled(before, least):
        gives, takes = after[giver], after[taker]
        assert amount <= spare(gives, cover_ppm(before)), "a giver keeps its share"
        cost, margin = realise(gives.cost, gives.margin, max(0, amount - gives.margin))
        after[giver] = replace(gives, cost=cost, margin=margin - amount)
        after[taker] = replace(takes, margin=takes.margin + amount)
    return tuple(after.values())


@rule("RISK-046")
@given(legs())
def test_margin_moves_and_none_is_made(before: tuple[Leg, ...]) -> None:
    after = carried_out(before, least=1)

    assert sum(leg.equity_e8 for leg in after) == sum(leg.equity_e8 for leg in before)
    assert all(leg.margin >= 0 for leg in after)
    assert account_of(after).equity == account_of(before).equity


@rule("RISK-044", "RISK-046")
@given(legs())
def test_afterwards_all_are_short_exactly_when_the_account_is(before: tuple[Leg, ...]) -> None:
    account = account_of(before)
    spare_now = account.equity - account.maintenance
    after = carried_out(before, least=1)

    rounding = len(before) + Fraction(account.maintenance, PPM)  # shares are whole ppm, amounts whole uUSDC
    if spare_now > rounding:
        assert not any(leg.is_short for leg in after)
    elif -spare_now > rounding and account.equity >= 0:
        assert all(leg.is_short for leg in after)


@rule("RISK-046")
@given(legs())
def test_levelling_twice_changes_nothing_worth_a_transfer(before: tuple[Leg, ...]) -> None:
    after = carried_out(before, least=1)
    if account_of(before).equity >= 0:
        rounding = len(before) * (1 + int(account_of(before).maintenance) // PPM)
        assert all(one.amount <= rounding for one in levelled(after, least=1))
