"""Runs a command beside MiniStack: `python -m sim.stack.emulator COMMAND...`, without Docker, on 127.0.0.1.

MiniStack lives in an environment of its own (`make test-localstack` makes it). The command gets
DEXSIM_ENDPOINT, and DEXSIM_CLOCK, by which a run tells MiniStack what time it is; when it ends,
MiniStack is stopped, and its exit code is ours.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from system.model.errors import ProvisionError

PROGRAM = Path(__file__).parents[2] / "build" / "ministack" / "bin" / "python"
_START_S = 60
_STOP_S = 10
# Its numbers are rounded to 28 digits unless this is said before it starts; DynamoDB has 38.
_SITE = """
import decimal
decimal.DefaultContext.prec = 38
decimal.setcontext(decimal.DefaultContext.copy())

# time is what the file says (sim/world/endpoint_backend.py), and the machine's while it says nothing
import mmap, os, struct, time
if "DEXSIM_CLOCK" in os.environ:
    with open(os.environ["DEXSIM_CLOCK"], "rb") as file:
        now = mmap.mmap(file.fileno(), 8, prot=mmap.PROT_READ)
    wall, told = time.time, struct.Struct("<q").unpack_from
    time.time = lambda: told(now)[0] / 1e9 or wall()
"""


class Emulator(NamedTuple):
    """Where it answers, and the file that sets its time."""

    url: str
    clock: Path

    def environment(self) -> dict[str, str]:
        """Return what a command needs to find it."""
        return {"DEXSIM_ENDPOINT": self.url, "DEXSIM_CLOCK": str(self.clock)}


@contextmanager
def ministack(program: Path = PROGRAM) -> Iterator[Emulator]:
    """Start MiniStack on a free port of 127.0.0.1 and say where; stop it and all it started at the end.

    Raises:
        ProvisionError: it is not installed, or does not answer.
    """
    if not program.exists():
        raise ProvisionError("ministack", "emulator", "localstack", f"no {program}: run make test-localstack")
    with tempfile.TemporaryDirectory(prefix="dexsim-ministack-") as folder:
        Path(folder, "sitecustomize.py").write_text(_SITE)
        port = _free_port()
        log, clock = Path(folder, "log"), Path(folder, "clock")
        clock.write_bytes(bytes(8))
        with log.open("wb") as out:
            process = subprocess.Popen(
                [program, "-m", "ministack"],
                env={**_environment(folder), "GATEWAY_PORT": str(port), "DEXSIM_CLOCK": str(clock)},
                cwd=folder,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                url = f"http://127.0.0.1:{port}"
                _wait(url, process, log)
                yield Emulator(url, clock)
            finally:
                _stop(process)


def _environment(folder: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {
        **kept,
        "PYTHONPATH": folder,
        "BIND_HOST": "127.0.0.1",
        "IOT_MTLS_ENABLED": "0",
        "MINISTACK_REGION": "us-east-1",
        "LOG_LEVEL": "WARNING",
        "TMPDIR": folder,
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + _START_S
    while time.monotonic() < until:
        if process.poll() is not None:
            break
        try:
            urllib.request.urlopen(url + "/_ministack/health", timeout=2).close()
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
        else:
            return
    said = log.read_text(errors="replace")[-2_000:]
    raise ProvisionError("ministack", "emulator", "localstack", f"did not answer at {url}; it said: {said}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End it and the functions that it runs: they are of its session."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(_STOP_S)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue


def main(command: list[str]) -> int:
    """Run the command beside MiniStack."""
    with ministack() as emulator:
        print(f"MiniStack answers at {emulator.url}", flush=True)
        environment = {**os.environ, **emulator.environment()}
        return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
