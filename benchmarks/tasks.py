"""What a measuring process does: `python -m benchmarks.tasks NAME '{"its": "settings"}'` prints JSON."""

from __future__ import annotations

import json
import os
import sys
import tracemalloc
from contextlib import ExitStack
from typing import Any

from benchmarks.measure import timed
from benchmarks.workload import scenario_of, workload_of

SECOND_NS = 10**9


def yardstick(orders: int) -> dict[str, Any]:
    """The plain book."""
    from benchmarks.yardstick import play

    work = workload_of(scenario_of(orders))
    tally, cost = timed(lambda: play(work))
    # a second time, counted to the byte: pages of so small a book would say more of the allocator
    tracemalloc.start()
    play(work)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return {**cost._asdict(), **tally._asdict(), "memory_bytes": peak}


def end_to_end(orders: int, signatures: str, reach: str = "") -> dict[str, Any]:
    """The whole exchange on memory."""
    from benchmarks.end_to_end import measure

    return measure(scenario_of(orders, _settings(signatures=signatures, reach=reach)))


def steps(orders: int, signatures: str) -> dict[str, Any]:
    """The same, sampled."""
    from benchmarks.end_to_end import measure
    from benchmarks.steps import Sampler

    sampler = Sampler()
    result = measure(scenario_of(orders, _settings(signatures=signatures)), sampler)
    result["samples"] = sum(sampler.samples.values())
    result["shares"] = [share._asdict() for share in sampler.shares()]
    return result


def matcher(operations: int) -> dict[str, Any]:
    """The engine alone."""
    from benchmarks.matcher import measure

    return measure(operations)


def settlement(fills: int) -> dict[str, Any]:
    """Batches on Anvil, and transfers beside them."""
    from benchmarks.settlement import measure

    return measure(fills)


def bridge(orders: int, mode: str) -> dict[str, Any]:
    """The whole exchange, by its invocations."""
    from benchmarks.bridge import whole

    return whole(orders, mode)


def bridge_bare(invocations: int, mode: str) -> dict[str, Any]:
    """One small handler, invoked again and again."""
    from benchmarks.bridge import bare

    return bare(invocations, mode)


def moto(orders: int) -> dict[str, Any]:
    """The whole exchange on moto."""
    from benchmarks.end_to_end import by_quarter

    scenario = scenario_of(orders, ("backend=moto",))
    return by_quarter(scenario, look_every_ns=scenario.duration // 12)


def memory_short(orders: int) -> dict[str, Any]:
    """What moto is compared with: as few orders on memory."""
    from benchmarks.end_to_end import by_quarter

    scenario = scenario_of(orders)
    return by_quarter(scenario, look_every_ns=scenario.duration // 12)


def growth(orders: int, backend: str) -> dict[str, Any]:
    """The whole exchange behind AWS's API, at another number of orders; MiniStack is started for it."""
    from benchmarks.end_to_end import by_quarter
    from sim.stack.emulator import ministack

    name = "localstack" if backend == "ministack" else backend
    scenario = scenario_of(orders, (f"backend={name}",))
    with ExitStack() as stack:
        if backend == "ministack":
            os.environ.update(stack.enter_context(ministack()).environment())
        return by_quarter(scenario, look_every_ns=scenario.duration // 4)


def peer(name: str, orders: int) -> dict[str, Any]:
    """Another simulator."""
    from benchmarks.peers import load_peer

    play = load_peer(name).prepare(workload_of(scenario_of(orders)))
    tally, cost = timed(play)
    return {**cost._asdict(), **tally._asdict()}


def _settings(**values: str) -> tuple[str, ...]:
    where = {"signatures": "signatures", "reach": "agents.0.reach"}
    return tuple(f"{where[name]}={value}" for name, value in values.items() if value)


_ALL = (
    yardstick,
    end_to_end,
    steps,
    matcher,
    bridge,
    bridge_bare,
    settlement,
    moto,
    memory_short,
    growth,
    peer,
)
TASKS = {task.__name__: task for task in _ALL}


if __name__ == "__main__":
    name, settings = sys.argv[1:]
    result = TASKS[name](**json.loads(settings))
    sys.stdout.write(json.dumps(result) + "\n")
