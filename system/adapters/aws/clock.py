"""The machine's clock."""

from __future__ import annotations

import time


class WallClock:
    """`ports.clock.Clock` as the operating system tells it."""

    def now_ns(self) -> int:
        """Return UTC nanoseconds since the epoch."""
        return time.time_ns()
