"""One index out of several feeds, or the last good one: rules ORAC-020 to ORAC-029. Integers only.

Two feeds have no median: one that is wrong moves the middle by half its error. So of two the PUSH
feed is the index, and the other only says whether it is plausible.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from math import isqrt
from typing import NamedTuple

import msgspec

from system.model.market import DEEP
from system.model.units import NS, PPM, div_half_even
from system.ports.oracle import Observation
from system.risk.feeds import FEEDS, PYTH, USDC_CHAINLINK, FeedFault, FeedKind, FeedTerms, fault

YEAR_NS = 31_536_000 * NS
GUARD_SIGMAS = 4
E6 = 10**6
E9 = 10**9


class IndexFault(StrEnum):
    """Why there is no index now; "" when there is one."""

    NONE = ""
    NO_FEED = "NO_FEED"
    BOUND_ONLY = "BOUND_ONLY"
    ALONE_TOO_LONG = "ALONE_TOO_LONG"
    FEEDS_DIFFER = "FEEDS_DIFFER"
    JUMP = "JUMP"


class Standing(StrEnum):
    """What the age of the last good index asks of a market; the market's own state may be stricter."""

    OPEN = ""
    CANCEL_ONLY = "CANCEL_ONLY"
    PAUSED = "PAUSED"


class IndexTerms(msgspec.Struct, frozen=True, kw_only=True):
    """How an asset's index is found. Source of the defaults: docs/decisions/0026-index-from-two-feeds.md."""

    feeds: dict[str, FeedTerms] = msgspec.field(default_factory=lambda: dict(FEEDS))
    guard_ppm: int = 5_000  # how far two feeds of one age may differ
    volatility_ppm: int = PPM  # a year's standard deviation: widens the guard with the difference of ages
    jump_ppm: int = 100_000  # a greater step waits for the next observation to confirm it
    alone_s: int = 3_600  # how long one PUSH feed may stand alone
    cancel_only_s: int = 90
    pause_s: int = 1_800


NUMERAIRE = "USDC"


def terms_of(
    asset: str, guard_ppm: int = 0, volatility_ppm: int = PPM, jump_ppm: int = 100_000
) -> IndexTerms:
    """Return the terms of an asset's index; a guard of 0 leaves it to the asset."""
    share = 5_000 if asset in DEEP else 10_000
    pyth = msgspec.structs.replace(PYTH, conf_ppm=share)
    feeds = FEEDS | {"pyth": pyth}
    if asset == NUMERAIRE:
        feeds["chainlink"] = USDC_CHAINLINK
    return IndexTerms(
        feeds=feeds,
        guard_ppm=guard_ppm or share,
        volatility_ppm=volatility_ppm,
        jump_ppm=jump_ppm,
    )


class IndexState(msgspec.Struct, frozen=True, kw_only=True):
    """An asset's index and what the next one is judged by. It is stored between two observations."""

    index_e6: int = 0  # the last good one, held while there is none; 0 before the first
    good_ns: int = 0  # when that was
    seen_ns: int = 0  # the last observation, good or not
    since_ns: int = 0  # the first observation: from here a market that never had an index waits
    fault: IndexFault = IndexFault.NO_FEED
    degraded: bool = False  # one PUSH feed stands alone
    alone_since_ns: int = 0  # 0 when it does not
    leap_e6: int = 0  # a jump that waits for its confirmation
    leap_ns: int = 0  # when its newest feed published it: read again, it confirms nothing

    @property
    def valid(self) -> bool:
        """Whether the newest observation gave an index: else no funding, no liquidation, no TWAP."""
        return not self.fault

    def standing(self, terms: IndexTerms, now_ns: int) -> Standing:
        """Return what the time without a good index stops. Rule: ORAC-028."""
        without_ns = now_ns - (self.good_ns or self.since_ns)
        if without_ns >= terms.pause_s * NS:
            return Standing.PAUSED
        return Standing.CANCEL_ONLY if without_ns >= terms.cancel_only_s * NS else Standing.OPEN


class _Found(NamedTuple):
    price_e6: int
    fault: IndexFault
    alone: bool = False


