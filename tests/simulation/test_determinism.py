"""One seed, one digest: in every process, in every order of runs, on every backend (docs/determinism.md)."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from sim.kernel.history import HistoryReader
from sim.run import run
from sim.scenario.schema import Scenario
from tests.simulation.scenes import SMALL, joined, opened, played, small

ROOT = Path(__file__).parents[2]
TALK = """
import sys
from sim.run import run
from sim.scenario.schema import Scenario
record = run(Scenario.parse(sys.stdin.read(), "small.yaml", ["seed=1"])).record
print(record.digest, record.business_digest)
"""


def digests_of_a_process(hash_seed: str) -> list[str]:
    said = subprocess.run(
        [sys.executable, "-c", TALK],
        input=SMALL,
        cwd=ROOT,
        env=os.environ | {"PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    )
    return said.stdout.split()


def digests(scenario: Scenario) -> list[str]:
    record = run(scenario).record
    return [record.digest, record.business_digest]


def test_processes_with_other_hash_seeds_agree() -> None:
    here = digests(small(1))

    assert digests_of_a_process("1") == here
    assert digests_of_a_process("987654321") == here


def test_a_run_leaves_nothing_behind_that_changes_the_next_one() -> None:
    first = digests(small(1))
    digests(small(2, "agents.0.levels=5"))

    assert digests(small(1)) == first


def test_looking_changes_nothing() -> None:
    often = run(small(1), look_every_ns=10**9).record

    assert [often.digest, often.business_digest] == digests(small(1))


def test_a_folder_changes_nothing(tmp_path: Path) -> None:
    kept = run(small(1), out=tmp_path / "run").record

    assert [kept.digest, kept.business_digest] == digests(small(1))
    assert HistoryReader(tmp_path / "run" / "history.jsonl.zst").digest == kept.digest


def test_every_seed_is_another_run() -> None:
    seen = [digest for seed in range(1, 6) for digest in digests(small(seed))]

    assert len(set(seen)) == len(seen)


def test_a_resolved_scenario_is_the_same_run() -> None:
    scenario = small(1, "signatures=sampled")

    assert digests(Scenario.parse(scenario.resolved_yaml())) == digests(scenario)


# dice by name


class Sent:
    """The orders of a run as far as their senders' dice decide them, and all else that was sent."""

    def __init__(self, scenario: Scenario) -> None:
        self.drawn: dict[str, list[tuple[int, str, str, str]]] = {}
        self.bytes: list[dict[str, object]] = []
        with played(scenario) as world:
            world.history.close()
            for _, event in world.history.reader().of_kind("request"):
                self.bytes.append(event)
                if event["p"] == "/orders" and event["m"] == "POST":
                    body = orjson.loads(event["b"])
                    order = (event["t"], body["symbol"], body["side"], body["type"])
                    self.drawn.setdefault(event["who"].rpartition("-")[0], []).append(order)


@pytest.fixture(scope="module")
def alone() -> Iterator[Sent]:
    return Sent(dicey())


def dicey(*more: str) -> Scenario:
    """Only traders who send an order at every beat of their dice, whatever the market does."""
    settings = "kind: zero_intelligence, cancel_share: 0 %, open_limit: 1_000"
    groups = [f"{{{settings}, name: first, count: 3, funds: 2_000_000 USDC, rate: 3 /s}}", *more]
    return small(1, "signatures=off", f"agents=[{', '.join(groups)}]")


def test_a_group_at_the_end_shifts_no_draw_of_the_others(alone: Sent) -> None:
    busy = Sent(dicey("{kind: zero_intelligence, name: last, count: 3, funds: 2_000_000 USDC, rate: 5 /s}"))

    assert {name for name in busy.drawn if name.startswith("last")} == {"last-0", "last-1", "last-2"}
    assert sum(map(len, alone.drawn.values())) > 40
    for name, orders in alone.drawn.items():
        assert busy.drawn[name] == orders, name


def test_a_member_more_shifts_no_draw_of_the_others(alone: Sent) -> None:
    more = Sent(dicey().model_copy(update={"agents": (dicey().agents[0].model_copy(update={"count": 4}),)}))

    assert more.drawn.keys() == {*alone.drawn, "first-3"}
    assert all(more.drawn[name] == orders for name, orders in alone.drawn.items())


def test_a_group_that_does_nothing_changes_not_a_byte(alone: Sent) -> None:
    silent = Sent(joined(dicey(), onlooker=lambda desk: iter(())))  # type: ignore[arg-type, return-value]

    assert silent.bytes == alone.bytes


def test_a_world_that_was_only_built_changes_nothing(alone: Sent) -> None:
    with opened(dicey()):
        again = Sent(dicey())

    assert again.bytes == alone.bytes
