"""Options that are paid in full, and their end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from system.model.units import QTY_SCALE
from system.risk.expiry import (
    AskAdmin,
    Extend,
    Holding,
    Settle,
    blended_mark_e6,
    capped_settlement,
    settle_futures,
    settle_options,
    settlement_step,
)
from system.risk.insurance import Fund
from system.risk.options import (
    MarginedTerms,
    OptionType,
    call_lock,
    capped_fee,
    listing_cap_e6,
    margined_requirement,
    option_effect,
    payoff_e6,
    premium,
    put_lock,
    writer_lock,
)
from tests.rules import rule

K = 10**9
ONE = 10**8
DAY = 86_400
LOT = 1_000_000
TICK = 100 * 10**6


@rule("OPTN-001")
@pytest.mark.parametrize(
    ("kind", "settle", "pays"),
    [("CALL", 59, 0), ("CALL", 60, 0), ("CALL", 61, 1), ("CALL", 181, 120), ("PUT", 60, 0), ("PUT", 0, 60)],
)
def test_payoffs(kind: OptionType, settle: int, pays: int) -> None:
    assert payoff_e6(kind, 60 * K, settle * K, 180 * K) == pays * K


@rule("OPTN-002")
def test_caps_by_tenor() -> None:
    assert listing_cap_e6(60 * K, 50 * K, 30 * DAY, TICK) == 120 * K
    assert listing_cap_e6(50 * K, 60 * K, 30 * DAY + 1, TICK) == 180 * K
    assert listing_cap_e6(60_125_000_000, 0, DAY, 500 * 10**6) == 120 * K, "a tie, to the even tick"
    assert listing_cap_e6(60_375_000_000, 0, DAY, 500 * 10**6) == 121 * K
    for tenor in (0, -1, 90 * DAY + 1):
        with pytest.raises(ValueError, match="at most 90 days"):
            listing_cap_e6(60 * K, 60 * K, tenor, TICK)


@rule("OPTN-003")
def test_locks_are_the_largest_loss() -> None:
    assert writer_lock("PUT", 50 * K, 0, ONE // 10) == 5 * K
    assert writer_lock("CALL", 60 * K, 180 * K, ONE // 10) == call_lock(60 * K, 180 * K, ONE // 10) == 12 * K
    assert put_lock(200 * K, 2 * ONE, 250 * K, ONE) == 150 * K
    assert put_lock(200 * K, ONE, 250 * K, 9 * ONE) == 0


FILLS = st.lists(
    st.tuples(st.integers(0, 2), st.integers(1, 2), st.integers(1, 9), st.integers(1, 30)), max_size=30
)


@rule("OPTN-003", "OPTN-004", "OPTN-005", "EXPI-005")
@given(FILLS, st.sampled_from(["CALL", "PUT"]), st.integers(0, 200))
def test_options_of_three_traders_end_at_nothing(
    fills: list[tuple[int, int, int, int]], kind: OptionType, settle: int
) -> None:
    """I8: locks are the largest loss of what is written; premiums and payoffs cancel; cash returns."""
    most = payoff_e6(kind, 60 * K, 10**18 if kind == "CALL" else 0, 180 * K)
    state = [(0, 0, 0)] * 3  # size, cost, lock
    cash = 0
    for buyer, step, lots, price in fills:
        for who, side in ((buyer, 1), ((buyer + step) % 3, -1)):
            size, cost, lock = state[who]
            effect = option_effect(size, cost, side * lots * LOT, price * TICK, most)
            assert effect.lock == max(0, -effect.size_e8) * most // QTY_SCALE
            assert effect.lock - lock == effect.lock_in - effect.lock_out
            assert effect.premium == -side * price * TICK * lots * LOT // QTY_SCALE
            assert effect.realised == effect.premium + effect.cost - cost
            assert not (effect.lock_in and effect.lock_out)
            state[who] = (effect.size_e8, effect.cost, effect.lock)
            cash += effect.premium + effect.lock_out - effect.lock_in
    locks = sum(lock for _, _, lock in state)
    assert cash == -locks
    assert sum(size for size, _, _ in state) == 0

    held = [Holding(str(n), *row) for n, row in enumerate(state) if row[0]]
    settled = settle_options(held, payoff_e6(kind, 60 * K, settle * K, 180 * K), Fund(3))
    assert sum(one.amount for one in settled.credits) == locks
    assert all(one.amount >= 0 for one in settled.credits)
    assert settled.fund == Fund(3)


@rule("OPTN-005")
def test_the_profit_of_a_part_is_rounded_down_on_both_sides() -> None:
    assert option_effect(3 * LOT, 100, -LOT, 0, 0).realised == -34
    assert option_effect(-3 * LOT, -100, LOT, 0, 0).realised == 33


@rule("OPTN-006", "OPTN-007")
def test_premium_and_fees() -> None:
    assert premium(220 * 10**6, ONE, ONE // 100) == 2_200_000
    assert capped_fee(42 * K, 3 * K, 30_000_000, 200, 70_000) == 2_520_000
    assert capped_fee(42 * K, 60 * 10**6, 30_000_000, 200, 70_000) == 1_260_000, (
        "the share of the premium binds"
    )


@rule("OPTN-008")
def test_margined_shorts() -> None:
    rates = MarginedTerms()
    # 1,000 out of the money at 115,000: 15 % is 17,250, less 1,000
    assert margined_requirement(rates, "CALL", 116 * K, 115 * K, 2 * K, ONE) == (
        18_250_000_000,
        10_625_000_000,
    )
    # far out: the floor of 10 %
    assert margined_requirement(rates, "PUT", 50 * K, 115 * K, 0, ONE) == (11_500_000_000, 8_625_000_000)


@rule("EXPI-001", "EXPI-002", "EXPI-003")
def test_a_settlement_price_needs_half_of_its_window() -> None:
    expiry = 1_000_000
    assert settlement_step(900 * 60 * K, 900, expiry, expiry, 100) == Settle(60 * K)
    assert settlement_step(899 * 60 * K, 899, expiry, expiry, 100) == Extend(expiry + 60)
    late = expiry + 4 * 3_600
    assert settlement_step(0, 0, late - 30, expiry, 100) == Extend(late)
    assert settlement_step(0, 0, late, expiry, 100) == AskAdmin()
    assert settlement_step(900 * 60 * K, 900, late, expiry, 100) == Settle(60 * K)
    # ties go to the even multiple of the tick
    assert settlement_step(2 * 50, 2, 0, 0, 100, 2) == Settle(0)
    assert settlement_step(2 * 150, 2, 0, 0, 100, 2) == Settle(200)
    assert settlement_step(2 * 151, 2, 0, 0, 100, 2) == Settle(200)
    # the literal rule: the index of the instant
    assert settlement_step(60 * K, 1, expiry, expiry, 100, 0) == Settle(60 * K)
    assert settlement_step(0, 0, expiry, expiry, 100, 0) == Extend(expiry + 60)


@rule("EXPI-004")
def test_the_mark_blends_into_the_average() -> None:
    assert blended_mark_e6(1_950 * 10**6, 1_975 * 10**6, 0) == 1_975 * 10**6
    assert blended_mark_e6(1_950 * 10**6, 1_975 * 10**6, 600) == 1_966_666_666
    assert blended_mark_e6(1_950 * 10**6, 1_975 * 10**6, 9_999) == 1_950 * 10**6


HOLDINGS = st.lists(
    st.tuples(st.integers(1, 9), st.integers(1, 99), st.integers(0, 3 * K)), min_size=1, max_size=8
)


@rule("EXPI-006", "EXPI-007", "EXPI-008", "INSU-004", "INSU-005")
@given(
    HOLDINGS,
    st.integers(0, 200),
    st.integers(0, 10**9),
    st.integers(0, 10**9),
    st.booleans(),
    st.sampled_from([0, 300, 1_000_000]),
)
def test_an_expiry_pays_out_what_there_is_to_the_unit(
    rows: list[tuple[int, int, int]], settle: int, balance: int, allowance: int, haircuts: bool, fee_ppm: int
) -> None:
    """Every long of a row has a short at another price: sizes cancel, costs are what they are."""
    held = []
    for number, (lots, price, margin) in enumerate(rows):
        cost = lots * LOT * price * TICK // QTY_SCALE
        held.append(Holding(f"long{number}", lots * LOT, cost, margin))
        held.append(Holding(f"short{number}", -lots * LOT, -cost // 2, margin // 3))
    clearing = -sum(one.cost for one in held)
    settled = settle_futures(
        held, settle * TICK, Fund(balance), allowance, fee_ppm=fee_ppm, haircuts=haircuts
    )

    paid = sum(one.amount + one.fee for one in settled.credits)
    before = sum(one.margin for one in held) + clearing + balance
    assert paid + settled.fund.balance - settled.fund.bad_debt == before, "clearing ends at zero"
    assert all(one.amount >= 0 <= one.fee for one in settled.credits)
    for one, credit in zip(held, settled.credits, strict=True):
        assert credit.amount + credit.fee == one.margin + credit.realised
        assert credit.haircut == 0 or haircuts
    if settled.written_off:
        assert settled.fund.balance == 0


@rule("EXPI-009")
@given(st.integers(1, 99), st.integers(0, 150))
def test_a_capped_future_pays_out_its_collateral(lots: int, settle: int) -> None:
    long = capped_settlement(lots * LOT, settle * K, 100 * K)
    short = capped_settlement(-lots * LOT, settle * K, 100 * K)
    assert long + short == 100 * K * lots * LOT // QTY_SCALE
    assert min(long, short) >= 0
