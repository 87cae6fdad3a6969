"""Margins that grow with size, with the crowd, or that stand for each other."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from system.model.units import PPM, QTY_SCALE
from system.risk.cross import CrossAccount, Holding, bankruptcy_quote, cross_liquidation_price_e6
from system.risk.margin import equity_e8, liquidation_price_e6
from system.risk.tiers import (
    bracket_of,
    brackets,
    maintenance,
    open_interest_im_ppm,
    open_interest_margin,
    sloped_rate_e12,
    tiered_liquidation_price_e6,
)
from tests.rules import rule

USDC = 10**6
SCHEDULE = brackets((0, 20_000, 10_000), (50_000 * USDC, 50_000, 25_000), (250_000 * USDC, 100_000, 50_000))


@rule("RISK-040")
def test_a_slope_stops_at_all_of_it() -> None:
    assert sloped_rate_e12(20_000_000_000, 50_000_000, 10**8 * 10**9) == 10**12


@rule("RISK-041")
def test_brackets_join_without_a_jump() -> None:
    assert [step.deduction for step in SCHEDULE] == [0, 750 * USDC, 7_000 * USDC]
    for step in SCHEDULE[1:]:
        assert abs(maintenance(SCHEDULE, step.floor + 1) - maintenance(SCHEDULE, step.floor)) <= 1
    assert bracket_of(SCHEDULE, 50_000 * USDC).mm_ppm == 10_000
    assert bracket_of(SCHEDULE, 50_000 * USDC + 1).mm_ppm == 25_000
    for wrong in (((1, 2, 1),), ((0, 2, 1), (0, 2, 1)), ((0, 9, 5), (7, 9, 4))):
        with pytest.raises(ValueError, match="brackets: expected"):
            brackets(*wrong)


@rule("RISK-036", "RISK-041")
@given(
    st.integers(1, 10**4).map(lambda lots: lots * 10**5),
    st.sampled_from([1, -1]),
    st.integers(1, 10**6),
    st.integers(1, 50),
)
def test_a_liquidation_price_under_brackets_is_the_last_safe_integer(
    size: int, side: int, ticks: int, leverage: int
) -> None:
    cost = size * ticks * 10**5 // QTY_SCALE
    margin = cost // leverage
    price = tiered_liquidation_price_e6(SCHEDULE, side * size, side * cost, margin)

    def safe(at: int) -> bool:
        required = maintenance(SCHEDULE, size * at // QTY_SCALE) * QTY_SCALE
        return equity_e8(side * size, side * cost, margin, at) >= required

    assert safe(price) or price == 0
    assert not safe(price - side) or price == 0


@rule("RISK-042")
def test_a_crowded_market_asks_for_all() -> None:
    assert open_interest_im_ppm(200_000, 5, 10, 20) == 200_000
    assert open_interest_im_ppm(200_000, 15, 10, 20) == 600_000
    assert open_interest_im_ppm(200_000, 25, 10, 20) == PPM
    assert open_interest_im_ppm(200_000, 25, 0, 0) == 200_000  # no caps
    assert open_interest_margin(3, 200_000, 13, 10, 17) == 2  # 3 x 54.28 %
    assert open_interest_margin(1_000_000, 200_000, 10**6, 10, 17) == 1_000_000


@rule("RISK-043")
@given(st.integers(-(10**9), 10**9).filter(bool), st.integers(1, 10**11), st.integers(0, 10**11))
def test_cross_margin_of_one_position_is_isolated_margin(size: int, mark: int, margin: int) -> None:
    cost = size * mark // QTY_SCALE
    account = CrossAccount(margin - cost, (Holding("A", size, mark, 50_000),))
    assert cross_liquidation_price_e6(account, "A") == liquidation_price_e6(size, cost, margin, 50_000)


@rule("RISK-043")
def test_another_position_carries_or_burdens() -> None:
    one, other = Holding("A", 10**8, 100 * USDC, 50_000), Holding("B", -(10**8), 100 * USDC, 50_000)
    account = CrossAccount(11 * USDC, (one, other))
    assert account.equity == 11 * USDC
    assert account.maintenance == 10 * USDC
    assert not account.is_liquidatable
    price = cross_liquidation_price_e6(account, "A")
    assert price == 98_947_369  # 11 less 5 for B less the loss is 5 % of the price
    moved = CrossAccount(11 * USDC, (Holding("A", 10**8, price, 50_000), other))
    assert not moved.is_liquidatable
    assert CrossAccount(11 * USDC, (Holding("A", 10**8, price - 1, 50_000), other)).is_liquidatable


@rule("RISK-044")
@given(
    st.lists(
        st.tuples(st.integers(-(10**9), 10**9).filter(bool), st.integers(1, 10**9)), min_size=1, max_size=4
    ),
    st.integers(-(10**9), 10**9),
)
def test_closing_all_at_their_bankruptcy_amounts_leaves_nothing(
    held: list[tuple[int, int]], usdc: int
) -> None:
    holdings = tuple(Holding(str(n), size, mark, 50_000) for n, (size, mark) in enumerate(held))
    account = CrossAccount(usdc, holdings)
    brought = [bankruptcy_quote(account, one.symbol, -one.size_e8) for one in holdings]
    assert 0 <= Fraction(usdc) + sum(brought) < len(holdings)
