"""Is an observation of a price feed good enough? Rules ORAC-010 to ORAC-016. Integers only.

A feed is of one of two kinds. PUSH feeds (Pyth) publish about every second and say how sure they
are. BOUND feeds (Chainlink) write only when the price moved or their heartbeat passed, so that an
hour-old price is legal there: such a feed can only say whether another one is plausible.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from system.model.units import NS, PPM
from system.ports.oracle import Observation

HEARTBEAT_GRACE_PPM = 50_000  # a round may come 5 % later than its heartbeat promises


class FeedKind(StrEnum):
    PUSH = "PUSH"
    BOUND = "BOUND"


class FeedFault(StrEnum):
    """Why an observation does not count; "" when it does."""

    NONE = ""
    NOT_POSITIVE = "NOT_POSITIVE"
    STALE = "STALE"
    UNSURE = "UNSURE"
    EARLY = "EARLY"


class FeedTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of a feed.

    `max_age_s` of a BOUND feed is its heartbeat; `weight` counts where three feeds or more are valid.
    """

    kind: FeedKind
    max_age_s: int
    conf_ppm: int = 0  # widest half interval a feed may state, of its price; 0: it states none
    weight: int = 1

    def oldest_ns(self) -> int:
        """Return the greatest age that still counts."""
        age_ns = self.max_age_s * NS
        return age_ns + age_ns * HEARTBEAT_GRACE_PPM // PPM if self.kind is FeedKind.BOUND else age_ns


PYTH = FeedTerms(kind=FeedKind.PUSH, max_age_s=60, conf_ppm=10_000)
"""Source: docs.pyth.network best practices (age 60 s); the confidence of 1 % is ours."""
CHAINLINK = FeedTerms(kind=FeedKind.BOUND, max_age_s=3_600)
"""Source: data.chain.link, BTC / USD and ETH / USD: heartbeat 3 600 s."""
USDC_CHAINLINK = FeedTerms(kind=FeedKind.BOUND, max_age_s=86_400)
"""Source: data.chain.link, USDC / USD: heartbeat 86 400 s."""
FEEDS: dict[str, FeedTerms] = {"pyth": PYTH, "chainlink": CHAINLINK}
"""Terms by source; a source without terms of its own is asked what Pyth is asked."""


def fault(seen: Observation, terms: FeedTerms, now_ns: int) -> FeedFault:
    """Return why an observation does not count now; the first reason is the one told."""
    if seen.price_e6 <= 0:
        return FeedFault.NOT_POSITIVE
    if seen.published_ns > now_ns:
        return FeedFault.EARLY
    if now_ns - seen.published_ns > terms.oldest_ns():
        return FeedFault.STALE
    if terms.conf_ppm and seen.conf_e6 * PPM > terms.conf_ppm * seen.price_e6:
        return FeedFault.UNSURE
    return FeedFault.NONE
