"""Invocations a second: handlers that interleave at port calls, with faults and history, beside atomic ones.

`whole` plays the exchange of `workload.py`, every handler as it ships. `bare` invokes one handler that reads
a row and writes one, so that what is measured is the machinery: instances, greenlets, delays, faults.
"""

from __future__ import annotations

from typing import Any, cast

from benchmarks.measure import timed
from benchmarks.workload import scenario_of
from sim.kernel.disturbed import DisturbedCloud
from sim.kernel.history import HistoryWriter
from sim.kernel.instances import Instance
from sim.scenario.schema import Scenario
from sim.world.build import World
from system.model.keys import Key
from system.ports.store import Put, Store, Update
from system.wiring import System

FAULTS = (
    "{fault: throttle, target: api, probability: 1 %}",
    "{fault: timeout, target: fan_out, call: store.read, probability: 1 %}",
    "{fault: duplicate, target: commands -> matcher, probability: 1 %}",
    "{fault: crash, target: matcher, after: store.commit, at: 2 s}",
)
GAP_NS = 1_000_000
DRAIN_NS = 600 * 10**9
ROW = Key("TRADER#bench", "ASSET#USDC")


def settings_of(mode: str) -> tuple[str, ...]:
    """Return the settings of `atomic` (nothing in the way) or `ports` (interleaved, and faults)."""
    if mode == "atomic":
        return ("signatures=off",)
    return ("signatures=off", "interleaving=ports", f"faults=[{', '.join(FAULTS)}]")


def whole(orders: int, mode: str) -> dict[str, Any]:
    """Play the exchange until it has drained."""
    with HistoryWriter(keep=True) as history:
        world = World(scenario_of(orders, settings_of(mode)), history)
        try:
            _, cost = timed(lambda: _play(world))
            assert not world.unfinished(), world.unfinished()
            invocations = history.counts["invoke"] + history.counts["response"]
            struck = sum(world.grounds.times.values())
            return {**cost._asdict(), "operations": invocations, "struck": struck, "events": history.count}
        finally:
            world.close()


def _play(world: World) -> None:
    timeline, end_ns = world.timeline, world.scenario.duration
    timeline.run_until(end_ns)
    while timeline.elapsed_ns < end_ns + DRAIN_NS and not (world.drained() and world.unsettled() == 0):
        timeline.run_until(timeline.elapsed_ns + 10 * 10**9)


def bare(invocations: int, mode: str) -> dict[str, Any]:
    """Invoke a small handler again and again, a virtual millisecond apart."""
    scenario = Scenario.load(
        "scenarios/smoke.yaml", [*settings_of(mode), "agents=[]", "expect.thresholds=[]", "duration=1 h"]
    )
    with HistoryWriter(keep=True) as history:
        world = World(scenario, history)
        try:
            return _bare(world, history, invocations)
        finally:
            world.close()


def _bare(world: World, history: HistoryWriter, invocations: int) -> dict[str, Any]:
    cloud, backend = world.cloud, world.backend
    assert backend is not None
    backend.store.write(Put("Balances", {"PK": ROW.pk, "SK": ROW.sk, "available": 0}))
    [function] = [each for each in cloud.functions.values() if each.name == "api"]
    if isinstance(cloud, DisturbedCloud):
        pool = cloud.pools["api"]
        make = pool.make
        pool.idle.clear()

        def build(number: int) -> Instance:
            instance = cast("Instance", make(number))
            system = cast("System", cast("Any", instance.handler).__self__)
            instance.handler = _handler(system.ports.store)
            return instance

        pool.make = build
    else:
        function.handler = _handler(cloud.system("api").ports.store)
    before = history.counts["invoke"]

    def play() -> None:
        for number in range(invocations):
            world.timeline.after(number * GAP_NS, cloud.invoke, function, {}, _unheard)
        world.timeline.run_until((invocations + 5_000) * GAP_NS)

    _, cost = timed(play)
    struck = sum(world.grounds.times.values())
    done = history.counts["invoke"] - before
    assert done >= invocations, f"expected {invocations} invocations, was {done}"
    return {**cost._asdict(), "operations": done, "struck": struck, "events": history.count}


def _handler(store: Store) -> Any:
    def handle(_event: Any, _context: Any) -> dict[str, Any]:
        row = store.get("Balances", ROW)
        assert row is not None
        store.write(Update("Balances", ROW, put={"available": row["available"] + 1}))
        return {"statusCode": 200, "headers": {}, "body": ""}

    return handle


def _unheard(_result: Any) -> None:
    """Nobody waits for the answer."""
