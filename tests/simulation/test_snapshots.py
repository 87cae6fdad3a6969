"""A replay from the middle is bit for bit the run's own rest, in another process, whatever was under way."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sim.report.folder import Run
from sim.run import run
from sim.shelf import Kept, Shelf
from sim.swarm import draw
from tests.simulation.scenes import small

ROOT = Path(__file__).parents[2]
AT_NS = 7 * 10**9
BUSY = (
    "duration=20 s",
    "markets.0.funding=seed_literal",
    "markets.0.funding_interval=1 min",
    "markets.0.initial_margin=10 %",
    "agents.2={kind: explorer, count: 2, funds: 20_000 USDC, rate: 2 /s}",
    "events=[{at: 8 s, oracle_shock: {asset: BTC, move: -9 %}}]",
)
FAULTS = (
    "faults=[{fault: duplicate, target: commands -> matcher, probability: 20 %},"
    " {fault: drop, target: client -> api, probability: 5 %}, {fault: socket_gone, probability: 1 %},"
    " {fault: delay, target: updates -> fan_out, by: 900 ms, probability: 30 %},"
    " {fault: crash, target: matcher, at: 9 s, down: 1 s}, {fault: stale_list, age: 10 s},"
    " {fault: clock_skew, target: api, by: 20 ms}, {fault: reorg, every: 6 s, depth: [1, 2]}]"
)
SCENES = {
    "plain": small(1),
    "busy": small(2, *BUSY),
    "faults": small(3, *BUSY, FAULTS),
    "ports": small(4, *BUSY, "interleaving=ports"),
    "ports and faults": small(5, *BUSY, FAULTS, "interleaving=ports"),
    **{f"swarm {seed}": draw(seed) for seed in (1, 100)},
}
TALK = """
import json, sys
from pathlib import Path
from sim.replay import Replay
from sim.shelf import Shelf
from system.model.errors import Divergence

for folder in sys.argv[2:]:
    replay = Replay(Path(folder))
    shelf = Shelf(replay.record, replay.scenario, Path(sys.argv[1]))
    try:
        print(json.dumps(replay.play_from(7 * 10**9, shelf=shelf)))
    except Divergence as parted:
        print(json.dumps([str(arg) for arg in parted.args]))
"""


def replayed(shelves: Path, folders: list[Path], hash_seed: str) -> list[Any]:
    """Replay runs from the middle in a process of plain Python, and return what came of each."""
    said = subprocess.run(
        [sys.executable, "-c", TALK, str(shelves), *map(str, folders)],
        cwd=ROOT,
        env=os.environ | {"PYTHONHASHSEED": hash_seed, "DEXSIM_COMPILED": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 0, said.stderr
    return [json.loads(line) for line in said.stdout.splitlines()]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every scene's run, in a folder of its own."""
    home = tmp_path_factory.mktemp("runs")
    folders = {name: home / name.replace(" ", "-") for name in SCENES}
    for name, scenario in SCENES.items():
        run(scenario, out=folders[name])
    return folders


@pytest.fixture(scope="module")
def shelves(tmp_path_factory: pytest.TempPathFactory, kept: dict[str, Path]) -> Path:
    """Snapshots of every run, made by one process."""
    home = tmp_path_factory.mktemp("shelves")
    made = replayed(home, list(kept.values()), "1")
    events = [Run(folder).record.counts["events"] for folder in kept.values()]
    assert [(from_ns, before, rest) for from_ns, before, rest, _ in made] == [
        (0, 0, count) for count in events
    ]
    assert all(kept_ns is not None and kept_ns >= AT_NS for *_, kept_ns in made)
    return home


def test_the_rest_is_equal_in_another_process(kept: dict[str, Path], shelves: Path) -> None:
    found = replayed(shelves, list(kept.values()), "987654321")

    for (from_ns, before, rest, kept_ns), folder in zip(found, kept.values(), strict=True):
        assert from_ns >= AT_NS
        assert before > 50
        assert before + rest == Run(folder).record.counts["events"]
        assert kept_ns is None  # it is there already


def test_a_rest_that_differs_names_the_event(kept: dict[str, Path], shelves: Path, tmp_path: Path) -> None:
    """The last answer but one is another: it is found by its number, though nothing before was played."""
    import shutil

    import zstandard

    from sim.kernel.history import HistoryReader

    folder = Path(shutil.copytree(kept["ports and faults"], tmp_path / "copy"))
    file = folder / "history.jsonl.zst"
    lines = list(HistoryReader(file).lines())
    number = max(place for place, line in enumerate(lines) if b'"e":"block"' in line)
    lines[number] = lines[number].replace(b'"txs":', b'"txs":9')
    file.write_bytes(zstandard.compress(b"".join(line + b"\n" for line in lines)))

    [[at, expected, was]] = replayed(shelves, [folder], "1")

    assert int(at) == number + 1
    assert expected == lines[number].decode()
    assert was != expected


def test_other_code_or_another_run_has_other_snapshots(
    kept: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record, scenario = Run(kept["plain"]).record, SCENES["plain"]
    shelf = Shelf(record, scenario, tmp_path)
    shelf.keep(Kept(5, 6, 7, b"world"))
    assert shelf.latest(10) is None  # what agents say is not there yet
    shelf.keep_journal([])

    assert shelf.latest(10) == Kept(5, 6, 7, b"world")
    assert shelf.latest(4) is None
    assert Shelf(record, SCENES["busy"], tmp_path).latest(10) is None
    monkeypatch.setattr("sim.shelf._code", lambda: "other")
    assert Shelf(record, scenario, tmp_path).latest(10) is None


def test_only_the_newest_runs_keep_their_snapshots(kept: dict[str, Path], tmp_path: Path) -> None:
    record = Run(kept["plain"]).record
    for seed in range(20):
        Shelf(record, small(seed), tmp_path).keep_journal([])

    assert len(list(tmp_path.iterdir())) == 16
    assert (Shelf(record, small(19), tmp_path).folder / "journal").is_file()
