"""What something costs: CPU and wall time, best of several fresh processes.

Each measurement is a process of its own, so that none pays for another's garbage, imports or heap.
CPU time is what is compared: other processes on the machine hardly change it, though they share its
caches. It is that of all threads and children, as a run hashes on one and judges in others. The
collector is treated as `sim/run.py` does it: what exists is frozen, cycles wait.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

ROOT = Path(__file__).resolve().parents[1]
T = TypeVar("T")


class Cost(NamedTuple):
    """CPU seconds (user and system) and wall seconds."""

    cpu_s: float
    wall_s: float


class MeasurementFailed(Exception):
    """A measuring process ended without a result: (what it did, what it said)."""

    def __str__(self) -> str:
        return "{}\n{}".format(*self.args)


@contextmanager
def no_collector() -> Iterator[None]:
    """Keep the cycle collector out of the measurement."""
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()


def cpu_seconds() -> float:
    """Return the CPU time so far of this process, all its threads, and its children that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def timed(call: Callable[[], T]) -> tuple[T, Cost]:
    """Call once and return the result with what it cost."""
    with no_collector():
        wall, cpu = time.perf_counter(), time.process_time()
        result = call()
        return result, Cost(time.process_time() - cpu, time.perf_counter() - wall)


def resident_bytes() -> int:
    """Return the memory of this process; where the present one is not told, the largest so far."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError):
        largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return largest if sys.platform == "darwin" else largest * 1024
    return pages * os.sysconf("SC_PAGE_SIZE")


def in_a_process(task: str, **how: Any) -> dict[str, Any]:
    """Run a task of `benchmarks.tasks` in a fresh process.

    Raises:
        MeasurementFailed: it did not end well.
    """
    command = [sys.executable, "-m", "benchmarks.tasks", task, json.dumps(how)]
    # the same everywhere: an inherited seed or profiler would change what is measured
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise MeasurementFailed(task, done.stderr.strip()[-2_000:])
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def best_of(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the run that took the least CPU time."""
    return min(runs, key=lambda run: float(run["cpu_s"]))


def load() -> tuple[float, float, float]:
    """Return how busy the machine was over 1, 5 and 15 minutes."""
    one, five, fifteen = os.getloadavg()
    return round(one, 2), round(five, 2), round(fifteen, 2)
