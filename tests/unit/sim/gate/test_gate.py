"""The gate: what it accuses, what it lets pass, and what it leaves for others to read."""

import random
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from sim.gate.judge import Baseline, judge, read_baseline, write_baseline
from sim.gate.junit import junit, markdown
from sim.gate.page import page
from sim.gate.play import Played
from sim.gate.statistics import changes, holm
from sim.gate.suite import Cell, ProfileRule, Suite, cells, read_suite
from system.model.errors import ScenarioError

ROOT = Path(__file__).parents[4]
TODAY = date(2026, 1, 15)
NAMES = [f"scene-{number}" for number in range(12)]


def suite(**how: Any) -> Suite:
    return Suite.model_validate({"suite": "s", "scenarios": [{"scenario": name} for name in NAMES], **how})


def todo(seeds: range = range(3)) -> list[Cell]:
    return [Cell(name, seed, f"scenarios/{name}.yaml", ()) for name in NAMES for seed in seeds]


def played(seeds: range = range(3), digest: str = "d", **factors: float) -> dict[str, Played]:
    """Make what a suite would leave: metrics that differ by scenario and seed."""
    made = {}
    for cell in todo(seeds):
        dice = random.Random(cell.name)
        level = 100 * (1 + NAMES.index(cell.scenario))
        metrics = {
            name: level * dice.uniform(0.9, 1.1) * factors.get(name, 1.0)
            for name in ("fills", "fees", "order_to_fill_p50", "liquidations")
        }
        made[cell.name] = Played(cell.scenario, cell.seed, 0, digest, digest, metrics, [], 1.0)
    return made


def baseline(tmp_path: Path, made: Mapping[str, Played] | None = None) -> Baseline:
    write_baseline(tmp_path / "b.json", made or played())
    return read_baseline(tmp_path / "b.json")


def test_the_same_runs_pass(tmp_path: Path) -> None:
    found = judge(suite(), todo(), played(), baseline(tmp_path), TODAY)

    assert found.passed
    assert (found.moved, found.unknown) == ([], [])


def test_a_run_that_differs_by_its_digest_closes_the_gate_and_says_how_to_run_it(tmp_path: Path) -> None:
    now = played()
    now["scene-3-1"] = Played("scene-3", 1, 0, "other", "d", now["scene-3-1"].metrics, [], 1.0)

    found = judge(suite(), todo(), now, baseline(tmp_path), TODAY)

    (fault,) = found.faults
    assert (fault.what, fault.where) == ("digest", "scene-3-1")
    assert "the business is the same" in fault.said
    assert fault.reproduce == "dexsim run scenarios/scene-3.yaml --seed 1"


@pytest.mark.parametrize(
    ("code", "what"), [(1, "invariant"), (3, "liveness"), (4, "threshold"), (70, "harness")]
)
def test_a_run_that_fails_closes_the_gate(tmp_path: Path, code: int, what: str) -> None:
    now = played()
    now["scene-0-0"] = Played("scene-0", 0, code, "d", "d", {}, ["it broke"], 1.0)

    found = judge(suite(), todo(), now, baseline(tmp_path), TODAY)

    assert [(fault.what, fault.said) for fault in found.faults] == [(what, "it broke")]


def test_a_metric_that_moved_everywhere_is_found_with_seeds_that_nobody_knows(tmp_path: Path) -> None:
    kept = baseline(tmp_path, played(range(5)))
    fresh = range(100, 103)

    same = judge(suite(), todo(fresh), played(fresh), kept, TODAY)
    slower = judge(suite(), todo(fresh), played(fresh, order_to_fill_p50=1.3), kept, TODAY)

    assert same.passed
    assert len(same.unknown) == 36
    assert [(fault.what, fault.where) for fault in slower.faults] == [("metric", "order_to_fill_p50")]
    assert "after Holm" in slower.faults[0].said


def test_an_unchanged_exchange_is_seldom_accused(tmp_path: Path) -> None:
    kept = baseline(tmp_path, played(range(5)))

    accused = 0
    for window in range(60):
        fresh = range(1_000 + 3 * window, 1_003 + 3 * window)
        accused += not judge(suite(), todo(fresh), played(fresh), kept, TODAY).passed

    # one in a hundred is allowed for
    assert accused <= 2


