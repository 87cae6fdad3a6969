"""`dexsim replay` and `dexsim compare`: equal runs, and where others part."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.sim.cli.command import dexsim


def copy_of(kept: Path) -> Path:
    return Path(shutil.copytree(kept, "copy"))


def test_a_replay_is_equal(kept: Path) -> None:
    result = dexsim("replay", str(kept))

    assert result.exit_code == 0, result.output
    assert "is equal in all" in result.output


def test_a_replay_can_answer_in_json(kept: Path) -> None:
    result = dexsim("replay", str(kept), "--json")

    assert json.loads(result.stdout)["digest"] == json.loads((kept / "run.json").read_text())["digest"]


def test_a_replay_that_differs_is_7_and_shows_the_first_event(kept: Path) -> None:
    folder = copy_of(kept)
    scenario = folder / "scenario.yaml"
    scenario.write_text(scenario.read_text().replace("seed: 3", "seed: 4"))

    result = dexsim("replay", str(folder))

    assert result.exit_code == 7
    assert "The first event that differs is number" in result.output
    assert "history" in result.output
    assert "reproduce  dexsim replay copy" in result.output


def test_a_replay_whose_record_says_another_digest_is_7(kept: Path) -> None:
    folder = copy_of(kept)
    record = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(record | {"business_digest": "0" * 64}))

    assert dexsim("replay", str(folder)).exit_code == 7


def from_the_middle(folder: Path, time: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own, as somebody types it; compiled copies or not."""
    line = [sys.executable, "-c", "from sim.cli import main; main()", "replay", str(folder), "--from", time]
    return subprocess.run(line, capture_output=True, text=True, check=False)


def test_a_replay_from_the_middle_begins_at_its_snapshot(kept: Path) -> None:
    total = json.loads((kept / "run.json").read_text())["counts"]["events"]

    first, again = from_the_middle(kept, "4 s"), from_the_middle(kept, "4 s")

    assert (first.returncode, again.returncode) == (0, 0), first.stderr + again.stderr
    assert f"is equal in all {total:,} events" in first.stdout or "from 4 s on" in first.stdout  # kept before
    assert "from 4 s on, after" in again.stdout
    assert f"is equal in all {total:,} events" not in again.stdout


@pytest.mark.parametrize(
    ("time", "says"),
    [("4", "add the unit"), ("2 h", "expected an instant before the end"), ("0 s", "and not the start")],
)
def test_a_time_at_which_no_replay_can_begin_is_2(kept: Path, time: str, says: str) -> None:
    said = from_the_middle(kept, time)

    assert said.returncode == 2
    assert says in said.stderr


def test_another_chain_has_no_middle(kept: Path) -> None:
    folder = copy_of(kept)
    scenario = folder / "scenario.yaml"
    scenario.write_text(scenario.read_text().replace("chain: model", "chain: anvil"))

    said = from_the_middle(folder, "4 s")

    assert said.returncode == 2
    assert "replay the whole run" in said.stderr


@pytest.mark.parametrize("missing", ["run.json", "history.jsonl.zst", "scenario.yaml"])
def test_a_folder_that_lacks_something_is_2(kept: Path, missing: str) -> None:
    folder = copy_of(kept)
    (folder / missing).unlink()

    result = dexsim("replay", str(folder))

    assert result.exit_code == 2
    assert "The run cannot be read." in result.output


def test_a_truncated_history_is_2(kept: Path) -> None:
    path = copy_of(kept) / "history.jsonl.zst"
    path.write_bytes(path.read_bytes()[:-100])

    result = dexsim("replay", "copy")

    assert result.exit_code == 2
    assert "cut off" in result.output


def test_equal_runs_compare_equal(kept: Path) -> None:
    copy_of(kept)

    for business in ([], ["--business"]):
        result = dexsim("compare", str(kept), "copy", *business)

        assert result.exit_code == 0, result.output
        assert "of both runs is equal" in result.output


@pytest.mark.parametrize("business", [[], ["--business"]])
def test_other_runs_differ_and_the_first_event_is_shown(kept: Path, business: list[str]) -> None:
    assert dexsim("run", "tiny.yaml", "--seed", "4", "--out", "other", "--no-report").exit_code == 0

    result = dexsim("compare", str(kept), "other", *business)

    assert result.exit_code == 7
    assert "that differs:" in result.output
    assert "order to fill p95" in result.output
    assert f"reproduce  dexsim compare {' '.join([*business, str(kept), 'other'])}" in result.output


def test_a_folder_without_a_run_cannot_be_compared(kept: Path) -> None:
    assert dexsim("compare", str(kept), "nothing-here").exit_code == 2
