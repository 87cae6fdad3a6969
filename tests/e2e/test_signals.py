"""A run that is stopped from outside leaves no chain behind, and says that it was stopped."""

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.e2e.command import DEXSIM, Said, dexsim, environment, write_scenario

pytestmark = [
    pytest.mark.anvil,
    pytest.mark.skipif(sys.platform != "linux", reason="children are found in /proc"),
]
INTERRUPTED = 130  # 128 + SIGINT, as shells say it


def children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def stopped_by(wanted: signal.Signals, home: Path) -> tuple[Said, int]:
    """Stop a long run as soon as it has its chain; return what it said, and the chain's pid."""
    write_scenario(home)
    words = ["run", "brief.yaml", "--chain", "anvil", "--until", "10 h", "--out", "mine"]
    with subprocess.Popen(
        [DEXSIM, *words],
        cwd=home,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        pause = threading.Event()
        for _ in range(600):
            chain = children(process.pid)
            if chain and (home / "mine" / "history.jsonl.zst").exists():
                break
            pause.wait(0.05)
        else:
            process.kill()
            raise AssertionError(f"no chain within 30 s: {process.communicate()}")
        pause.wait(1)
        process.send_signal(wanted)
        try:
            out, err = process.communicate(timeout=30)
        finally:
            process.kill()  # else a run that was not stopped would be waited for
    for _ in range(100):
        if not Path(f"/proc/{chain[0]}").exists():
            break
        pause.wait(0.05)
    return Said(process.returncode, out, err), chain[0]


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Said, int]:
    home = tmp_path_factory.mktemp("interrupted")
    return home, *stopped_by(signal.SIGINT, home)


def test_an_interrupted_run_stops_its_chain(interrupted: tuple[Path, Said, int]) -> None:
    _, said, chain = interrupted

    assert said.code == INTERRUPTED
    assert not Path(f"/proc/{chain}").exists()
    assert "Traceback" not in said.err


def test_an_interrupted_run_says_so(interrupted: tuple[Path, Said, int]) -> None:
    _, said, _ = interrupted

    assert "interrupted" in said.err.lower()


def test_what_an_interrupted_run_leaves_is_no_run(interrupted: tuple[Path, Said, int]) -> None:
    home, _, _ = interrupted

    replay = dexsim("replay", "mine", cwd=home)
    again = dexsim("run", "brief.yaml", "--out", "mine", "--no-report", cwd=home)

    assert replay.code == 2
    assert "no run is here" in replay.err
    assert again.code == 0, again.err


def test_a_killed_run_takes_its_chain_with_it(tmp_path: Path) -> None:
    said, chain = stopped_by(signal.SIGKILL, tmp_path)

    assert said.code == -signal.SIGKILL
    assert not Path(f"/proc/{chain}").exists()
