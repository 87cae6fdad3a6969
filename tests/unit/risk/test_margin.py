"""Prices and amounts of a position that answers for itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from system.model.errors import Rejected, RejectReason
from system.model.units import PPM, QTY_SCALE
from system.risk.margin import (
    MaintenanceBasis,
    add_margin,
    bankruptcy_price_e6,
    equity_e8,
    is_liquidatable,
    last_safe_price_e6,
    liquidation_price_e6,
    realise,
    remove_margin,
    unrealised,
)
from tests.rules import rule

ONE, ENTRY, MARGIN = 10**8, 60_000_000_000, 6_000_000_000  # 1 BTC at 60,000, ten times

SIZES = st.integers(1, 10**4).map(lambda lots: lots * 10**4)
SIDES = st.sampled_from([1, -1])
COSTS = st.integers(0, 10**12)
MARGINS = st.integers(0, 10**12)
RATES = st.sampled_from([50_000, 10_000, 33_333, 1])
BASES = st.sampled_from(list(MaintenanceBasis))


@rule("RISK-031")
def test_a_position_at_its_maintenance_margin_is_safe_and_a_unit_below_is_not() -> None:
    mark = 56_000_000_000  # maintenance margin 2,800, unrealised loss 4,000
    assert not is_liquidatable(ONE, ENTRY, 6_800_000_000, mark, 50_000)
    assert is_liquidatable(ONE, ENTRY, 6_799_999_999, mark, 50_000)
    # on entry value it is 3,000
    assert not is_liquidatable(ONE, ENTRY, 7_000_000_000, mark, 50_000, MaintenanceBasis.ENTRY)
    assert is_liquidatable(ONE, ENTRY, 6_999_999_999, mark, 50_000, MaintenanceBasis.ENTRY)


@rule("RISK-032")
@pytest.mark.parametrize(
    ("size", "margin", "price"),
    [
        (ONE, ENTRY, 0),  # a fully paid long: no price
        (ONE, ENTRY - 3_000_000_000, 3_157_894_737),  # after 3,000 of funding
        (-ONE, ENTRY, 114_285_714_285),
        (ONE, MARGIN, 56_842_105_264),
        (-ONE, MARGIN, 62_857_142_857),
    ],
)
def test_liquidation_prices_of_the_worked_table(size: int, margin: int, price: int) -> None:
    cost = ENTRY if size > 0 else -ENTRY
    assert liquidation_price_e6(size, cost, margin, 50_000) == price


@rule("RISK-030", "RISK-032")
@given(SIZES, SIDES, COSTS, MARGINS, RATES, BASES)
def test_the_liquidation_price_is_the_last_safe_integer(
    size: int, side: int, cost: int, margin: int, mm_ppm: int, basis: MaintenanceBasis
) -> None:
    price = liquidation_price_e6(side * size, side * cost, margin, mm_ppm, basis)

    def safe(at: int) -> bool:
        return not is_liquidatable(side * size, side * cost, margin, at, mm_ppm, basis)

    if side > 0:
        assert safe(price)
        assert price == 0 or not safe(price - 1)
    else:
        assert not safe(price + 1)
        assert safe(price) or price == 0  # no price at all is safe for it


@rule("RISK-036")
@given(SIZES, SIDES, COSTS, MARGINS, RATES)
def test_the_search_finds_what_the_formula_says(
    size: int, side: int, cost: int, margin: int, mm_ppm: int
) -> None:
    found = last_safe_price_e6(
        side > 0, lambda at: not is_liquidatable(side * size, side * cost, margin, at, mm_ppm)
    )
    assert found == liquidation_price_e6(side * size, side * cost, margin, mm_ppm)


@rule("RISK-033")
@given(SIZES, SIDES, COSTS, MARGINS, st.sampled_from([10_000, 100_000, 1_000_000]))
def test_a_full_close_at_the_bankruptcy_price_owes_nothing_and_a_tick_worse_does(
    size: int, side: int, cost: int, margin: int, tick: int
) -> None:
    price = bankruptcy_price_e6(side * size, side * cost, margin, tick)

    assert price % tick == 0
    assert equity_e8(side * size, side * cost, margin, price) >= 0
    if price:
        assert equity_e8(side * size, side * cost, margin, price - side * tick) < 0


@rule("RISK-034")
def test_margin_may_leave_down_to_the_initial_margin_of_entry_or_mark() -> None:
    # long at 60,000, mark 66,000, ten times: initial margin 6,600 of the mark value
    equity = MARGIN + 6_000_000_000
    most = equity - 6_600_000_000
    assert remove_margin(ONE, ENTRY, MARGIN, most, 66_000_000_000, 100_000) == MARGIN - most
    refused = remove_margin(ONE, ENTRY, MARGIN, most + 1, 66_000_000_000, 100_000)
    assert isinstance(refused, Rejected)
    assert refused.reason is RejectReason.INSUFFICIENT_FUNDS
    # short in profit: the entry value is the larger one, and its margin all that there is to take
    assert remove_margin(-ONE, -ENTRY, MARGIN, MARGIN, 54_000_000_000, 100_000) == 0
    assert isinstance(remove_margin(-ONE, -ENTRY, MARGIN, MARGIN + 1, 1, 100_000), Rejected)
    assert isinstance(remove_margin(-ONE, -ENTRY, MARGIN, 0, 1, 100_000), Rejected)
    assert remove_margin(0, 0, 7, 7, 1, 100_000) == 0


@rule("RISK-034")
@given(SIZES, SIDES, COSTS, MARGINS, st.integers(1, 10**11), st.sampled_from([PPM, 100_000, 50_001]))
def test_what_may_leave_is_exactly_what_equity_has_above_the_initial_margin(
    size: int, side: int, cost: int, margin: int, mark: int, im_ppm: int
) -> None:
    value_e8 = max(size * mark, cost * QTY_SCALE)

    def enough(left: int) -> bool:
        return left >= 0 and PPM * equity_e8(side * size, side * cost, left, mark) >= im_ppm * value_e8

    for amount in (1, margin // 2 + 1, margin):
        left = remove_margin(side * size, side * cost, margin, amount, mark, im_ppm)
        assert isinstance(left, Rejected) != (amount > 0 and enough(margin - amount))


@rule("RISK-035")
def test_margin_is_added_from_what_is_available() -> None:
    assert add_margin(5, 3, 3) == 8
    for amount in (4, 0, -1):
        assert isinstance(add_margin(5, amount, 3), Rejected)


@rule("RISK-037")
@given(
    SIZES, SIDES, COSTS, st.integers(-(10**9), 10**9), st.integers(-(10**9), 10**9), st.integers(1, 10**11)
)
def test_realising_leaves_equity_alone(
    size: int, side: int, cost: int, margin: int, amount: int, mark: int
) -> None:
    after_cost, after_margin = realise(side * cost, margin, amount)
    before = equity_e8(side * size, side * cost, margin, mark)
    assert equity_e8(side * size, after_cost, after_margin, mark) == before
    assert after_margin - margin == after_cost - side * cost  # clearing pays the margin


def test_unrealised_profit_of_both_sides_cancels() -> None:
    assert unrealised(ONE, ENTRY, 61_000_000_000) == 1_000_000_000
    assert unrealised(-ONE, -ENTRY, 61_000_000_000) == -1_000_000_000
