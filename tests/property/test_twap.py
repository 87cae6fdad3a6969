"""A running average is the average over all observations at once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from system.risk.twap import Twap, twap
from tests.rules import rule

ONE = st.tuples(st.integers(1, 500), st.integers(0, 10**12))
SEEN = st.lists(ONE, max_size=12, unique_by=lambda one: one[0])


@rule("TWAP-001", "TWAP-002", "TWAP-004")
@given(SEEN, st.integers(1, 300), st.integers(0, 300))
def test_running_and_at_once(seen: list[tuple[int, int]], start: int, length: int) -> None:
    """Price 0 stands for "nothing counts": at once it is an excluded time."""
    seen.sort()
    end = start + length
    running = Twap(since=start)
    for at, price in seen:
        if at < end:
            running = running.observe(at, price)
    running = running.at(end)
    edges = [*(at for at, _ in seen), max(end, 501)]
    gaps = [(at, until) for (at, price), until in zip(seen, edges[1:], strict=False) if not price]
    real = [(at, price) for at, price in seen if price]
    assert (running.num, running.den) == twap(real, start, end, gaps)
