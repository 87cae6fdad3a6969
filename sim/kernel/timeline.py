"""The clock of a run: SimPy's, in integer nanoseconds since the scenario's start."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import simpy
from simpy.events import Event, Timeout


class Timeline:
    """Owns time. The system sees it through `now_ns` (UTC); the harness through `env.now`."""

    __slots__ = ("end_ns", "env", "start_ns")

    def __init__(self, start_ns: int) -> None:
        self.env = simpy.Environment()
        self.start_ns = start_ns
        self.end_ns = 0  # agents make no plans beyond this instant (ns since start)

    def now_ns(self) -> int:
        """Return UTC nanoseconds; the system's clock port."""
        now: int = self.env.now  # type: ignore[assignment]
        return self.start_ns + now

    @property
    def elapsed_ns(self) -> int:
        """Nanoseconds since the scenario's start."""
        now: int = self.env.now  # type: ignore[assignment]
        return now

    def after(self, delay_ns: int, call: Callable[..., Any], *args: Any) -> None:
        """Call later. Equal instants keep the order of asking."""
        timeout = Timeout(self.env, delay_ns)
        timeout.callbacks.append(lambda _event: call(*args))

    def sleep(self, delay_ns: int) -> Event:
        """Return an event for an agent to wait for; after the run's end it never comes."""
        if self.elapsed_ns + delay_ns >= self.end_ns:
            return Event(self.env)
        return Timeout(self.env, delay_ns)

    def run_until(self, elapsed_ns: int) -> None:
        """Play everything before this instant.

        Time must stay a plain int: SimPy turns any other number into a float, and a float of
        epoch nanoseconds is off by hundreds of them.
        """
        assert type(elapsed_ns) is int, f"expected int nanoseconds, was {elapsed_ns!r}"
        self.env.run(until=elapsed_ns)
        assert type(self.env.now) is int, f"time became {type(self.env.now).__name__}"
