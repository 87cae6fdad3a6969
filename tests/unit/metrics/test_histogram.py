"""The log histogram against exact quantiles and against an independent sketch (ddsketch)."""

from __future__ import annotations

from math import floor

import pytest
from ddsketch import DDSketch
from hypothesis import given
from hypothesis import strategies as st

from system.metrics.histogram import (
    GAMMA,
    RELATIVE_ERROR,
    bucket_index,
    bucket_name,
    buckets_of,
    estimate_us,
    merge,
    quantile_us,
)
from tests.rules import rule

LATENCIES_NS = st.lists(st.integers(2_000, 10**11), min_size=1, max_size=200)
QUANTILES = (0.0, 0.5, 0.95, 0.99, 1.0)


def counted(latencies_ns: list[int]) -> dict[int, int]:
    buckets: dict[int, int] = {}
    for latency_ns in latencies_ns:
        merge(buckets, {bucket_index(latency_ns): 1})
    return buckets


@rule("METR-003")
@given(LATENCIES_NS)
def test_quantiles_are_within_one_percent_of_the_exact_ones(latencies_ns: list[int]) -> None:
    """R6: as many counts as values, and every quantile as near as promised."""
    buckets = counted(latencies_ns)
    exact = sorted(latencies_ns)

    assert sum(buckets.values()) == len(exact)
    for q in QUANTILES:
        true_us = exact[floor(q * (len(exact) - 1))] / 1000
        assert quantile_us(buckets, q) == pytest.approx(true_us, rel=RELATIVE_ERROR + 1e-9)


@rule("METR-003")
@given(LATENCIES_NS)
def test_agrees_with_an_independent_sketch(latencies_ns: list[int]) -> None:
    """Same mapping, written by somebody else: the estimates must be equal, not only near."""
    sketch = DDSketch(relative_accuracy=RELATIVE_ERROR)
    for latency_ns in latencies_ns:
        sketch.add(latency_ns / 1000)

    for q in QUANTILES:
        theirs = sketch.get_quantile_value(q)
        assert theirs is not None
        assert quantile_us(counted(latencies_ns), q) == pytest.approx(theirs, rel=1e-9)


@rule("METR-004")
@given(LATENCIES_NS, LATENCIES_NS)
def test_merging_equals_counting_together(one: list[int], other: list[int]) -> None:
    there, back = counted(one), counted(other)
    merge(there, counted(other))
    merge(back, counted(one))

    assert there == back == counted(one + other)


def test_buckets_have_the_promised_edges() -> None:
    for index in (1, 2, 100, 814):
        just_inside_ns = int(GAMMA**index * 1000 * 0.999999)
        assert bucket_index(just_inside_ns) == index
        assert bucket_index(int(GAMMA**index * 1000 * 1.000001) + 1) == index + 1
        assert estimate_us(index) == pytest.approx(GAMMA**index, rel=RELATIVE_ERROR + 1e-9)


@pytest.mark.parametrize("latency_ns", [-5, 0, 1, 1000])
def test_the_first_microsecond_is_one_bucket(latency_ns: int) -> None:
    assert bucket_index(latency_ns) == 0


def test_rows_carry_buckets_as_attributes() -> None:
    row = {bucket_name(7): 2, bucket_name(3): 1, "volume": 5, "high_e6": 9, "h_other": 4}

    assert list(buckets_of(row).items()) == [(3, 1), (7, 2)]
    assert quantile_us({}, 0.5) is None
