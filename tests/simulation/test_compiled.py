"""Compiled copies do what their sources say: one digest, with and without them (docs/decisions/0025)."""

import os
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from sim.compiled import build, finder
from sim.compiled.finder import ROOT, fingerprint, python
from system.model.errors import ConfigError
from tests.simulation.scenes import SMALL

TALK = """
import sys
from sim.run import run
from sim.scenario.schema import Scenario
record = run(Scenario.parse(sys.stdin.read(), "small.yaml", sys.argv[1:])).record
print(record.digest, record.business_digest, record.verdict, record.versions["compiled"])
"""


def told(how: str, *settings: str) -> list[str]:
    said = subprocess.run(
        [sys.executable, "-c", TALK, *settings],
        input=SMALL,
        cwd=ROOT,
        env=os.environ | {"DEXSIM_COMPILED": how},
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 0, said.stderr
    return said.stdout.split(maxsplit=3)


@pytest.fixture(scope="module")
def _compiled() -> None:
    """Up to date already where `make test` runs this."""
    done = subprocess.run(
        [sys.executable, "-m", "sim.compiled"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.usefixtures("_compiled")
@pytest.mark.parametrize("settings", [(), ("seed=5", "signatures=off")], ids=["signed", "unsigned"])
def test_a_compiled_run_is_the_same_run(settings: tuple[str, ...]) -> None:
    *digests, verdict, state = told("1", *settings)

    assert state.strip() == "yes"
    assert [*digests, verdict] == told("0", *settings)[:3]
    assert verdict == "held"


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of one compiled module."""
    monkeypatch.setattr(finder, "ROOT", tmp_path)
    monkeypatch.setattr(finder, "HOME", tmp_path / "built")
    monkeypatch.setenv("DEXSIM_COMPILED", "1")
    (tmp_path / "built").mkdir()
    (tmp_path / "built" / "hot.so").write_bytes(b"machine code")
    (tmp_path / "hot.py").write_text("x = 1\n")
    write_manifest(tmp_path)
    return tmp_path


def write_manifest(house: Path, **changes: object) -> None:
    said = {
        "python": python(),
        "sources": {"hot.py": fingerprint(house / "hot.py")},
        "files": {"hot": "hot.so"},
    }
    (house / "built" / "manifest.json").write_bytes(orjson.dumps(said | changes))


def refused() -> str:
    with pytest.raises(ConfigError) as error:
        finder.engage()
    return str(error.value)


def test_a_changed_source_is_run_by_python(house: Path) -> None:
    (house / "hot.py").write_text("x = 2\n")

    assert "hot.py changed since: make compiled" in refused()


def test_a_missing_source_is_a_changed_one(house: Path) -> None:
    (house / "hot.py").unlink()

    assert "hot.py changed since" in refused()


def test_copies_of_another_python_are_none(house: Path) -> None:
    write_manifest(house, python="cpython-27 vax")

    assert "built for cpython-27 vax" in refused()


def test_half_a_build_is_none(house: Path) -> None:
    (house / "built" / "hot.so").unlink()
    assert "hot.so is missing" in refused()

    (house / "built" / "manifest.json").write_text("{")
    assert "manifest.json is damaged" in refused()

    (house / "built" / "manifest.json").unlink()
    assert "not built" in refused()


def test_a_copy_stands_on_everything_it_imports() -> None:
    sources = build.sources_of(["system/matcher/commit.py"])

    assert {"system/matcher/commit.py", "system/model/keys.py", "system/ports/store.py"} <= set(sources)
    assert "system/model/errors.py" in sources  # not imported by it, but by what it imports
    assert not any(source.startswith("sim/") for source in sources)


def test_records_stay_python_classes() -> None:
    hot = build.modules()

    assert "system/matcher/matching.py" in hot
    assert "system/model/order.py" not in hot
