"""The index of several feeds, and what its absence stops."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from system.model.units import NS
from system.ports.oracle import Observation
from system.risk.feeds import FEEDS, FeedFault, FeedKind, FeedTerms
from system.risk.index import (
    IndexFault,
    IndexState,
    IndexTerms,
    Standing,
    guard_ppm,
    observe,
    terms_of,
    weighted_median,
)
from tests.rules import rule

E6 = 10**6
START_NS = 1_000_000 * NS
TERMS = IndexTerms()


def pyth(price: int, age_s: int = 0, at_s: int = 0, source: str = "pyth") -> Observation:
    return Observation(source, price * E6, START_NS + (at_s - age_s) * NS)


def chainlink(price: int, age_s: int = 0, at_s: int = 0) -> Observation:
    return pyth(price, age_s, at_s, "chainlink")


class Feed:
    """An index that is observed again and again."""

    def __init__(self, terms: IndexTerms = TERMS) -> None:
        self.terms = terms
        self.state = IndexState()

    def see(self, *seen: Observation, at_s: int = 0) -> tuple[int, IndexFault]:
        self.state, self.faults = observe(self.state, seen, self.terms, START_NS + at_s * NS)
        return self.state.index_e6 // E6, self.state.fault


@rule("ORAC-021")
def test_of_two_feeds_the_push_feed_is_the_index_wherever_it_is_listed() -> None:
    assert Feed().see(pyth(60_000), chainlink(60_200)) == (60_000, IndexFault.NONE)
    assert Feed().see(chainlink(60_200), pyth(60_000)) == (60_000, IndexFault.NONE)


@rule("ORAC-021", "ORAC-022")
def test_two_feeds_that_differ_are_no_index_unless_time_explains_it() -> None:
    assert Feed().see(pyth(60_000), chainlink(60_300)) == (60_000, IndexFault.NONE)
    assert Feed().see(pyth(60_000), chainlink(60_301)) == (0, IndexFault.FEEDS_DIFFER)
    assert Feed().see(pyth(60_000), chainlink(62_500, age_s=3_600)) == (60_000, IndexFault.NONE)
    assert Feed().see(pyth(60_000), chainlink(63_000, age_s=3_600)) == (0, IndexFault.FEEDS_DIFFER)
    fixed = IndexTerms(volatility_ppm=0)
    assert Feed(fixed).see(pyth(60_000), chainlink(62_500, age_s=3_600))[1] is IndexFault.FEEDS_DIFFER


@rule("ORAC-022")
@pytest.mark.parametrize(("age_s", "expected"), [(0, 5_000), (60, 10_517), (3_600, 47_737)])
def test_the_guard_grows_with_the_root_of_time(age_s: int, expected: int) -> None:
    assert guard_ppm(TERMS, age_s * NS) == expected


@rule("ORAC-023")
def test_a_push_feed_alone_is_degraded_and_ends_after_an_hour() -> None:
    feed = Feed()
    assert feed.see(pyth(60_000)) == (60_000, IndexFault.NONE)
    assert feed.state.degraded
    assert feed.see(pyth(60_100, at_s=3_600), at_s=3_600) == (60_100, IndexFault.NONE)
    assert feed.see(pyth(60_200, at_s=3_601), at_s=3_601) == (60_100, IndexFault.ALONE_TOO_LONG)
    both = (pyth(60_200, at_s=3_630), chainlink(60_200, at_s=3_630))
    assert (*feed.see(*both, at_s=3_630), feed.state.degraded) == (60_200, IndexFault.NONE, False)
    assert feed.see(pyth(60_300, at_s=3_660), at_s=3_660) == (60_300, IndexFault.NONE)


@rule("ORAC-024")
def test_without_a_push_feed_there_is_no_index() -> None:
    assert Feed().see(chainlink(60_000)) == (0, IndexFault.BOUND_ONLY)
    assert Feed().see() == (0, IndexFault.NO_FEED)
    feed = Feed()
    assert feed.see(pyth(60_000, age_s=61), chainlink(60_000)) == (0, IndexFault.BOUND_ONLY)
    assert feed.faults == {"pyth": FeedFault.STALE, "chainlink": FeedFault.NONE}


@rule("ORAC-015", "ORAC-020")
def test_of_three_feeds_the_weighted_median_counts() -> None:
    third = pyth(90_000, source="coinbase")
    assert Feed().see(pyth(60_000), chainlink(60_200), third) == (60_200, IndexFault.NONE)
    heavy = IndexTerms(feeds=FEEDS | {"pyth": FeedTerms(kind=FeedKind.PUSH, max_age_s=60, weight=3)})
    assert Feed(heavy).see(pyth(60_000), chainlink(60_200), third) == (60_000, IndexFault.NONE)
    stale = pyth(90_000, age_s=61, source="coinbase")
    assert Feed().see(pyth(60_000), chainlink(60_200), stale) == (60_000, IndexFault.NONE)


@rule("ORAC-020")
def test_weighted_median() -> None:
    assert weighted_median([(10, 1), (20, 1), (30, 1)]) == 20
    assert weighted_median([(10, 1), (20, 1), (30, 1), (40, 1)]) == 25
    assert weighted_median([(30, 5), (10, 1), (20, 1)]) == 30
    with pytest.raises(ValueError, match="weight above 0"):
        weighted_median([])


@rule("ORAC-025")
@pytest.mark.parametrize(
    ("then", "expected"),
    [
        ([52_000], [(52_000, "")]),  # confirmed
        ([60_100], [(60_100, "")]),  # refuted: the jump was an error
        ([70_000, 70_500], [(60_000, "JUMP"), (70_500, "")]),  # another jump waits in its place
    ],
)
def test_a_jump_waits_for_the_next_observation(then: list[int], expected: list[tuple[int, str]]) -> None:
    feed = Feed()
    feed.see(pyth(60_000), chainlink(60_000))
    assert feed.see(pyth(53_000, at_s=30), at_s=30) == (60_000, IndexFault.JUMP)
    told = [feed.see(pyth(price, at_s=60 + 30 * at), at_s=60 + 30 * at) for at, price in enumerate(then)]
    assert told == expected


@rule("ORAC-025")
def test_a_jump_that_is_read_again_is_not_confirmed() -> None:
    feed = Feed()
    feed.see(pyth(60_000))
    jumped = pyth(53_000, at_s=30)
    assert feed.see(jumped, at_s=30) == (60_000, IndexFault.JUMP)
    assert feed.see(jumped, at_s=31) == (60_000, IndexFault.JUMP)
    assert feed.see(pyth(53_000, at_s=60), at_s=60) == (53_000, IndexFault.NONE)


@rule("ORAC-025")
def test_a_slow_feed_does_not_hold_a_confirmation_back() -> None:
    feed = Feed()
    feed.see(pyth(60_000))
    slow = chainlink(53_000, at_s=20)
    assert feed.see(pyth(53_000, at_s=30), slow, at_s=30) == (60_000, IndexFault.JUMP)
    assert feed.see(pyth(53_000, at_s=60), slow, at_s=60) == (53_000, IndexFault.NONE)


@rule("ORAC-021", "ORAC-014")
def test_deep_assets_are_held_to_half_of_what_others_are_allowed() -> None:
    assert (terms_of("BTC").guard_ppm, terms_of("DOGE").guard_ppm) == (5_000, 10_000)
    assert [terms_of(asset).feeds["pyth"].conf_ppm for asset in ("ETH", "DOGE")] == [5_000, 10_000]
    assert terms_of("BTC", guard_ppm=7_000).guard_ppm == 7_000


@rule("ORAC-025")
def test_only_a_valid_observation_confirms_a_jump() -> None:
    feed = Feed()
    feed.see(pyth(60_000))
    feed.see(pyth(53_000, at_s=30), at_s=30)
    assert feed.see(at_s=60) == (60_000, IndexFault.NO_FEED)
    assert feed.see(pyth(53_000, at_s=90), at_s=90) == (53_000, IndexFault.NONE)


@rule("ORAC-025")
@pytest.mark.parametrize(("price", "fault"), [(66_000, ""), (66_001, "JUMP"), (54_000, ""), (53_999, "JUMP")])
def test_ten_percent_is_no_jump_yet(price: int, fault: str) -> None:
    feed = Feed()
    feed.see(pyth(60_000))
    assert feed.see(pyth(price, at_s=30), at_s=30)[1] == fault


@rule("ORAC-026", "ORAC-027")
def test_what_the_age_of_the_last_good_index_stops() -> None:
    feed = Feed()
    feed.see(pyth(60_000))
    assert feed.see(at_s=30) == (60_000, IndexFault.NO_FEED)
    assert not feed.state.valid
    standing = [feed.state.standing(TERMS, START_NS + s * NS) for s in (89, 90, 1_799, 1_800)]
    assert standing == [Standing.OPEN, Standing.CANCEL_ONLY, Standing.CANCEL_ONLY, Standing.PAUSED]
    feed.see(pyth(60_000, at_s=1_830), at_s=1_830)
    assert feed.state.standing(TERMS, START_NS + 1_830 * NS) is Standing.OPEN


@rule("ORAC-027")
def test_a_market_that_never_had_an_index_waits_from_its_first_observation() -> None:
    feed = Feed()
    feed.see()
    feed.see(at_s=60)
    assert feed.state.standing(TERMS, START_NS + 89 * NS) is Standing.OPEN
    assert feed.state.standing(TERMS, START_NS + 90 * NS) is Standing.CANCEL_ONLY


@rule("ORAC-028")
def test_a_stored_state_is_the_same_state() -> None:
    feed = Feed()
    feed.see(pyth(60_000))
    feed.see(pyth(50_000, at_s=30), at_s=30)
    row: Any = msgspec.to_builtins(feed.state)
    assert all(isinstance(value, int | str) for value in row.values())
    assert msgspec.convert(row, IndexState) == feed.state
