"""A clock that moves only when told to."""

from __future__ import annotations


class ManualClock:
    """Time for tests and for the harness: integer nanoseconds, set or advanced from outside."""

    __slots__ = ("_now_ns",)

    def __init__(self, now_ns: int = 0) -> None:
        self._now_ns = now_ns

    def now_ns(self) -> int:
        """Return UTC nanoseconds since the epoch."""
        return self._now_ns

    def set(self, now_ns: int) -> None:
        """Move to an instant; going back is allowed, because clocks of a faulty machine do."""
        self._now_ns = now_ns

    def advance(self, by_ns: int) -> None:
        """Move forward."""
        self._now_ns += by_ns
