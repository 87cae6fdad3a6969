"""Anvil as a child: the same blocks in every run, a clear word when it is missing, and never left behind."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from sim.world.anvil import Anvil
from system.adapters.evm.rpc import JsonRpc
from system.model.errors import ProvisionError, Unavailable
from tests.contracts.traders import START_S, Settler, open_funded, pair

ROOT = Path(__file__).parents[2]


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


@pytest.mark.anvil
def test_two_runs_have_the_same_blocks() -> None:
    hashes = []
    for _ in range(2):
        world = open_funded("anvil")
        try:
            settler = Settler(world)
            settler.settle(*pair())
            settler.mine()
            hashes.append(world._rpc.call("eth_getBlockByNumber", "latest", False)["hash"])
        finally:
            world.close()
    assert hashes[0] == hashes[1]


@pytest.mark.anvil
def test_closes() -> None:
    with Anvil(START_S) as anvil:
        assert is_alive(anvil.pid)
        assert int(anvil.rpc.call("eth_chainId"), 16) == 31337
        assert int(anvil.rpc.call("eth_getBlockByNumber", "0x0", False)["timestamp"], 16) == START_S
    assert not is_alive(anvil.pid)
    anvil.close()


@pytest.mark.anvil
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a child die with its parent")
def test_dies_with_its_parent() -> None:
    program = textwrap.dedent(
        """
        import os, signal
        from sim.world.anvil import Anvil
        print(Anvil(0).pid, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    parent = subprocess.run(
        [sys.executable, "-c", program],
        check=False,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
    )
    assert parent.returncode == -signal.SIGKILL, parent.stderr
    pid = int(parent.stdout)
    for _ in range(100):
        if not is_alive(pid):
            break
        time.sleep(0.05)
    assert not is_alive(pid)


def test_a_missing_binary_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEXSIM_ANVIL", "/nowhere/anvil")
    with pytest.raises(ProvisionError, match="make setup"):
        Anvil(START_S)


def test_another_program_is_not_anvil(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEXSIM_ANVIL", "/bin/echo")
    with pytest.raises(ProvisionError, match="Listening on"):
        Anvil(START_S)


def test_nobody_listens() -> None:
    with pytest.raises(Unavailable):
        JsonRpc("http://127.0.0.1:9", timeout_s=1).call("eth_chainId")
