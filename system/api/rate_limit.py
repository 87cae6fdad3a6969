"""A token bucket per key, in the memory of one API instance.

The account-wide limit is WAF's (system/template.yaml); this one keeps a single trader from
starving the others of an instance.
"""

from __future__ import annotations

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
