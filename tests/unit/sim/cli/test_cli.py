"""The command: what it prints, what it leaves, how it ends."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import sim.cli.run
from sim.cli.exits import Exit
from sim.cli.look import KIND_TEXTS
from sim.cli.main import app
from sim.invariants import INVARIANTS, Violation
from sim.invariants.registry import Found, Invariant
from sim.invariants.state import State
from sim.report.record import RunRecord

SCENARIO = """\
scenario: tiny
seed: 3
start: 2025-05-03T12:00:00Z
duration: 25 s
markets:
  - {symbol: BTC-PERP, tick: 0.1 USDC, lot: 0.0001 BTC}
prices:
  BTC: {process: gbm, start: 60_000 USDC, volatility: 60 %/y}
agents:
  - {kind: market_maker, count: 1, funds: 2_000_000 USDC, levels: 2, refresh: 5 s}
  - {kind: noise_taker, count: 3, funds: 200_000 USDC, rate: 0.5 /s}
expect:
  invariants: all
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Each test works in a folder of its own, with one small scenario."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    Path("tiny.yaml").write_text(SCENARIO)
    return tmp_path


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One run that tests look at and copy, and never change."""
    folder = tmp_path_factory.mktemp("kept")
    (folder / "tiny.yaml").write_text(SCENARIO)
    result = dexsim("run", str(folder / "tiny.yaml"), "--out", str(folder / "run"), "--no-report")
    assert result.exit_code == 0, result.output
    return folder / "run"


def dexsim(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def copy_of(kept: Path, name: str = "copy") -> Path:
    shutil.copytree(kept, name)
    return Path(name)


# run


def test_a_run_leaves_a_folder_and_says_what_happened() -> None:
    result = dexsim("run", "tiny.yaml")

    assert result.exit_code == 0, result.output
    assert "held  tiny  seed 3  memory · model" in result.output
    assert "I3_vault_equals_accounts" in result.output
    (folder,) = Path("runs/tiny").iterdir()
    assert folder.name.endswith("-seed3")
    assert {path.name for path in folder.iterdir()} == {
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
    folder = copy_of(kept)
    (folder / "stale").write_text("")

    assert dexsim("run", "tiny.yaml", "--out", "copy", "--until", "1 s", "--no-report").exit_code == 0
    assert not (folder / "stale").exists()


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


# replay


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


# compare


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


# looking


def test_check_says_what_is_wrong_in_each_file() -> None:
    Path("bad.yaml").write_text(SCENARIO.replace("seed: 3", "seed: three"))

    result = dexsim("check", ".")

    assert result.exit_code == 5
    assert "✓ tiny.yaml" in result.output
    assert "✗ bad.yaml" in result.output
    assert "seed" in result.output
    assert "1 of 2" in result.output


def test_check_of_one_good_file_is_0() -> None:
    assert dexsim("check", "tiny.yaml").exit_code == 0


def test_check_of_an_empty_folder_is_2() -> None:
    Path("empty").mkdir()

    assert dexsim("check", "empty").exit_code == 2


@pytest.mark.parametrize("kind", list(KIND_TEXTS))
def test_each_kind_can_be_listed(kind: str) -> None:
    result = dexsim("list", kind)

    assert result.exit_code == 0
    assert result.output.strip()


def test_an_unknown_kind_is_2() -> None:
    result = dexsim("list", "unicorns")

    assert result.exit_code == 2
    assert "invariants" in result.output


def test_a_scenario_that_is_not_valid_is_listed_as_such() -> None:
    Path("scenarios").mkdir()
    Path("scenarios/bad.yaml").write_text("scenario: bad\n")

    assert "not valid" in dexsim("list", "scenarios").output


@pytest.mark.parametrize(
    ("name", "said"),
    [
        *((name, "Source:") for name in INVARIANTS),
        ("I3", "to the unit"),
        ("market_maker", "half_spread (usually 60 bps)"),
        ("order_to_fill", "aggressing order"),
        ("exit-codes", "70"),
        ("memory", "default"),
    ],
)
def test_names_are_explained(name: str, said: str) -> None:
    result = dexsim("explain", name)

    assert result.exit_code == 0
    assert said in result.output


def test_an_unknown_name_is_2_with_a_suggestion() -> None:
    result = dexsim("explain", "vault_equals_accounts")

    assert result.exit_code == 2
    assert "I3_vault_equals_accounts" in result.output


def test_a_report_can_be_written_again(kept: Path) -> None:
    folder = copy_of(kept)

    result = dexsim("report", str(folder))

    assert result.exit_code == 0
    assert (folder / "report.html").stat().st_size > 1_000_000


def test_help_names_every_verb_and_imports_nothing_heavy() -> None:
    script = (
        "import sys\nsys.argv = ['dexsim', '--help']\nfrom sim.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print([name for name in ('pandas', 'plotly', 'boto3', 'pydantic', 'simpy') if name in sys.modules])"
    )
    root = Path(sim.cli.run.__file__).parents[2]

    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        cwd=root,
        env={"PATH": os.environ["PATH"]},
    )

    for verb in ("run", "replay", "compare", "check", "list", "explain", "report"):
        assert f"\n  {verb} " in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"


def test_every_exit_code_says_what_it_means() -> None:
    assert all(code.about for code in Exit)
    assert {code.value for code in Exit} == {0, 1, 2, 3, 4, 5, 6, 7, 70}