def observe(
    state: IndexState, seen: Sequence[Observation], terms: IndexTerms, now_ns: int
) -> tuple[IndexState, dict[str, FeedFault]]:
    """Return the state after a round of observations, and what was wrong with each source's.

    The sources are in order of rank: where one price is to be chosen, the first PUSH feed's is.
    """
    faults = {one.source: fault(one, _terms(terms.feeds, one.source), now_ns) for one in seen}
    valid = [one for one in seen if not faults[one.source]]
    found = _combine(valid, terms)
    alone_since_ns = (state.alone_since_ns or now_ns) if found.alone else 0
    if found.alone and now_ns - alone_since_ns > terms.alone_s * NS:
        found = _Found(0, IndexFault.ALONE_TOO_LONG)
    leap_e6, leap_ns = 0, 0
    if found.fault:
        leap_e6, leap_ns = state.leap_e6, state.leap_ns  # only a valid observation confirms or refutes
    elif _far(found.price_e6, state.index_e6, terms.jump_ppm):
        newest_ns = max(one.published_ns for one in valid)
        near = state.leap_e6 and not _far(found.price_e6, state.leap_e6, terms.jump_ppm)
        if not near or newest_ns <= state.leap_ns:
            leap_e6, leap_ns = found.price_e6, newest_ns
            found = found._replace(fault=IndexFault.JUMP)
    good = not found.fault
    state = IndexState(
        index_e6=found.price_e6 if good else state.index_e6,
        good_ns=now_ns if good else state.good_ns,
        seen_ns=now_ns,
        since_ns=state.since_ns or now_ns,
        fault=found.fault,
        degraded=found.alone,
        alone_since_ns=alone_since_ns,
        leap_e6=leap_e6,
        leap_ns=leap_ns,
    )
    return state, faults


def in_usdc(seen: Sequence[Observation], dollars: Sequence[Observation], now_ns: int) -> list[Observation]:
    """Return dollar prices told in USDC, by what its own feeds say now; none while they fail. ORAC-029.

    >>> usdc = [Observation("pyth", 800_000, 0), Observation("exchanges", 800_000, 0)]
    >>> in_usdc([Observation("pyth", 60_000_000_000, 0, 8_000)], usdc, 0)
    [Observation(source='pyth', price_e6=75000000000, published_ns=0, conf_e6=10000)]
    """
    rate, _ = observe(IndexState(), dollars, terms_of(NUMERAIRE), now_ns)
    if not rate.valid:
        return []
    return [
        one._replace(
            price_e6=div_half_even(one.price_e6 * E6, rate.index_e6),
            conf_e6=-(-one.conf_e6 * E6 // rate.index_e6),
        )
        for one in seen
    ]


def _terms(feeds: Mapping[str, FeedTerms], source: str) -> FeedTerms:
    return feeds.get(source, PYTH)


def _far(price_e6: int, from_e6: int, jump_ppm: int) -> bool:
    """Tell whether a price is more than a jump away from another; from none nothing is."""
    return abs(price_e6 - from_e6) * PPM > jump_ppm * from_e6 > 0


def _combine(valid: list[Observation], terms: IndexTerms) -> _Found:
    """Make one price of the feeds that count. Rules: ORAC-020 to ORAC-024."""
    if not valid:
        return _Found(0, IndexFault.NO_FEED)
    if len(valid) >= 3:
        pairs = [(one.price_e6, _terms(terms.feeds, one.source).weight) for one in valid]
        return _Found(weighted_median(pairs), IndexFault.NONE)
    push = [one for one in valid if _terms(terms.feeds, one.source).kind is FeedKind.PUSH]
    if not push:
        return _Found(0, IndexFault.BOUND_ONLY)
    if len(valid) == 1:
        return _Found(push[0].price_e6, IndexFault.NONE, alone=True)
    one, other = valid
    age_ns = abs(one.published_ns - other.published_ns)
    low, high = sorted((one.price_e6, other.price_e6))
    if (high - low) * PPM > guard_ppm(terms, age_ns) * low:
        return _Found(0, IndexFault.FEEDS_DIFFER)
    return _Found(push[0].price_e6, IndexFault.NONE)


def guard_ppm(terms: IndexTerms, age_ns: int) -> int:
    """Return how far two feeds may differ whose prices are so far apart in time.

    Without the second term an honest round that is minutes old would stop liquidations just in a
    crash. At a volatility of 100 % a year, an hour adds 4.3 %.

    >>> guard_ppm(IndexTerms(), 0), guard_ppm(IndexTerms(), 3_600 * NS)
    (5000, 47737)
    """
    root_e9 = isqrt(age_ns * E9 * E9 // YEAR_NS)
    return terms.guard_ppm + GUARD_SIGMAS * terms.volatility_ppm * root_e9 // E9


def weighted_median(pairs: Sequence[tuple[int, int]]) -> int:
    """Return the price at which half of the weight is reached; the mean of two where it falls between them.

    Weights are positive. Source: Hyperliquid's oracle, the weighted median of exchanges.

    >>> weighted_median([(100, 3), (300, 1), (200, 1)]), weighted_median([(100, 1), (200, 1)])
    (100, 150)
    """
    ordered = sorted(pairs)
    total = sum(weight for _, weight in ordered)
    reached = 0
    for at, (price, weight) in enumerate(ordered):
        reached += weight
        if 2 * reached == total:
            return (price + ordered[at + 1][0]) // 2
        if 2 * reached > total:
            return price
    raise ValueError("expected a weight above 0, was none")
