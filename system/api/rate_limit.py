"""A token bucket per key, in the memory of one API instance.

The account-wide limit is WAF's (system/template.yaml); this one keeps a single trader from
starving the others of an instance.
"""

from __future__ import annotations

from system.model.units import NS


class RateLimit:
    """Allows `rate_per_s` on average and `burst` at once. Rule: RATE-001."""

    def __init__(self, rate_per_s: int, burst: int) -> None:
        self.cost_ns = NS // rate_per_s
        self.burst_ns = self.cost_ns * burst
        self._free_at_ns: dict[str, int] = {}

    def allows(self, key: str, now_ns: int) -> bool:
        """Take one token; False when the bucket is empty.

        The bucket is kept as one instant (the generic cell rate algorithm): the time at which
        it will be full again.
        """
        full_at_ns = self._free_at_ns.get(key, 0)
        full_at_ns = max(full_at_ns, now_ns)
        if full_at_ns + self.cost_ns - now_ns > self.burst_ns:
            return False
        self._free_at_ns[key] = full_at_ns + self.cost_ns
        return True
