"""Funding moves money and never makes any, whoever can pay and whoever cannot."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from system.model.units import QTY_SCALE
from system.risk.funding import (
    PRESETS,
    FundingResult,
    Holding,
    Sample,
    apply_funding,
    funding_delta,
    funding_model,
    open_clock,
)
from system.risk.funding.clock import clock_from_row
from system.risk.insurance import Fund
from tests.rules import rule
from tests.unit.risk.funding.hours import START_NS, sample

SIZES = st.lists(st.integers(-(10**12), 10**12), min_size=1, max_size=8)
PER_UNIT = st.integers(-(10**13), 10**13)
AMOUNTS = st.integers(0, 10**9)
MARK_E6 = 60_000 * 10**6


@rule("FUND-020", "FUND-021")
@given(SIZES, PER_UNIT)
def test_dust_is_less_than_a_unit_a_position(sizes: list[int], per_unit: int) -> None:
    sizes.append(-sum(sizes))
    dust = -sum(funding_delta(size, per_unit) for size in sizes)
    assert 0 <= dust < len(sizes)


@st.composite
def holdings(draw: st.DrawFn) -> list[Holding]:
    sizes = draw(SIZES)
    sizes.append(-sum(sizes))
    found = []
    for at, size in enumerate(sizes):
        worth = size * MARK_E6 // QTY_SCALE
        away = draw(st.integers(-(10**9), 10**9))
        found.append(Holding(str(at), size, worth + away, draw(st.integers(0, 10**8))))
    return found


@rule("FUND-022", "FUND-023", "FUND-024")
@given(
    holdings(), st.integers(-(10**15), 10**15), st.integers(0, 10**9), st.integers(0, 10**9), st.booleans()
)
def test_every_tick_sums_to_zero(
    positions: list[Holding], per_unit: int, balance: int, allowance: int, haircuts: bool
) -> None:
    before = Fund(balance)
    applied = apply_funding(positions, per_unit, MARK_E6, before, allowance, haircuts=haircuts)
    fund = applied.fund.balance - applied.fund.bad_debt - balance
    assert sum(move.margin_delta for move in applied.moves) + fund + applied.clearing_delta == 0
    assert applied.clearing_delta == -sum(move.cost_delta for move in applied.moves)
    assert applied.from_insurance <= (min(balance, allowance) if haircuts else balance)
    assert not applied.written_off or not applied.fund.balance, "bad debt while the fund has something"
    for position, move in zip(positions, applied.moves, strict=True):
        assert move.cash == move.margin_delta - move.cost_delta
        assert move.cost_delta >= 0
        assert position.margin + move.margin_delta >= 0
        assert move.owed <= move.cash <= 0 if move.owed < 0 else 0 <= move.cash <= move.owed
        profit = position.size_e8 * MARK_E6 // QTY_SCALE - position.cost
        assert move.cost_delta <= max(0, profit)
    if not haircuts:
        assert not applied.haircut


@rule("FUND-002", "FUND-003", "FUND-031", "FUND-032")
@given(
    st.sampled_from(sorted(PRESETS)),
    st.lists(
        st.tuples(st.integers(0, 6 * 28_800), st.integers(-200_000, 200_000), st.booleans()), max_size=30
    ),
    st.lists(st.integers(0, 6 * 28_800), max_size=6),
)
def test_ticks_at_any_time_pay_the_same_in_all(
    name: str, seen: list[tuple[int, int, bool]], ticks: list[int]
) -> None:
    """Interrupted by ticks and stored after each step, or observed first and ticked once at the end."""
    model = funding_model(name)
    samples = [sample(at, premium, valid=valid) for at, premium, valid in sorted(seen)]
    end_ns = START_NS + 6 * 28_800 * 10**9
    at_once = open_clock(START_NS)
    for one in samples:
        at_once = at_once.observe(model, one)
    _, expected = at_once.tick(model, end_ns)

    events: list[tuple[int, Sample | None]] = [(one.ts_ns, one) for one in samples]
    events += [(START_NS + at * 10**9, None) for at in ticks]
    # samples up to a boundary come before its tick
    events.sort(key=lambda event: (event[0], event[1] is None))
    clock = open_clock(START_NS)
    told: list[FundingResult] = []
    for at_ns, seen_then in events:
        if seen_then is not None:
            clock = clock.observe(model, seen_then)
        else:
            clock, results = clock.tick(model, at_ns)
            told += results
        clock = clock_from_row(clock.to_row())
    _, results = clock.tick(model, end_ns)
    assert [*told, *results] == list(expected)
