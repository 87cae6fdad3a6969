"""The clock of a run: SimPy's, in integer nanoseconds since the scenario's start."""

# ruff: noqa: SLF001 - this is SimPy's own loop again, with a short way for plain calls

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any

import simpy
from simpy.events import NORMAL, Event, Timeout


class Timeline:
    """Owns time. The system sees it through `now_ns` (UTC); the harness through `elapsed_ns`.

    SimPy's queue holds two things, in SimPy's own order (time, priority, order of asking): the
    events that agents wait for, and plain calls, which are pairs of a function and its arguments.
    An order takes three calls; as events each would cost an object, a list, a closure and a step.

    Attributes:
        elapsed_ns: nanoseconds since the scenario's start; an attribute, as it is read so often.
        end_ns: agents make no plans beyond this instant (ns since start).
    """

    __slots__ = ("_number", "_queue", "elapsed_ns", "end_ns", "env", "start_ns")

    def __init__(self, start_ns: int) -> None:
        self.env = simpy.Environment()
        self.start_ns = start_ns
        self.elapsed_ns = 0
        self.end_ns = 0
        self._queue: list[Any] = self.env._queue
        self._number = self.env._eid.__next__

    def now_ns(self) -> int:
        """Return UTC nanoseconds; the system's clock port."""
        return self.start_ns + self.elapsed_ns

    def after(self, delay_ns: int, call: Callable[..., Any], *args: Any) -> None:
        """Call later. Equal instants keep the order of asking."""
        assert delay_ns >= 0, f"expected a delay, was {delay_ns} ns"
        heappush(self._queue, (self.elapsed_ns + delay_ns, NORMAL, self._number(), (call, args)))

    def sleep(self, delay_ns: int) -> Event:
        """Return an event for an agent to wait for; after the run's end it never comes."""
        if self.elapsed_ns + delay_ns >= self.end_ns:
            return Event(self.env)
        return Timeout(self.env, delay_ns)

    def run_until(self, elapsed_ns: int) -> None:
        """Play everything before this instant, and stand there.

        Time must stay a plain int: a float of epoch nanoseconds is off by hundreds of them.
        """
        assert type(elapsed_ns) is int, f"expected int nanoseconds, was {elapsed_ns!r}"
        queue, step = self._queue, self.step
        while queue and queue[0][0] < elapsed_ns:
            step()
        self.stand(elapsed_ns)
        assert type(self.env.now) is int, f"time became {type(self.env.now).__name__}"

    def next_ns(self) -> int | None:
        """Return when the next thing happens, None when nothing will."""
        return int(self._queue[0][0]) if self._queue else None

    def calls_next(self) -> bool:
        """Tell whether the next thing is a plain call, and not an agent that wakes."""
        return type(self._queue[0][3]) is tuple

    def step(self) -> None:
        """Let the next thing happen."""
        self.elapsed_ns, _, _, due = self._queue[0]
        if type(due) is tuple:
            heappop(self._queue)
            self.env._now = self.elapsed_ns  # what is called may start a process
            call, args = due
            call(*args)
        else:
            self.env.step()

    def stand(self, elapsed_ns: int) -> None:
        """Put the clock to an instant before which nothing is left."""
        self.elapsed_ns = self.env._now = elapsed_ns
