"""Anvil as a child process: one chain of our own per run, mined only when the harness says so.

How it is started matters. Without automine and with given timestamps the same scenario gives the
same block hashes in every run. With hardfork Cancun there is no history contract, whose trie makes
each block slower than the last. It listens on a port the kernel picks, on 127.0.0.1, and dies with
this process, however that ends.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from sim.world.deploy import CHAIN_ID
from system.adapters.evm.rpc import JsonRpc
from system.model.errors import ProvisionError

BINARY = Path(__file__).parents[2] / "contracts/node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil"
BINARY_VARIABLE = "DEXSIM_ANVIL"
START_TIMEOUT_S = 20
MNEMONIC = "test test test test test test test test test test test junk"
BLOCK_GAS = 30_000_000_000  # setting up a thousand traders fits in one block
_LISTENING = "Listening on "
_PR_SET_PDEATHSIG = 1


def anvil_binary() -> Path:
    """Return where Anvil is; the environment variable DEXSIM_ANVIL overrules the npm package.

    Raises:
        ProvisionError: it is not there.
    """
    binary = Path(os.environ.get(BINARY_VARIABLE, BINARY))
    if not os.access(binary, os.X_OK):
        remedy = "run `make setup` (or `npm ci` in contracts/), or point DEXSIM_ANVIL to an anvil binary"
        raise ProvisionError("chain", "Anvil", "anvil", f"no executable file {binary}: {remedy}")
    return binary


class Anvil:
    """A running Anvil; use it as a context manager, or call `close`.

    Args:
        genesis_s: timestamp of block 0, Unix seconds.
    """

    def __init__(self, genesis_s: int) -> None:
        # The kernel kills the child when the *thread* that started it ends.
        self._process = subprocess.Popen(
            _command(genesis_s),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509 - one prctl
        )
        atexit.register(self.close)
        try:
            assert self._process.stdout is not None
            self.url = "http://" + _wait_until_listening(self._process.stdout)
            self.rpc = JsonRpc(self.url, timeout_s=60)
            # A line per request is half of the time of a small one, and would fill the pipe.
            self.rpc.call("anvil_setLoggingEnabled", False)
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        return self._process.pid

    def mine(self, timestamp_s: int) -> None:
        """Mine one block with what is waiting. Unix seconds, not before the last block."""
        self.rpc.call("evm_mine", {"timestamp": timestamp_s})

    def close(self) -> None:
        """Stop the process; calling twice is fine."""
        atexit.unregister(self.close)
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        if hasattr(self, "rpc"):
            self.rpc.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _command(genesis_s: int) -> list[str]:
    options = {
        "--host": "127.0.0.1",
        "--port": 0,
        "--hardfork": "cancun",
        "--timestamp": genesis_s,
        "--chain-id": CHAIN_ID,
        "--mnemonic": MNEMONIC,
        "--accounts": 5,
        "--gas-limit": BLOCK_GAS,
        "--order": "fees",
        "--threads": 2,
    }
    flags = ["--no-mining", "--no-cors", "--no-request-size-limit"]
    return [str(anvil_binary()), *flags, *(str(part) for option in options.items() for part in option)]


def _wait_until_listening(output: IO[bytes]) -> str:
    """Read what Anvil says until it names its address."""
    said = b""
    while True:
        ready, _, _ = select.select([output], [], [], START_TIMEOUT_S)
        chunk = os.read(output.fileno(), 65_536) if ready else b""
        said += chunk
        _, found, rest = said.decode(errors="replace").partition(_LISTENING)
        if found and "\n" in rest:
            return rest.partition("\n")[0].strip()
        if not chunk:
            problem = f"expected «{_LISTENING}», was: {said[-500:].decode(errors='replace').strip()}"
            raise ProvisionError("chain", "Anvil", "anvil", problem)


_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def _die_with_parent() -> None:
    assert _libc is not None
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
