"""Each test of the command works in a folder of its own, with one small scenario in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.sim.cli.command import SCENARIO, dexsim


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
