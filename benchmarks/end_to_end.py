"""Orders through the whole exchange: agents, door, pre-payment, stream, pipe, FIFO, matcher, commit,
fan-out, archive, settlement on the chain, history with its digest, invariants sampled.

`sim.run.run` itself is what runs; its stopwatch is exchanged for one that reads CPU time too.
"""

from __future__ import annotations

import time
from itertools import pairwise
from typing import Any, NamedTuple

import sim.run
from benchmarks.measure import cpu_seconds, resident_bytes
from benchmarks.steps import Sampler
from sim.report.record import RunRecord
from sim.scenario.schema import Scenario

LOOKS = 4
"""How often the invariants are judged before the end: once a minute in the whole scenario."""


class Lap(NamedTuple):
    """One phase's cost, and the memory that the process had when it ended."""

    phase: str
    cpu_s: float
    wall_s: float
    memory_bytes: int


class Stopwatch(sim.run.Timings):
    """`sim.run`'s stopwatch, with CPU time, lap by lap."""

    last: Stopwatch
    """The one of the run under way: `sim.run` makes it and keeps it to itself."""
    sampler: Sampler | None = None

    def __init__(self) -> None:
        super().__init__()
        self.laps: list[Lap] = []
        self._cpu_since = cpu_seconds()
        self._wall_since = time.perf_counter()
        Stopwatch.last = self

    def end(self, phase: str) -> None:
        super().end(phase)
        cpu, wall = cpu_seconds(), time.perf_counter()
        self.laps.append(Lap(phase, cpu - self._cpu_since, wall - self._wall_since, resident_bytes()))
        if self.sampler is not None:
            if phase == "build":
                self.sampler.start()
            elif phase == "drain":
                self.sampler.stop()
        self._cpu_since, self._wall_since = cpu_seconds(), time.perf_counter()

    def until_drained(self) -> list[Lap]:
        """Return the laps from the first event to the last."""
        names = [lap.phase for lap in self.laps]
        return self.laps[names.index("build") + 1 : names.index("drain") + 1]


class Progress(NamedTuple):
    """How many orders had been sent when a lap ended."""

    lap: int
    orders: int


def run(
    scenario: Scenario, *, look_every_ns: int, sampler: Sampler | None = None
) -> tuple[RunRecord, Stopwatch, list[Progress]]:
    """Run a scenario without a folder; returns what it recorded, what it cost, and orders by lap.

    Raises:
        AssertionError: the run was not sound, so its speed says nothing.
    """
    seen: list[Progress] = []

    def progress(_now_ns: int, counts: dict[str, int]) -> None:
        seen.append(Progress(len(Stopwatch.last.laps), counts["orders"]))

    usual, Stopwatch.sampler = sim.run.Timings, sampler
    sim.run.Timings = Stopwatch  # type: ignore[misc]  # a subclass in the place of its class
    try:
        record = sim.run.run(scenario, progress=progress, look_every_ns=look_every_ns).record
    finally:
        sim.run.Timings, Stopwatch.sampler = usual, None  # type: ignore[misc]  # same
    wrong = [failure.what for failure in record.failures if failure.what != "threshold"]
    assert record.verdict == "held", f"expected a held verdict, was {record.verdict}: {wrong}"
    assert not wrong, f"expected a run that drains and settles, was {wrong}"
    return record, Stopwatch.last, seen


def measure(scenario: Scenario, sampler: Sampler | None = None) -> dict[str, Any]:
    """Return costs and counts of one run, with four looks of the judges while agents trade."""
    record, watch, _ = run(scenario, look_every_ns=scenario.duration // (LOOKS + 1), sampler=sampler)
    laps = watch.until_drained()
    counts = record.counts
    before = next(lap for lap in watch.laps if lap.phase == "build")
    return {
        "cpu_s": sum(lap.cpu_s for lap in laps),
        "wall_s": sum(lap.wall_s for lap in laps),
        "build_cpu_s": before.cpu_s,
        "verdict_cpu_s": sum(lap.cpu_s for lap in watch.laps if lap.phase == "judge") - _judged(laps),
        "memory_bytes": laps[-1].memory_bytes - before.memory_bytes,
        "orders": counts["orders"],
        "requests": counts["orders"] + counts["cancels"],
        "cancels": counts["cancels"],
        "fills": counts["fills"],
        "rejected": counts["rejected"],
        "events": counts["events"],
        "settled": counts["trades_settled"],
        "virtual_s": record.virtual_s,
        "order_to_book_p95_ms": record.latency_ms["order_to_book"].p95,
        "digest": record.digest,
    }


def _judged(laps: list[Lap]) -> float:
    return sum(lap.cpu_s for lap in laps if lap.phase == "judge")


def by_quarter(scenario: Scenario, look_every_ns: int) -> dict[str, Any]:
    """Return the cost per order in the first and the last quarter of the orders, to see growth."""
    record, watch, seen = run(scenario, look_every_ns=look_every_ns)
    # (orders so far, CPU so far) after each piece of play; looks of the judges are left out
    so_far: list[tuple[int, float]] = [(0, 0.0)]
    for lap_count, orders in seen:
        played = sum(lap.cpu_s for lap in watch.laps[:lap_count] if lap.phase in ("play", "drain"))
        so_far.append((orders, played))
    total = record.counts["orders"]
    laps = watch.until_drained()
    return {
        "cpu_s": sum(lap.cpu_s for lap in laps if lap.phase != "judge"),
        "wall_s": sum(lap.wall_s for lap in laps if lap.phase != "judge"),
        "orders": total,
        "requests": total + record.counts["cancels"],
        "fills": record.counts["fills"],
        "first_quarter_s": _cost_between(so_far, 0, total // 4),
        "last_quarter_s": _cost_between(so_far, total - total // 4, total),
    }


def _cost_between(so_far: list[tuple[int, float]], first: int, last: int) -> float:
    """Return CPU seconds per order between two counts, interpolated between the pieces."""

    def spent(orders: int) -> float:
        for (n0, cpu0), (n1, cpu1) in pairwise(so_far):
            if n0 <= orders <= n1 and n1 > n0:
                return cpu0 + (cpu1 - cpu0) * (orders - n0) / (n1 - n0)
        return so_far[-1][1]

    return (spent(last) - spent(first)) / max(last - first, 1)
