"""Thresholds are typed when the file is read."""

import pytest

from sim.scenario.thresholds import MEASURES, Threshold, parse_threshold
from sim.scenario.units import UnitError


@pytest.mark.parametrize(
    ("text", "threshold"),
    [
        ("p95(order_to_fill) < 1 s", Threshold("order_to_fill", "p95", "<", 10**9, "ns")),
        ("rejected == 0", Threshold("rejected", "value", "==", 0, "count")),
        ("orders>=10_000", Threshold("orders", "value", ">=", 10_000, "count")),
        ("bad_debt == 0", Threshold("bad_debt", "value", "==", 0, "uUSDC")),
        ("volume > 5 USDC", Threshold("volume", "value", ">", 5_000_000, "uUSDC")),
        ("reject_share <= 5 %", Threshold("reject_share", "value", "<=", 50_000, "ppm")),
    ],
)
def test_reads(text: str, threshold: Threshold) -> None:
    assert parse_threshold(text) == threshold
    assert parse_threshold(str(threshold)) == threshold


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("order_to_fill < 1 s", "expected a statistic of `order_to_fill`"),
        ("p42(order_to_fill) < 1 s", "expected a statistic of `order_to_fill`, was `p42`"),
        ("p95(rejected) < 1", "`rejected` is one number"),
        ("p95(order_to_fil) < 1 s", "no measure `order_to_fil`"),
        ("p95(order_to_fill) < 1", "with its unit"),
        ("rejected == few", "a whole number, was `few`"),
        ("rejected", "expected `measure < limit`"),
        ("rejected != 0", "expected `measure < limit`"),
        (5, "expected `measure < limit`"),
    ],
)
def test_refuses(text: object, problem: str) -> None:
    with pytest.raises(UnitError) as refused:
        parse_threshold(text)

    assert problem in refused.value.args[0]


def test_judges() -> None:
    assert parse_threshold("p95(order_to_fill) < 1 s").holds(999_999_999.5)
    assert not parse_threshold("p95(order_to_fill) < 1 s").holds(10**9)
    assert parse_threshold("rejected == 0").holds(0)
    assert parse_threshold("fills >= 3").holds(3)


def test_every_distribution_is_a_time() -> None:
    assert {measure.unit for measure in MEASURES.values() if measure.distribution} == {"ns"}
