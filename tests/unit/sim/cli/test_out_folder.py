"""`--out` clears an earlier run and nothing that somebody else put there."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from sim.cli.run import _make_folder
from sim.scenario.schema import Scenario

SCENARIO = Scenario.load(Path(__file__).parents[4] / "scenarios" / "smoke.yaml")


def _kept_run(folder: Path) -> None:
    (folder / "tables").mkdir(parents=True)
    for name in ("scenario.yaml", "history.jsonl.zst", "run.json", "tables/trades.parquet"):
        (folder / name).write_text("an earlier run")


def test_an_earlier_run_makes_room(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    _kept_run(kept)

    assert _make_folder(SCENARIO, kept) == kept
    assert not [path for path in kept.rglob("*") if path.is_file()]


@pytest.mark.parametrize("name", ["thesis.txt", "tables/mine.csv", "src/code.py"])
def test_a_foreign_file_keeps_all(name: str, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    _kept_run(kept)
    (kept / name).parent.mkdir(exist_ok=True)
    (kept / name).write_text("mine")

    with pytest.raises(typer.Exit) as stopped:
        _make_folder(SCENARIO, kept)

    assert stopped.value.exit_code == 2
    assert (kept / name).read_text() == "mine"
    assert (kept / "run.json").exists()


def test_a_scenario_alone_is_no_run(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "scenario.yaml").write_text("scenario: mine")

    with pytest.raises(typer.Exit):
        _make_folder(SCENARIO, mine)

    assert (mine / "scenario.yaml").exists()


def test_a_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(typer.Exit) as stopped:
        _make_folder(SCENARIO, tmp_path / "file")

    assert stopped.value.exit_code == 2


def test_two_runs_of_one_second_have_two_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    folders = {_make_folder(SCENARIO, None) for _ in range(3)}

    assert len(folders) == 3
