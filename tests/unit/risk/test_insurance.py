"""Fund, haircut, bad debt."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from system.risk.insurance import Fund, event_cap, haircut, pay, receive, share_deficit, write_off
from tests.rules import rule

GAINS = st.lists(st.integers(0, 10**9), max_size=8)


@rule("INSU-001")
def test_income_repays_bad_debt_first() -> None:
    assert receive(Fund(0, 5), 3) == Fund(0, 2)
    assert receive(Fund(0, 5), 8) == Fund(3, 0)


@rule("INSU-002")
def test_an_event_takes_its_share_at_most() -> None:
    allowance = event_cap(101, 250_000)
    assert allowance == 25
    assert pay(Fund(101), 30, allowance) == (Fund(76), 25)
    assert pay(Fund(101), 20, allowance) == (Fund(81), 20)
    assert pay(Fund(10), 20, allowance) == (Fund(0), 10)


@rule("INSU-005")
def test_nothing_is_bad_debt_while_the_fund_has_money() -> None:
    assert write_off(Fund(4), 3) == Fund(1)
    assert write_off(Fund(4, 0), 6) == Fund(0, 2)


@rule("INSU-003")
@given(GAINS, st.integers(0, 10**10))
def test_a_haircut_pays_gains_pro_rata_and_keeps_the_dust(gains: list[int], collected: int) -> None:
    cut = haircut(gains, collected)
    assert sum(cut.paid) + cut.dust == collected
    if sum(gains) <= collected:
        assert cut.paid == tuple(gains)
        return
    assert 0 <= cut.dust < len(gains)
    for gain, paid in zip(gains, cut.paid, strict=True):
        assert 0 <= Fraction(gain * collected, sum(gains)) - paid < 1


@rule("INSU-002", "INSU-004", "INSU-005")
@given(GAINS, st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 10**9), st.booleans())
def test_a_deficit_is_shared_to_the_unit(
    gains: list[int], balance: int, deficit: int, allowance: int, haircuts: bool
) -> None:
    shared = share_deficit(Fund(balance), deficit, gains, allowance, haircuts)

    assert shared.insurance + shared.socialised + shared.written_off == deficit
    assert min(shared.insurance, shared.socialised, shared.written_off) >= 0
    kept = sum(gains) - sum(shared.gains)
    assert kept == shared.socialised + shared.dust
    assert (
        shared.fund.balance - shared.fund.bad_debt
        == balance - shared.insurance - shared.written_off + shared.dust
    )
    if shared.socialised:
        assert shared.insurance >= min(deficit, allowance, balance), "the fund goes first"
    if shared.written_off:
        assert shared.insurance == balance, "the fund is empty"
        assert not haircuts or not any(shared.gains), "winners have nothing left"
    if not haircuts:
        assert shared.gains == tuple(gains)
