"""A failing run becomes small, and the small one fails alike."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from sim.run import run
from sim.scenario.schema import Scenario
from sim.shrink import NothingToShrink, Shrinker, ddmin, write
from system.matcher.commit import Changes
from tests.simulation.scenes import small

BUSY = ("signatures=off", "duration=120 s", "agents.2.rate=20 /s", "agents.2.cancel_share=30 %")
FAULTS = "faults=[{fault: throttle, probability: 1 %}, {fault: duplicate, target: stream -> archive}]"


def forget_releases(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hold is not given back when an order ends without a fill."""
    post = Changes._post

    def forgetful(changes: Changes, postings: Any) -> None:
        post(changes, tuple(each for each in postings if each.available != -each.reserved))

    monkeypatch.setattr(Changes, "_post", forgetful)


def test_a_failing_run_of_thousands_of_events_becomes_a_few_commands(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    forget_releases(monkeypatch)
    heard: list[int] = []
    scenario = small(7, *BUSY, FAULTS)

    shrinker = Shrinker(
        scenario, "I5_holds_cover_orders", within_s=60, told=lambda _what, _runs, events: heard.append(events)
    )
    shrunk = shrinker.play()

    assert shrunk.events_before > 3_000
    assert shrunk.commands <= 5
    assert shrunk.scenario.faults == ()
    assert len(shrunk.scenario.markets) == 1
    assert heard[-1] < heard[0] // 20
    path, test = write(shrunk, tmp_path)
    again = run(Scenario.load(path)).record
    assert "I5_holds_cover_orders" in [failure.what for failure in again.failures]
    case = module_of(test)
    with pytest.raises(AssertionError):
        case.test_i5_holds_cover_orders_holds()
    monkeypatch.undo()
    case.test_i5_holds_cover_orders_holds()


def module_of(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location("made_by_shrink", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_holds_is_not_shrunk() -> None:
    with pytest.raises(NothingToShrink):
        Shrinker(small(1, "duration=3 s"), "I5_holds_cover_orders").play()


@pytest.mark.parametrize("wanted", [set(), {0}, {99}, {3, 58}, {10, 11, 12, 13}, set(range(0, 100, 9))])
def test_delta_debugging_finds_the_least(wanted: set[int]) -> None:
    assert ddmin(range(100), lambda kept: wanted <= set(kept)) == sorted(wanted)
