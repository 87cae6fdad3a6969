"""What is measured, how often, and what of it becomes a ratio.

Repetitions take turns, the yardstick before each round, so that a busy minute of the machine
strikes all of them and not one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from benchmarks.baseline import Ratios
from benchmarks.measure import best_of, in_a_process
from benchmarks.peers import MODULES, installed

PARTS = ("end_to_end", "matcher", "bridge", "settlement", "moto", "steps", "peers")
ASKED_FOR = ("growth",)
"""Parts that are measured only by name: minutes, and MiniStack has to be installed."""
GROWTH = (200, 2_000)
SLOW_PEERS = {"PAMS": 10}
"""Peers that get a part of the orders, and the divisor: the larger the book, the dearer their next order."""

Result = dict[str, Any]


class Size(NamedTuple):
    """How many orders each measurement has."""

    name: str
    orders: int
    operations: int
    moto_orders: int
    repeats: int
    settlement_fills: int


FULL = Size("full", orders=100_000, operations=200_000, moto_orders=500, repeats=3, settlement_fills=4_000)
QUICK = Size("quick", orders=10_000, operations=50_000, moto_orders=200, repeats=2, settlement_fills=1_000)


class Job(NamedTuple):
    """One measuring process: what its result is called, its task, and the task's settings."""

    name: str
    task: str
    how: dict[str, Any]


def jobs(size: Size, parts: tuple[str, ...]) -> Iterator[Job]:
    """List every process of the whole measurement, in order."""
    orders = size.orders
    for _ in range(size.repeats):
        yield Job("yardstick", "yardstick", {"orders": orders})
        if "end_to_end" in parts:
            yield Job("end_to_end.unsigned", "end_to_end", {"orders": orders, "signatures": "off"})
            yield Job("end_to_end.signed", "end_to_end", {"orders": orders, "signatures": "real"})
        if "matcher" in parts:
            yield Job("matcher", "matcher", {"operations": size.operations})
        if "settlement" in parts:
            yield Job("settlement", "settlement", {"fills": size.settlement_fills})
        if "bridge" in parts:
            yield from _bridge(orders)
        if "peers" in parts:
            for name in MODULES:
                if installed(name):
                    how = {"name": name, "orders": orders // SLOW_PEERS.get(name, 1)}
                    yield Job(f"peers.{name}", "peer", how)
    if "end_to_end" in parts:
        how = {"orders": orders, "signatures": "off", "reach": "100 %"}
        yield Job("end_to_end.crossing", "end_to_end", how)
    if "moto" in parts:
        yield Job("moto", "moto", {"orders": size.moto_orders})
        yield Job("memory_short", "memory_short", {"orders": size.moto_orders})
    if "steps" in parts:
        yield Job("steps.unsigned", "steps", {"orders": orders, "signatures": "off"})
        yield Job("steps.signed", "steps", {"orders": orders, "signatures": "real"})


def growth(parts: tuple[str, ...]) -> Iterator[Job]:
    """List what shows whether an order costs more among many, if that was asked for."""
    if "growth" in parts:
        for backend in ("moto", "ministack"):
            for some in GROWTH:
                yield Job(f"growth.{backend}.{some}", "growth", {"orders": some, "backend": backend})


def _bridge(orders: int) -> Iterator[Job]:
    for mode in ("atomic", "ports"):
        yield Job(f"bridge.{mode}", "bridge", {"orders": orders // 5, "mode": mode})
        yield Job(f"bridge.bare_{mode}", "bridge_bare", {"invocations": orders, "mode": mode})


def carry_out(
    todo: list[Job], before: Callable[[int, Job], None], after: Callable[[Job, Result], None]
) -> dict[str, Result]:
    """Run every process and keep the best of each name; `before` and `after` each, somebody is told.

    Raises:
        MeasurementFailed: one of them did not end well.
    """
    runs: dict[str, list[Result]] = {}
    for index, job in enumerate(todo):
        before(index, job)
        result = in_a_process(job.task, **job.how)
        count = result.get("orders") or result["operations"]
        result["cpu_us_each"] = result["cpu_s"] / count * 1e6
        result["each_per_s"] = count / result["cpu_s"]
        runs.setdefault(job.name, []).append(result)
        after(job, result)
    return {name: best_of(found) | {"runs": len(found)} for name, found in runs.items()}


def ratios_of(results: dict[str, Result]) -> Ratios:
    """Divide by the yardstick: CPU time and memory for each order; settlement by a transfer.

    Peers are not ours to guard, and sampled runs are measured unsampled too.
    """
    unit = results["yardstick"]["cpu_us_each"]
    ours = ("end_to_end.", "matcher", "moto")
    found = {name: result["cpu_us_each"] / unit for name, result in results.items() if name.startswith(ours)}
    unit_bytes = _bytes_each(results["yardstick"])
    found |= {
        f"memory.{name.removeprefix('end_to_end.')}": _bytes_each(result) / unit_bytes
        for name, result in results.items()
        if name.startswith("end_to_end.")
    }
    if "settlement" in results:  # by the clock, as most of it is Anvil's; in transfers of the same run
        found["settlement"] = results["settlement"]["transfers_each"]
    return found


def _bytes_each(result: Result) -> float:
    return float(result["memory_bytes"]) / float(result["orders"])
