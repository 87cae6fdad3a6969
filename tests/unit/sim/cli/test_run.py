"""`dexsim run`: what it prints, what it leaves, how it ends."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import sim.cli.run
from sim.invariants import INVARIANTS, Violation
from sim.invariants.registry import Found, Invariant
from sim.invariants.state import State
from sim.report.record import RunRecord
from tests.unit.sim.cli.command import dexsim


def test_a_run_leaves_a_folder_and_says_what_happened() -> None:
    result = dexsim("run", "tiny.yaml")

    assert result.exit_code == 0, result.output
    assert "held  tiny  seed 3  memory · model" in result.output
    assert "I3_vault_equals_accounts" in result.output
    (folder,) = Path("runs/tiny").iterdir()
    assert folder.name.endswith("-seed3")
    assert {path.name for path in folder.iterdir()} == {
        "lake.zip",
        "history.jsonl.zst",
        "report.html",
        "run.json",
        "scenario.yaml",
        "tables",
    }
    assert Path("runs/latest").is_symlink()
    assert Path("runs/latest").resolve() == folder.resolve()


def test_a_second_run_in_the_same_second_has_a_folder_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(2):
        assert dexsim("run", "tiny.yaml", "--until", "1 s", "--no-report").exit_code == 0

    folders = sorted(Path("runs/tiny").iterdir())
    assert len(folders) == 2
    assert Path("runs/latest").resolve() in [folder.resolve() for folder in folders]


def test_json_is_the_record_and_nothing_else() -> None:
    result = dexsim("run", "tiny.yaml", "--json", "--out", "out", "--no-report")

    record = RunRecord.model_validate_json(result.stdout)
    assert result.stdout == Path("out/run.json").read_text()
    assert record.reproduce == "dexsim run tiny.yaml --backend memory --chain model --seed 3"


def test_options_decide_the_run() -> None:
    words = ["--seed", "9", "--until", "20 s", "--set", "agents.1.rate=1 /s", "--json", "--no-report"]
    result = dexsim("run", "tiny.yaml", *words)

    record = json.loads(result.stdout)
    assert record["seed"] == 9
    line = "dexsim run tiny.yaml --backend memory --chain model --seed 9 --until '20 s' --set "
    assert record["reproduce"] == line + "'agents.1.rate=1 /s'"
    resolved = (Path("runs/latest") / "scenario.yaml").read_text()
    assert "duration: 20 s" in resolved
    assert "seed: 9" in resolved


def test_the_same_run_twice_has_the_same_digests() -> None:
    one, other = (json.loads(dexsim("run", "tiny.yaml", "--json", "--no-report").stdout) for _ in range(2))

    assert one["digest"] == other["digest"]
    assert one["business_digest"] == other["business_digest"]


def test_a_folder_that_holds_a_run_makes_room_for_the_new_one(kept: Path) -> None:
    folder = Path(shutil.copytree(kept, "copy"))
    (folder / "tables" / "stale.parquet").write_text("")

    assert dexsim("run", "tiny.yaml", "--out", "copy", "--until", "1 s", "--no-report").exit_code == 0
    assert not (folder / "tables" / "stale.parquet").exists()


def test_a_folder_that_holds_something_else_is_left_alone() -> None:
    Path("precious").mkdir()
    Path("precious/thesis.txt").write_text("unsaved")

    result = dexsim("run", "tiny.yaml", "--out", "precious")

    assert result.exit_code == 2
    assert "something else than a run" in result.output
    assert Path("precious/thesis.txt").read_text() == "unsaved"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["tiny.yaml", "--set", "duration=3 parsecs"], "duration"),
        (["tiny.yaml", "--set", "expect.invariants=[I3_vault]"], "did you mean `I3_vault_equals_accounts`?"),
        (["tiny.yaml", "--backend", "momery"], "memory"),
        (["nowhere.yaml"], "cannot be read"),
        (["smoke-and-mirrors"], "no scenario of this name"),
    ],
)
def test_an_invalid_scenario_is_5_and_says_where(words: list[str], said: str) -> None:
    result = dexsim("run", *words)

    assert result.exit_code == 5
    assert said in result.output
    assert not Path("runs").exists()


def test_a_missed_threshold_is_4_and_says_the_line_that_reproduces_it() -> None:
    result = dexsim("run", "tiny.yaml", "--no-report", "--set", "expect.thresholds=[fills > 1_000_000]")

    assert result.exit_code == 4
    assert "✗ threshold" in result.output
    assert "expected   fills > 1000000" in result.output
    assert "reproduce  dexsim run tiny.yaml --backend memory --chain model --seed 3 --set" in result.output


def test_what_is_not_settled_in_time_is_3() -> None:
    result = dexsim("run", "tiny.yaml", "--no-report", "--set", "expect.settled_within=1 ms")

    # what has not arrived at the chain breaks the invariants of the end, too, and broken is worse
    assert result.exit_code in (1, 3)
    assert "✗ liveness" in result.output


@pytest.mark.parametrize(("fails", "verdict"), [(False, "broken"), (True, "unknown")])
def test_an_invariant_that_does_not_hold_is_1(fails: bool, verdict: str) -> None:
    def check(_state: State) -> Found:
        if fails:
            raise ConnectionError("away")
        yield Violation("the moon", "cheese", "rock")
        return 1

    INVARIANTS["always"] = Invariant("always", check, at_end_only=True)
    try:
        result = dexsim("run", "tiny.yaml", "--no-report", "--set", "expect.invariants=[always]")
    finally:
        del INVARIANTS["always"]

    assert result.exit_code == 1
    assert f"{verdict}  tiny" in result.output
    for word in ("✗ always", "where", "expected", "was", "reproduce  dexsim run tiny.yaml"):
        assert word in result.output
    assert ("rock" in result.output) != fails


def test_a_chain_that_is_not_there_is_6(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEXSIM_ANVIL", "/nowhere/anvil")

    result = dexsim("run", "tiny.yaml", "--chain", "anvil", "--no-report")

    assert result.exit_code == 6
    assert "/nowhere/anvil" in result.output
    assert "reproduce  dexsim run tiny.yaml --backend memory --chain anvil" in result.output


def test_a_defect_is_70_and_shows_its_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sim.cli.run, "_point_latest_to", lambda _folder: 1 // 0)

    result = dexsim("run", "tiny.yaml", "--until", "1 s", "--no-report")

    assert result.exit_code == 70
    assert "Traceback" in result.output
    assert "reproduce  dexsim run tiny.yaml" in result.output


def test_a_wrong_option_is_2() -> None:
    assert dexsim("run", "tiny.yaml", "--sed", "1").exit_code == 2
    assert dexsim("run", "tiny.yaml", "--seed", "-1").exit_code == 2
