"""Which observations of a feed count."""

from __future__ import annotations

from typing import Any

import pytest

from system.model.units import NS, fixed_point
from system.ports.oracle import Observation
from system.risk.feeds import CHAINLINK, PYTH, FeedFault, FeedTerms, fault
from tests.rules import rule

NOW_NS = 10_000 * NS
E6 = 10**6


def seen(**changes: Any) -> Observation:
    return Observation("pyth", 60_000 * E6, NOW_NS, 10 * E6)._replace(**changes)


@rule("ORAC-011", "ORAC-012", "ORAC-014")
@pytest.mark.parametrize(
    ("observation", "expected"),
    [
        (seen(), FeedFault.NONE),
        (seen(price_e6=0), FeedFault.NOT_POSITIVE),
        (seen(price_e6=-1), FeedFault.NOT_POSITIVE),
        (seen(published_ns=NOW_NS + 1), FeedFault.EARLY),
        (seen(published_ns=NOW_NS - 60 * NS), FeedFault.NONE),
        (seen(published_ns=NOW_NS - 60 * NS - 1), FeedFault.STALE),
        (seen(conf_e6=600 * E6), FeedFault.NONE),
        (seen(conf_e6=600 * E6 + 1), FeedFault.UNSURE),
        (seen(price_e6=0, published_ns=0), FeedFault.NOT_POSITIVE),
    ],
)
def test_a_push_feed(observation: Observation, expected: FeedFault) -> None:
    assert fault(observation, PYTH, NOW_NS) is expected


@rule("ORAC-013")
@pytest.mark.parametrize(("age_s", "expected"), [(3_780, FeedFault.NONE), (3_781, FeedFault.STALE)])
def test_a_bound_feed_may_be_as_old_as_its_heartbeat_and_a_little(age_s: int, expected: FeedFault) -> None:
    assert fault(seen(published_ns=NOW_NS - age_s * NS), CHAINLINK, NOW_NS) is expected


@rule("ORAC-014")
def test_a_feed_that_states_no_interval_is_not_asked_for_one() -> None:
    quiet = FeedTerms(kind=PYTH.kind, max_age_s=60)
    assert fault(seen(conf_e6=60_000 * E6), quiet, NOW_NS) is FeedFault.NONE


@rule("ORAC-010")
@pytest.mark.parametrize(
    ("mantissa", "exponent", "price_e6"),
    [
        (12_276_250, -5, 122_762_500),
        (1, 2, 100_000_000),
        (123_456_789_012, -8, 1_234_567_890),
        (150, -8, 2),
        (50, -8, 0),
        (-150, -8, -2),
    ],
)
def test_fixed_point(mantissa: int, exponent: int, price_e6: int) -> None:
    assert fixed_point(mantissa, exponent) == price_e6
