"""The mark: three prices that fail in different ways, their median, and a band."""

from __future__ import annotations

import math

import msgspec
import pytest

from system.model.units import MINUTE_NS, NS
from system.risk.bands import price_range
from system.risk.holds import band
from system.risk.mark import (
    Basis,
    MarkRule,
    MarkState,
    MarkTerms,
    Top,
    book_price,
    clamp_to_band,
    decay_e18,
    next_mark,
    option_mark,
    with_funding,
)
from tests.rules import rule

E6 = 10**6
NOW_NS = 1_000_000 * NS
INDEX = 60_000 * E6
TERMS = MarkTerms(tick_e6=100_000)


def top(bid: int = 0, ask: int = 0, last: int = 0) -> Top:
    return Top(bid * E6, ask * E6, last * E6)


def known(basis: int) -> MarkState:
    """A market whose book has been so far from the index, until now."""
    return MarkState(basis=Basis().observe(NOW_NS - NS, basis * E6))


@rule("MARK-010")
@pytest.mark.parametrize(
    ("state", "book", "expected"),
    [
        (known(20), top(60_005, 60_015, 60_010), 60_010),  # of 60 000, about 60 020, 60 010
        (known(20), Top(), 60_010),  # no book: of two the mean
        (MarkState(), Top(), 60_000),  # nothing but the index
        (MarkState(), top(bid=60_010, last=60_020), 60_010),  # 60 000 and 60 020
    ],
)
def test_the_median_of_what_is_there(state: MarkState, book: Top, expected: int) -> None:
    assert next_mark(state, TERMS, NOW_NS, INDEX, book).mark_e6 == expected * E6


@rule("MARK-011")
def test_the_index_with_the_funding_that_is_due() -> None:
    assert with_funding(INDEX, 10**10, 500_000) == 60_300 * E6
    assert with_funding(INDEX, -(10**10), 1_000_000) == 59_400 * E6
    assert next_mark(MarkState(), TERMS, NOW_NS, INDEX, Top(), 10**10, 500_000).mark_e6 == 60_300 * E6


@rule("MARK-012")
def test_a_distance_fades_with_time() -> None:
    basis = Basis().observe(NS, 100 * E6).observe(2 * NS, 0)
    one_second = math.exp(-1 / 150)
    assert basis.price_e6(0) == pytest.approx(100 * E6 * one_second / (one_second + 1), abs=1)
    for at in range(3, 1_000):
        basis = basis.observe(at * NS, 0)
    assert 0 < basis.price_e6(0) < 100 * E6 * math.exp(-990 / 150)
    assert basis.observe(999 * NS, 10**9) == basis


@rule("MARK-012")
def test_the_distance_is_that_of_the_mid_and_a_new_one_has_the_time_since_the_last() -> None:
    state = next_mark(MarkState(), TERMS, NOW_NS, INDEX, top(60_010, 60_030))
    assert state.basis.price_e6(INDEX) == INDEX + 20 * E6
    state = next_mark(state, TERMS, NOW_NS + 3 * NS, INDEX, top(60_040, 60_060))
    fade = math.exp(-3 / 150)
    expected = (20 * fade + 50 * 3) / (fade + 3)
    assert state.basis.price_e6(INDEX) - INDEX == pytest.approx(expected * E6, abs=1)


@rule("MARK-012")
def test_without_a_two_sided_book_the_distance_is_kept_and_then_left_out() -> None:
    state = known(20)
    one_sided = next_mark(state, TERMS, NOW_NS, INDEX, top(bid=60_100))
    assert one_sided.basis == state.basis
    assert one_sided.mark_e6 == 60_010 * E6
    later_ns = NOW_NS - NS + 10 * MINUTE_NS
    assert next_mark(state, TERMS, later_ns, INDEX, Top()).mark_e6 == 60_010 * E6
    assert next_mark(state, TERMS, later_ns + 1, INDEX, Top()).mark_e6 == INDEX


@rule("MARK-012")
@pytest.mark.parametrize("elapsed", [1, 7, 149, 150, 1_000, 9_000])
def test_the_exponential_is_exact_to_its_last_digits(elapsed: int) -> None:
    assert decay_e18(elapsed, 150) / 10**18 == pytest.approx(math.exp(-elapsed / 150), rel=1e-12, abs=2e-18)


