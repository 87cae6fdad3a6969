"""A swarm draws scenarios from seeds, runs them, and keeps what fails."""

import json
from pathlib import Path
from typing import Any

import pytest

from sim import faults
from sim.scenario.schema import Scenario
from sim.swarm import FAULTS, LEDGER, LEFT_OUT, draw, fly
from system.matcher.commit import Changes

KINDS = {kind.model_fields["fault"].annotation.__args__[0]: kind for kind in faults.FAULTS}  # type: ignore[union-attr]


def test_every_kind_of_fault_is_drawn() -> None:
    assert set(FAULTS) == set(KINDS) - set(LEFT_OUT)
    drawn = {fault.fault for seed in range(300) for fault in draw(seed).faults}
    assert drawn == set(FAULTS)


def test_a_seed_decides_its_scenario() -> None:
    scenarios = [draw(seed) for seed in range(40)]

    assert scenarios == [draw(seed) for seed in range(40)]
    assert {scenario.interleaving for scenario in scenarios} == {"atomic", "ports"}
    assert {len(scenario.markets) for scenario in scenarios} == {1, 2, 3}
    assert len({scenario.resolved_yaml() for scenario in scenarios}) == 40


def test_drawn_scenarios_hold() -> None:
    swarm = fly(range(40, 52))

    assert [(outcome.seed, outcome.was) for outcome in swarm.failed] == []
    assert sum(swarm.struck.values()) > 20


@pytest.mark.deep
def test_many_drawn_scenarios_hold_and_every_fault_strikes() -> None:
    swarm = fly(range(500))

    assert [(outcome.seed, outcome.was) for outcome in swarm.failed] == []
    assert swarm.never == []


def test_what_fails_is_in_the_ledger(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    post = Changes._post

    def forgetful(changes: Changes, postings: Any) -> None:
        post(changes, tuple(each for each in postings if each.available != -each.reserved))

    monkeypatch.setattr(Changes, "_post", forgetful)
    heard: list[int] = []

    swarm = fly(range(3), tmp_path, lambda number, _of, _outcome: heard.append(number))

    assert heard == [1, 2, 3]
    lines = [json.loads(line) for line in (tmp_path / LEDGER).read_text().splitlines()]
    assert [line["seed"] for line in lines] == [outcome.seed for outcome in swarm.failed] != []
    assert lines[0]["reproduce"] == f"dexsim run --swarm 1 --seed {lines[0]['seed']}"
    assert "I5_holds_cover_orders" in lines[0]["what"]
    kept = Scenario.load(tmp_path / lines[0]["scenario"])
    assert kept.resolved_yaml() == draw(lines[0]["seed"]).resolved_yaml()
