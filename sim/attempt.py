"""One run whose end is not known before: what it broke, even where it could not go on.

Swarm, shrink and hunt try what may fail in any way. A defect may break an invariant, leave something
on its way for ever, raise where nobody catches it, or never come to an end.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NamedTuple

from sim.report.record import Failure, RunRecord
from sim.run import run
from sim.scenario.schema import Scenario

TOO_LONG_S = 60.0
"""Wall seconds after which a run is taken for one that never ends."""
ENDLESS = "never ends"


class TooLong(BaseException):
    """The run had its time; no handler of the system may catch it."""


class Attempt(NamedTuple):
    """What came of a run: its failures (thresholds are no defect), and its record where it came to an end."""

    failures: list[Failure]
    record: RunRecord | None

    @property
    def broken(self) -> tuple[str, ...]:
        """Name what broke, each once: invariants, `liveness`, `raised ...`, or `never ends`."""
        return tuple(dict.fromkeys(failure.what for failure in self.failures))

    @property
    def was(self) -> str:
        """Say in words what broke; empty where all held."""
        return "; ".join(
            f"{each.what} at {each.where}: expected {each.expected}, was {each.was}" for each in self.failures
        )

    @property
    def events(self) -> int:
        """Return how many events its history has, 0 where it did not come to an end."""
        return self.record.counts["events"] if self.record else 0


def attempt(scenario: Scenario, *, look_every_ns: int, within_s: float = TOO_LONG_S) -> Attempt:
    """Run a scenario, whatever happens in it."""
    try:
        with _limited(within_s):
            record = run(scenario, look_every_ns=look_every_ns).record
    except TooLong:
        expected = f"an end within {within_s:.0f} s"
        return Attempt([Failure(what=ENDLESS, where="the run", expected=expected, was="none")], None)
    except Exception as error:  # a defect of what is under test, told like any other
        return Attempt([_raised(error)], None)
    return Attempt([failure for failure in record.failures if failure.what != "threshold"], record)


def _raised(error: Exception) -> Failure:
    """Tell an exception by its kind and the innermost place of the system that it came through."""
    where = "the harness"
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        module = trace.tb_frame.f_globals.get("__name__", "")
        if module.startswith("system."):
            where = f"{module}.{code.co_name}"
        trace = trace.tb_next
    was = f"{type(error).__name__}: {error}"[:300]
    return Failure(what=f"raised {type(error).__name__}", where=where, expected="an end", was=was)


@contextmanager
def _limited(seconds: float) -> Iterator[None]:
    """Raise TooLong in this thread after some seconds; signals reach the main thread only."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise TooLong

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
