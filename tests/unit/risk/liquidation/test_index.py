"""A mark costs what it liquidates, not what exists."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from system.risk.liquidation.index import LiquidationIndex
from tests.rules import rule

CHANGES = st.lists(
    st.tuples(st.integers(0, 7), st.sampled_from([-1, 0, 1]), st.integers(0, 30), st.integers(0, 30)),
    max_size=80,
)


@rule("LIQU-020", "LIQU-021")
@given(CHANGES)
def test_the_index_answers_as_a_look_at_every_position_does(changes: list[tuple[int, int, int, int]]) -> None:
    index = LiquidationIndex()
    held: dict[str, tuple[int, int]] = {}
    for number, size, price, mark in changes:
        trader = f"t{number}"
        index.put(trader, size, price)
        held.pop(trader, None)
        if size:
            held[trader] = (size, price)
        longs = sorted((-at, name) for name, (size, at) in held.items() if size > 0 and mark < at)
        shorts = sorted((at, name) for name, (size, at) in held.items() if size < 0 and mark > at)
        for _ in range(2):  # looking changes nothing
            assert index.due(mark) == [name for _, name in longs + shorts]
        assert len(index) == len(held)


@rule("LIQU-021")
@pytest.mark.parametrize("positions", [100, 10_000])
@pytest.mark.parametrize("due", [0, 1, 7])
def test_a_mark_reads_those_it_liquidates_and_two_more(positions: int, due: int) -> None:
    index = LiquidationIndex()
    for number in range(positions):
        index.put(f"long{number}", 1, 100_000 - number)
        index.put(f"short{number}", -1, 200_000 + number)
    index.looked_at = 0
    assert len(index.due(100_000 - due)) == due
    assert index.looked_at == due + 2
    index.looked_at = 0
    assert len(index.due(200_000 + due)) == due
    assert index.looked_at == due + 2


@rule("LIQU-020")
def test_old_entries_are_not_kept_for_ever() -> None:
    index = LiquidationIndex()
    for round_ in range(10_000):
        for number in range(10):
            index.put(f"t{number}", 1, round_ * 10 + number)
    assert len(index) == 10
    index.looked_at = 0
    assert len(index.due(0)) == 10
    assert index.looked_at < 50
