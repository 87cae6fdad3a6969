"""`dexsim check`, `list`, `explain`, `report` and `--help`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import sim.cli.run
from sim.cli.exits import Exit
from sim.cli.look import KIND_TEXTS
from sim.invariants import INVARIANTS
from tests.unit.sim.cli.command import SCENARIO, dexsim


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
        ("funding", "perp_v2              1 h  0.000417  0.004167  0.041667  0.208333        72 h"),
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
    folder = Path(shutil.copytree(kept, "copy"))

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
    assert {code.value for code in Exit} == {0, 1, 2, 3, 4, 5, 6, 7, 70, 130}


@pytest.mark.parametrize("name", [f"I{n}" for n in range(1, 11)] + [f"R{n}" for n in range(1, 9)])
def test_every_identity_is_explained_by_its_number(name: str) -> None:
    result = dexsim("explain", name)

    assert result.exit_code == 0, result.output
    assert name in result.output
    assert "Source: " in result.output
