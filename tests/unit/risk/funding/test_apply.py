"""What a payment does to positions, and who pays when a payer cannot."""

from __future__ import annotations

import pytest

from system.risk.funding import Holding, apply_funding, funding_delta
from system.risk.insurance import Fund
from tests.rules import rule

E6, E8, E12 = 10**6, 10**8, 10**12
MARK = 100 * E6


def holding(trader: str, size: int, margin: int, cost: int | None = None) -> Holding:
    """A position of so many units at 100 USDC, without profit unless the cost says another."""
    return Holding(trader, size * E8, (100 * size if cost is None else cost) * E6, margin * E6)


@rule("FUND-020", "FUND-021")
def test_dust_is_the_funds() -> None:
    small = [Holding(str(at), size, 0, 10) for at, size in enumerate((333, 333, -666))]
    applied = apply_funding(small, 10**11, MARK, Fund(5), 0)
    assert [move.cash for move in applied.moves] == [-1, -1, 0]
    assert (applied.dust, applied.fund.balance) == (2, 7)


@rule("FUND-022")
def test_a_payer_without_margin_pays_out_of_profit() -> None:
    ann = holding("ann", 1, margin=3, cost=90)  # 10 of profit
    bob = holding("bob", -1, margin=100)
    applied = apply_funding([ann, bob], 5 * E12, MARK, Fund(), 0)
    assert applied.moves[0][1:] == (-5 * E6, -5 * E6, -3 * E6, 2 * E6)
    assert applied.moves[1][1:] == (5 * E6, 5 * E6, 5 * E6, 0)
    assert (applied.clearing_delta, applied.unpaid) == (-2 * E6, 0)


@rule("FUND-022")
def test_a_short_pays_out_of_profit_in_the_same_way() -> None:
    ann = holding("ann", -1, margin=3, cost=-110)
    applied = apply_funding([ann, holding("bob", 1, 100)], -5 * E12, MARK, Fund(), 0)
    assert applied.moves[0][1:] == (-5 * E6, -5 * E6, -3 * E6, 2 * E6)


@rule("FUND-023")
@pytest.mark.parametrize(
    ("fund", "allowance", "haircuts", "gains", "after"),
    [
        (100, 100, True, [7, 3], Fund(94)),
        (100, 2, True, [4, 1], Fund(99)),  # 6 of 10 in proportion; what the floors leave is the fund's
        (0, 100, True, [2, 1], Fund(1)),
        (0, 100, False, [7, 3], Fund(0, 6)),
        (4, 1, False, [7, 3], Fund(0, 2)),  # no bad debt while the fund has something
    ],
)
def test_a_shortfall_goes_to_fund_then_receivers_or_is_bad_debt(
    fund: int, allowance: int, haircuts: bool, gains: list[int], after: Fund
) -> None:
    longs = [Holding("ann", 10 * E8, 10 * MARK, 4)]
    shorts = [Holding("bob", -7 * E8, -7 * MARK, 0), Holding("cat", -3 * E8, -3 * MARK, 0)]
    applied = apply_funding(longs + shorts, E6, MARK, Fund(fund), allowance, haircuts=haircuts)
    assert [move.cash for move in applied.moves] == [-4, *gains]
    assert (applied.fund, applied.unpaid) == (after, 6)
    assert applied.haircut == 10 - sum(gains)
    assert applied.from_insurance == min(fund, allowance if haircuts else fund, 6)
    assert applied.written_off == after.bad_debt


@rule("FUND-024")
def test_a_margin_that_covers_the_payment_is_taken_though_the_position_is_under_water() -> None:
    ann = holding("ann", 1, margin=5, cost=200)
    applied = apply_funding([ann, holding("bob", -1, 100)], 5 * E12, MARK, Fund(), 0)
    assert (applied.moves[0].margin_delta, applied.unpaid) == (-5 * E6, 0)


@rule("FUND-025")
def test_settled_late_is_settled_boundary_by_boundary() -> None:
    steps = (100_000_000_001, -30_000_000_007, 70_000_000_003)
    punctual = [funding_delta(333, step) for step in steps]
    assert punctual == [-1, 0, -1]
    assert funding_delta(333, sum(steps)) == -1, "summed first it would be another amount"