@rule("MARK-012")
def test_after_an_age_nothing_is_left_of_the_past() -> None:
    assert decay_e18(10**9, 150) == 0


@rule("MARK-013")
@pytest.mark.parametrize(
    ("book", "expected"),
    [
        (top(100, 110, 105), 105),
        (top(100, 110, 90), 100),
        (top(100, 110, 120), 110),
        (top(100, 110), 105),
        (top(bid=100, last=90), 100),
        (top(bid=100, last=105), 105),
        (top(ask=110, last=120), 110),
        (top(ask=110, last=105), 105),
        (top(bid=100), 0),
        (top(last=105), 0),
        (Top(), 0),
    ],
)
def test_the_price_of_a_book(book: Top, expected: int) -> None:
    assert book_price(book) == expected * E6


@rule("MARK-014")
def test_the_mark_stays_near_the_index_and_on_a_tick() -> None:
    far = MarkState(basis=Basis().observe(NOW_NS, 9_000 * E6))
    book = top(68_000, 70_000, 69_000)
    assert next_mark(far, TERMS, NOW_NS + NS, INDEX, book).mark_e6 == 63_000 * E6
    assert clamp_to_band(50_000 * E6, INDEX, 50_000) == 57_000 * E6
    half = INDEX + 50_000
    assert next_mark(MarkState(), TERMS, NOW_NS, half, Top()).mark_e6 == INDEX
    assert next_mark(MarkState(), TERMS, NOW_NS, half + 100_000, Top()).mark_e6 == INDEX + 200_000


@rule("MARK-015")
@pytest.mark.parametrize("push", [-30_000, -500, 0, 500, 30_000])
def test_the_book_alone_moves_the_mark_no_further_than_the_nearer_of_the_others(push: int) -> None:
    state = known(20)
    pushed = top(60_000 + push, 60_000 + push + 1, 60_000 + push)
    mark_e6 = next_mark(state, TERMS, NOW_NS - NS, INDEX, pushed).mark_e6
    assert INDEX <= mark_e6 <= INDEX + 20 * E6


@rule("MARK-016")
def test_the_index_as_mark() -> None:
    terms = MarkTerms(tick_e6=100_000, rule=MarkRule.INDEX)
    assert next_mark(known(20), terms, NOW_NS, INDEX, top(60_005, 60_015, 60_010)).mark_e6 == INDEX


@rule("MARK-016")
def test_the_last_trade_as_mark_follows_at_most_every_ten_seconds() -> None:
    terms = MarkTerms(tick_e6=100_000, rule=MarkRule.LAST_TRADE)
    state = next_mark(MarkState(), terms, NOW_NS, INDEX, Top())
    assert state.mark_e6 == INDEX
    state = next_mark(state, terms, NOW_NS + 9 * NS, INDEX, top(last=80_000))
    assert state.mark_e6 == INDEX
    state = next_mark(state, terms, NOW_NS + 10 * NS, INDEX, top(last=80_000))
    assert (state.mark_e6, state.mark_ns) == (80_000 * E6, NOW_NS + 10 * NS)


@rule("MARK-017")
@pytest.mark.parametrize(("mid", "expected"), [(5, 10), (30, 30), (90, 60)])
def test_an_options_mark_is_what_it_can_be_worth(mid: int, expected: int) -> None:
    assert option_mark(mid, 10, 60) == expected


@rule("MARK-010")
def test_a_stored_mark_is_the_same_mark() -> None:
    state = next_mark(known(-35), TERMS, NOW_NS, INDEX, top(60_005, 60_015, 60_010))
    assert msgspec.convert(msgspec.to_builtins(state), MarkState) == state


@rule("BAND-001")
def test_a_range_is_rounded_inward() -> None:
    assert price_range(10 * E6, 500_000, 2_000_000) == (5 * E6, 20 * E6)
    assert price_range(60_000_050_000, 950_000, 1_050_000, 100_000) == (57_000_100_000, 63_000_000_000)
    assert band(60_000_050_000, 50_000, 100_000) == (57_000_100_000, 63_000_000_000)
