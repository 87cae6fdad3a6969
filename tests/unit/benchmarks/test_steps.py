"""Every place that the shares of steps are told from exists, and a frame finds its step."""

import ast
import sys
from pathlib import Path
from types import FrameType, SimpleNamespace

import pytest

from benchmarks import steps
from benchmarks.steps import STEPS, Sampler
from sim.kernel.template.stack import load_template

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("place", steps._PLACES, ids=lambda place: f"{place[0]}:{place[1]}")
def test_a_place_is_there(place: tuple[str, str, str]) -> None:
    start, function, step = place
    found = [path for path in files("sim", "system") if path.startswith(start)]

    assert found, f"nothing begins with {start}"
    assert step in {*STEPS, ""}
    if function:
        assert any(function in functions(path) for path in found), f"{start} has no {function}"


def test_the_readers_of_streams_and_queues_are_there() -> None:
    assert {steps._STREAM_READER, steps._QUEUE_READER} <= functions("sim/kernel/plumbing.py")


def test_no_place_hides_behind_an_earlier_one() -> None:
    for index, (start, function, _) in enumerate(steps._PLACES):
        for earlier, its_function, _ in steps._PLACES[:index]:
            assert not (start.startswith(earlier) and its_function in ("", function)), (start, earlier)


def test_the_caller_pays_for_what_all_use() -> None:
    store = frame("system/adapters/memory/store.py", "MemoryStore.transact")
    store.f_back = frame("sim/kernel/observed.py", "ObservedStore.transact")
    store.f_back.f_back = frame("system/api/submit_order.py", "SubmitOrder._pre_pay")
    sampler = Sampler()

    sampler._tick(0, as_frame(store))

    assert sampler.samples == {steps.PRE_PAY: 1}
    assert sampler.in_store == {steps.PRE_PAY: 1}
    assert sampler.leaves[steps.PRE_PAY] == {"store.MemoryStore.transact": 1}


@pytest.mark.parametrize(
    ("name", "step"),
    [("OrdersPipe", steps.PIPE), ("ArchiveTrades", steps.ARCHIVE), ("SettleTrades", steps.SETTLE)],
)
def test_a_stream_is_read_for_somebody(name: str, step: str) -> None:
    reader = frame("sim/kernel/plumbing.py", "StreamReader._read")
    reader.f_locals = {"self": SimpleNamespace(name=name)}

    assert Sampler().step_of(as_frame(reader)) == step


def test_the_readers_names_come_from_the_template() -> None:
    mappings = load_template().event_source_mappings()
    streams = [mapping.logical_id.lower() for mapping in mappings if mapping.source_table]

    for word in steps._READERS:
        assert sum(word in name for name in streams) == 1, (word, streams)


def test_shares_add_up_and_the_largest_comes_first() -> None:
    sampler = Sampler()
    for path, times in (("sim/agents/base.py", 1), ("system/matcher/book.py", 3), ("nowhere.py", 0)):
        for _ in range(times):
            sampler._tick(0, as_frame(frame(path, "f")))

    shares = sampler.shares()

    assert [(share.step, share.share) for share in shares[:2]] == [(steps.MATCH, 0.75), (steps.AGENTS, 0.25)]
    assert {share.step for share in shares} == set(STEPS)


def test_the_timer_counts_time_of_this_process() -> None:
    sampler = Sampler()
    sampler.start()
    while not sampler.samples:
        sum(range(1_000))
    sampler.stop()

    assert set(sampler.samples) == {steps.OTHER}


def frame(path: str, qualname: str) -> SimpleNamespace:
    code = SimpleNamespace(co_filename=str(ROOT / path), co_qualname=qualname)
    return SimpleNamespace(f_code=code, f_back=None, f_locals={})


def as_frame(told: SimpleNamespace) -> FrameType:
    """Frames cannot be made, only met; the sampler reads three attributes of one."""
    assert isinstance(sys._getframe(), FrameType)
    return told  # type: ignore[return-value]


def files(*folders: str) -> list[str]:
    return [str(path.relative_to(ROOT)) for folder in folders for path in (ROOT / folder).rglob("*.py")]


def functions(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text())
    kinds = (ast.FunctionDef, ast.ClassDef)
    return {node.name for node in ast.walk(tree) if isinstance(node, kinds)}
