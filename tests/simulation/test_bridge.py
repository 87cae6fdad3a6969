"""Handlers that interleave: the same in every process, and everything holds."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import pytest

from sim.kernel.bridge import BridgedCloud
from sim.kernel.instances import Handler, Instance
from sim.run import run
from sim.scenario.schema import Scenario
from sim.world.memory_backend import MemoryBackend
from system.model.keys import Key
from system.model.units import NS
from system.ports.store import Put, Store, Update
from tests.simulation.scenes import opened, played, small

ROOT = Path(__file__).parents[2]
PORTS = "interleaving=ports"
BUSY = ("signatures=off", "agents.2.rate=20 /s", "links={'matcher -> store': {median: 60 ms, p99: 300 ms}}")
ONE = """
import sys
from sim.run import run
from sim.scenario.schema import Scenario
record = run(Scenario.load(sys.argv[1], sys.argv[2:])).record
print(record.digest, record.business_digest)
"""


def in_a_process(hash_seed: str, *settings: str) -> str:
    command = [sys.executable, "-c", ONE, str(ROOT / "scenarios" / "smoke.yaml"), PORTS, *settings]
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    said = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    return said.stdout


@pytest.mark.parametrize(
    "faults", ["[]", "[{fault: crash, target: '*', after: store.commit, probability: 1 %}]"]
)
def test_one_history_in_every_process(faults: str) -> None:
    assert in_a_process("1", f"faults={faults}") == in_a_process("2", f"faults={faults}")


def test_a_kept_run_replays() -> None:
    scenario = small(5, PORTS, *BUSY)

    assert run(scenario).record.digest == run(scenario).record.digest


@pytest.mark.parametrize("seed", range(300, 312))
def test_a_seed_holds(seed: int) -> None:
    record = run(small(seed, PORTS, *(BUSY if seed % 2 else ())), look_every_ns=2 * 10**9).record

    assert record.failures == []
    assert record.counts["fills"] > 0


@pytest.mark.deep
@pytest.mark.parametrize("seed", range(200))
def test_smoke_holds_with_interleaving(seed: int) -> None:
    record = run(Scenario.load(ROOT / "scenarios" / "smoke.yaml", [f"seed={seed}", PORTS])).record

    thresholds = [
        failure for failure in record.failures if failure.expected in ("cancels >= 1", "fills >= 50")
    ]
    assert record.failures == thresholds, "business must hold; how much was traded is the seed's"


def test_invocations_overlap_and_start_cold() -> None:
    with played(small(3, PORTS, *BUSY)) as world:
        pools = cast("BridgedCloud", world.cloud).pools
        made = {name: pool.made for name, pool in pools.items()}
        idle = all(len(pool.idle) == len(pool.living) == pool.made for pool in pools.values())

    assert made["api"] > 1, "several instances, with memory of their own"
    assert made["fan_out"] > 1
    assert made["daily_rollup"] == 1, "a warm instance is used again"
    assert idle


def test_one_batch_of_a_group_is_in_flight() -> None:
    """Between the first and the last port call for a batch, no other instance writes that market.

    One market: of two, who comes back to one that another served is refused once, rightly (LEAS-004).
    """
    one = "markets=[{symbol: BTC-PERP, tick: 0.1 USDC, lot: 0.0001 BTC}]"
    with played(small(3, PORTS, *BUSY, one)) as world:
        world.history.close()
        refused = [
            event for _, event in world.history.reader().of_kind("refused") if event["by"] == "matcher"
        ]
        failed = [event for _, event in world.history.reader().of_kind("invoke") if not event["ok"]]

    assert refused == []
    assert failed == []


# --- the naive handler of docs/determinism.md


COUNTER = Key("TRADER#naive", "ASSET#USDC")


def naive(store: Store) -> Handler:
    """Add one to a counter for each request: read it, then write what was read plus one."""

    def handle(_event: Any, _context: Any) -> dict[str, Any]:
        row = store.get("Balances", COUNTER)
        assert row is not None
        store.write(Update("Balances", COUNTER, put={"available": row["available"] + 1}))
        return {"statusCode": 503, "headers": {}, "body": ""}

    return handle


def lost_updates(seed: int, interleaving: str) -> int:
    """Let the naive handler stand where the API is for ten seconds; return how many requests it lost."""
    with opened(small(seed, f"interleaving={interleaving}")) as world:
        cloud, store = world.cloud, cast("MemoryBackend", world.backend).store
        store.write(Put("Balances", {"PK": COUNTER.pk, "SK": COUNTER.sk, "available": 0}))
        if isinstance(cloud, BridgedCloud):
            pool = cloud.pools["api"]
            pool.idle.clear()
            make = pool.make

            def build(number: int) -> Instance:
                instance = make(number)
                instance.handler = naive(instance.handler.__self__.ports.store)
                return instance

            pool.make = build
        else:
            [api] = [function for function in cloud.functions.values() if function.name == "api"]
            api.handler = naive(cloud.system("api").ports.store)
        world.timeline.run_until(10 * NS)
        world.timeline.end_ns = 10 * NS
        world.timeline.run_until(15 * NS)
        row = store.get("Balances", COUNTER)
        assert row is not None
        assert world.history.counts["request"] > 20
        return world.history.counts["response"] - row["available"]


def test_a_lost_update_is_found_where_handlers_interleave() -> None:
    assert any(lost_updates(seed, "ports") for seed in range(20))


def test_a_lost_update_is_never_seen_where_they_do_not() -> None:
    assert not any(lost_updates(seed, "atomic") for seed in range(20))
