"""Time as the system sees it: a reading, never a sleep."""

from typing import Protocol


class Clock(Protocol):
    """The only clock."""

    def now_ns(self) -> int:
        """Return UTC nanoseconds since the epoch."""