def test_a_change_that_is_certain_and_tiny_is_let_pass(tmp_path: Path) -> None:
    now = played(fees=1.001)

    found = judge(suite(), todo(), now, baseline(tmp_path), TODAY)

    assert found.passed
    assert [change.metric for change in found.changes if change.adjusted < 0.01] == ["fees"]


def test_pairs_by_seed_see_what_means_cannot(tmp_path: Path) -> None:
    before = {
        name: {cell.seed: played()[cell.name].metrics for cell in todo() if cell.scenario == name}
        for name in NAMES
    }
    now = {
        name: {seed: {**values, "fills": values["fills"] * 1.03} for seed, values in seeds.items()}
        for name, seeds in before.items()
    }

    (change,) = changes(before, now, ["fills"])

    assert change.pairs == 36
    assert change.mean == pytest.approx(0.0296, abs=1e-3)
    assert change.adjusted < 1e-6


def test_holm_is_the_textbooks() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []
    assert holm([0.5, 0.9]) == [1.0, 1.0]


def test_quarantine_excuses_until_its_day(tmp_path: Path) -> None:
    now = played()
    now["scene-0-0"] = Played("scene-0", 0, 1, "x", "x", {}, ["it broke"], 1.0)
    line = {"scenario": "scene-0", "owner": "ann", "until": "2026-01-15", "why": "issue 12"}

    today = judge(suite(quarantine=[line]), todo(), now, baseline(tmp_path), TODAY)
    tomorrow = judge(suite(quarantine=[line]), todo(), now, baseline(tmp_path), date(2026, 1, 16))

    assert today.passed
    assert {fault.cell for fault in today.excused} == {"scene-0-0"}
    assert {fault.what for fault in tomorrow.faults} == {"invariant", "digest", "quarantine"}


def test_what_it_leaves_can_be_read_by_machines_and_people(tmp_path: Path) -> None:
    now = played(digest="other", order_to_fill_p50=1.3)
    kept = baseline(tmp_path)
    found = judge(suite(), todo(), now, kept, TODAY)

    root = ET.fromstring(junit("s", todo(), now, found))
    (cases,) = root
    assert cases.get("failures") == "37"
    assert len(root.findall(".//failure")) == 37
    assert "again: dexsim run" in (root.findall(".//failure")[0].text or "")

    summary = markdown("s", todo(), found)
    assert "Gate `s`: closed" in summary
    assert "| order_to_fill_p50 | +26" in summary

    html = page("s", todo(), now, kept, found)
    assert "<h3>order_to_fill_p50 +26" in html
    assert "https://cdn" not in html.partition("<h2>Summary")[2]


# suites


@pytest.mark.parametrize("name", ["pr", "release"])
def test_a_shipped_suite_is_valid_and_large_enough(name: str) -> None:
    path = ROOT / "scenarios" / "suites" / f"{name}.yaml"
    read = read_suite(path)
    committed = cells(path, read, read.profiles["pr"], 0)

    assert len(read.scenarios) >= 30
    if name == "pr":
        assert len(committed) == 3 * len(read.scenarios)
        assert {cell.name for cell in committed} == set(read_baseline(path.parent / "baselines" / "pr.json"))


def test_fresh_windows_never_overlap_each_other_or_the_committed_seeds() -> None:
    path = ROOT / "scenarios" / "suites" / "pr.yaml"
    read = read_suite(path)
    fresh = ProfileRule(seeds=5, fresh=True)
    windows = [{cell.seed for cell in cells(path, read, fresh, number)} for number in range(4)]
    committed = {cell.seed for cell in cells(path, read, ProfileRule(), 0)}

    assert len(set().union(*windows, committed)) == 4 * 5 + 3


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{scenario: smoke}, {scenario: smoke}", "is there twice"),
        ("{scenario: nowhere}", "nowhere"),
        ("{scenario: smoke, sedes: 3}", "unknown field `sedes`"),
    ],
)
def test_a_wrong_suite_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "suites").mkdir()
    (tmp_path / "smoke.yaml").write_text((ROOT / "scenarios" / "smoke.yaml").read_text())
    path = tmp_path / "suites" / "s.yaml"
    path.write_text(f"suite: s\nscenarios: [{text}]\n")

    with pytest.raises(ScenarioError, match=problem):
        read_suite(path)
