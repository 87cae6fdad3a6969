"""Positions of many traders who fill each other at random: what they add up to is always exact."""

from __future__ import annotations

from fractions import Fraction
from math import floor

from hypothesis import given
from hypothesis import strategies as st

from system.model.position import Position
from system.model.units import QTY_SCALE, fee_step, ppm_ceil
from system.risk.positions import fill_effect, margin_step, settle_fill, spot_effect
from tests.rules import rule

LOT_E8 = 10_000
TICK_E6 = 10_000
TRADERS = 4

INITIAL_MARGIN = st.sampled_from([1_000_000, 500_000, 100_000, 33_333, 20_000])
FILLS = st.lists(
    st.tuples(
        st.integers(0, TRADERS - 1),
        st.integers(1, TRADERS - 1),
        st.integers(1, 50).map(lambda lots: lots * LOT_E8),
        st.integers(1, 3_000).map(lambda ticks: ticks * TICK_E6),
    ),
    max_size=60,
)


def flat(number: int) -> Position:
    return Position(trader=f"t{number}", symbol="X-PERP")


@rule("RISK-010", "RISK-012", "RISK-013", "RISK-014", "RISK-016")
@given(INITIAL_MARGIN, FILLS)
def test_sums_over_all_traders_are_exact(im_ppm: int, fills: list[tuple[int, int, int, int]]) -> None:
    """I1 and I2: sizes cancel, and what was paid out is what the costs lack, to the unit."""
    positions = [flat(number) for number in range(TRADERS)]
    cash = 0  # of all traders together: paid out minus margin paid in
    for buyer, step, qty_e8, price_e6 in fills:
        bought, sold = positions[buyer], positions[(buyer + step) % TRADERS]
        buy = fill_effect(bought, qty_e8, price_e6, im_ppm)
        sell = fill_effect(sold, -qty_e8, price_e6, im_ppm)
        if buy is None or sell is None:
            continue
        for position, effect in ((bought, buy), (sold, sell)):
            change = effect.margin - position.margin
            assert change == effect.margin_in - effect.pay_out + effect.realised
            cash += effect.pay_out - effect.margin_in
            settle_fill(position, effect, 0)
            assert effect.pay_out >= 0
            assert effect.margin >= 0
            if not effect.size_e8:
                assert (effect.cost, effect.margin) == (0, 0)
            else:
                assert (effect.cost >= 0) == (effect.size_e8 > 0) or effect.cost == 0

    assert sum(at.size_e8 for at in positions) == 0
    clearing = -sum(at.cost for at in positions)
    assert clearing == -sum(at.realised for at in positions)
    assert cash + sum(at.margin for at in positions) + clearing == 0


@rule("RISK-012")
@given(st.integers(1, 40), st.integers(1, 10**12), st.booleans(), st.integers(1, 40), st.integers(1, 10_000))
def test_profit_of_a_reduction_is_the_exact_one_rounded_down(
    lots: int, cost: int, is_long: bool, closed: int, ticks: int
) -> None:
    closed = min(lots, closed)
    side = 1 if is_long else -1
    at = Position(trader="t", symbol="X-PERP", size_e8=side * lots * LOT_E8, cost=side * cost, margin=10**18)

    effect = fill_effect(at, -side * closed * LOT_E8, ticks * TICK_E6, 1_000_000)

    assert effect is not None
    notional = ticks * TICK_E6 * closed * LOT_E8 // QTY_SCALE
    exact = side * (notional - Fraction(cost * closed, lots))
    assert effect.realised == floor(exact)


@rule("RISK-015")
@given(st.lists(st.tuples(st.integers(-9, 9).filter(bool), st.integers(1, 500)), max_size=30))
def test_spot_rows_count_and_hold_no_margin(fills: list[tuple[int, int]]) -> None:
    buyer, seller = flat(0), flat(1)
    for lots, ticks in fills:
        settle_fill(buyer, spot_effect(buyer, lots * LOT_E8, ticks * TICK_E6), 0)
        settle_fill(seller, spot_effect(seller, -lots * LOT_E8, ticks * TICK_E6), 0)

    assert buyer.size_e8 + seller.size_e8 == 0
    assert buyer.cost + seller.cost == 0
    assert (buyer.margin, buyer.realised) == (0, 0)
    assert buyer.trades == len(fills)


@rule("FEES-001")
@given(st.lists(st.integers(1, 10_000), max_size=30), st.sampled_from([5_000, 1, 999_999]))
def test_fees_of_an_order_are_one_rounded_up_fee(notionals: list[int], fee_ppm: int) -> None:
    traded = paid = 0
    for notional in notionals:
        traded += notional
        fee = fee_step(traded, paid, fee_ppm)
        # the contract allows each fill ceil(rate * notional) and no more
        assert 0 <= fee <= ppm_ceil(notional, fee_ppm)
        paid += fee

    assert paid == ppm_ceil(traded, fee_ppm)


@rule("RISK-011")
@given(st.lists(st.integers(1, 10_000), max_size=30), INITIAL_MARGIN)
def test_margins_of_an_order_are_one_rounded_up_margin(notionals: list[int], im_ppm: int) -> None:
    traded = margin = 0
    for notional in notionals:
        margin += margin_step(traded, notional, im_ppm)
        traded += notional

    assert margin == ppm_ceil(traded, im_ppm)
