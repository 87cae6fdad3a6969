"""A token bucket per key, in the memory of one API instance.

The account-wide limit is WAF's (system/template.yaml); this one keeps a single trader from
starving the others of an instance.
"""

from __future__ import annotations

from typing import Any

from system.model.errors import Rejected, RejectReason
from system.model.units import NS

MAX_KEYS = 100_000


class RateLimit:
    """Allows `rate_per_s` on average and `burst` at once. Rule: RATE-001."""

    def __init__(self, rate_per_s: int, burst: int) -> None:
        self.cost_ns = NS // rate_per_s
        self.burst_ns = self.cost_ns * burst
        self._full_at_ns: dict[str, int] = {}

    def allows(self, key: str, now_ns: int) -> bool:
        """Take one token; False when the bucket is empty.

        The bucket is kept as one instant (the generic cell rate algorithm): the time at which
        it will be full again.
        """
        buckets = self._full_at_ns
        full_at_ns = buckets.get(key, 0)
        if full_at_ns <= now_ns:
            full_at_ns = now_ns
            if len(buckets) >= MAX_KEYS and key not in buckets:
                # a full bucket is as good as none
                buckets = {other: at_ns for other, at_ns in buckets.items() if at_ns > now_ns}
                self._full_at_ns = buckets
        if full_at_ns + self.cost_ns - now_ns > self.burst_ns:
            return False
        buckets[key] = full_at_ns + self.cost_ns
        return True


API_KEY = "x-api-key"


class EdgeLimit:
    """Counts the requests of an address and of an API key, whatever they ask for. Rule: RATE-002.

    WAF counts the same over all instances, where there is one before the API (system/template.yaml).
    """

    def __init__(self, rate_per_s: int, burst: int) -> None:
        self._by_address = RateLimit(rate_per_s, burst)
        self._by_key = RateLimit(rate_per_s, burst)

    def refuse(self, event: dict[str, Any], now_ns: int) -> Rejected | None:
        """Take a token of each bucket that the request belongs to."""
        address = event["requestContext"]["http"]["sourceIp"]
        if not self._by_address.allows(address, now_ns):
            return Rejected(RejectReason.RATE_LIMITED, "sourceIp", "too many requests of this address; wait")
        key = (event.get("headers") or {}).get(API_KEY, "")
        if key and not self._by_key.allows(key[:128], now_ns):
            return Rejected(RejectReason.RATE_LIMITED, API_KEY, "too many requests with this API key; wait")
        return None
