"""Runs a command beside emulators of AWS, without Docker: `python -m sim.stack.emulator COMMAND...`.

MiniStack carries the whole stack, LocalStack's community edition its state; each lives in an environment
of its own (`make test-localstack` makes them). The command gets DEXSIM_ENDPOINT, DEXSIM_CLOCK, by which
a run tells MiniStack what time it is, and DEXSIM_LOCALSTACK when LocalStack is installed. When it ends,
they are stopped, and its exit code is ours.

LocalStack in host mode listens to everybody. So with it all of this is done in a network namespace of
its own, in which there is only loopback.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import boto3
from botocore.config import Config as ClientConfig
from botocore.exceptions import BotoCoreError, ClientError

from sim.stack import localstack as local
from system.model.errors import ProvisionError

PROGRAM = Path(__file__).parents[2] / "build" / "ministack" / "bin" / "python"
INSIDE = "DEXSIM_NAMESPACE"
_START_S = 90
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
    """Where MiniStack answers, and the file that sets its time."""

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
    _refuse_missing(program, "ministack")
    with tempfile.TemporaryDirectory(prefix="dexsim-ministack-") as folder:
        Path(folder, "sitecustomize.py").write_text(_SITE)
        clock = Path(folder, "clock")
        clock.write_bytes(bytes(8))
        port = _free_port()
        environment = {**_environment(folder), "GATEWAY_PORT": str(port), "DEXSIM_CLOCK": str(clock)}
        url = f"http://127.0.0.1:{port}"
        with _served([str(program), "-m", "ministack"], environment, folder, url + "/_ministack/health"):
            yield Emulator(url, clock)


@contextmanager
def localstack(program: Path = local.PROGRAM) -> Iterator[str]:
    """Start LocalStack and give its URL; only in a namespace, because it listens to everybody.

    Raises:
        ProvisionError: it is not installed, does not answer, or would be open to the outside.
    """
    _refuse_missing(program, "localstack")
    if not os.environ.get(INSIDE):
        problem = "expected a network namespace of its own, because it listens to everybody"
        raise ProvisionError("localstack", "emulator", "localstack", problem)
    port = _free_port()
    url = f"http://127.0.0.1:{port}"
    command = [str(program), "-m", "localstack.runtime.main"]
    with _served(command, local.environment(port), str(local.ROOT), url + local.HEALTH):
        _wake(url)
        yield url


def _wake(url: str) -> None:
    """Ask for tables once with patience: the first call starts DynamoDB Local, in seconds or in many."""
    config = ClientConfig(read_timeout=_START_S, retries={"total_max_attempts": 1})
    client: Any = boto3.client(
        "dynamodb",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=config,
    )
    try:
        client.list_tables(Limit=1)
    except (ClientError, BotoCoreError) as error:
        raise ProvisionError("localstack", "emulator", "localstack", str(error)) from None


def _refuse_missing(program: Path, name: str) -> None:
    if not program.exists():
        problem = f"no {program}: run make test-localstack"
        raise ProvisionError(name, "emulator", "localstack", problem)


@contextmanager
def _served(command: list[str], environment: Mapping[str, str], folder: str, health: str) -> Iterator[None]:
    """Keep a server alive; it is of a session of its own, and so is all that it starts."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            command, env=environment, cwd=folder, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            if not _answers(health, process):
                log.seek(0)
                said = log.read().decode(errors="replace")[-2_000:]
                problem = f"did not answer at {health}; it said: {said}"
                raise ProvisionError(" ".join(command), "emulator", "localstack", problem)
            yield
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


def _answers(health: str, process: subprocess.Popen[bytes]) -> bool:
    until = time.monotonic() + _START_S
    while time.monotonic() < until and process.poll() is None:
        try:
            urllib.request.urlopen(health, timeout=2).close()
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
        else:
            return True
    return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End it and the functions that it runs: they are of its session."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(_STOP_S)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue


def _enter_namespace(command: list[str]) -> int:
    """Run this module again where there is only loopback.

    Raises:
        ProvisionError: this machine gives no namespaces.
    """
    unshare = shutil.which("unshare") or "unshare"
    enter = [unshare, "--user", "--map-root-user", "--net"]
    tried = subprocess.run([*enter, "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        problem = f"it would listen to everybody, and a network namespace was refused: {tried.stderr.strip()}"
        raise ProvisionError("localstack", "emulator", "localstack", problem)
    again = [*enter, sys.executable, "-m", "sim.stack.emulator", *command]
    return subprocess.run(again, env={**os.environ, INSIDE: "1"}, check=False).returncode


def _loopback_up() -> None:
    """`ip link set lo up`, which not every machine has."""
    siocsifflags, iff_up_running = 0x8914, 0x41
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, siocsifflags, struct.pack("16sh14x", b"lo", iff_up_running))


def main(command: list[str]) -> int:
    """Run the command beside what is installed."""
    both = local.PROGRAM.exists()
    if both and not os.environ.get(INSIDE):
        return _enter_namespace(command)
    with ExitStack() as stack:
        if both:
            _loopback_up()
        emulator = stack.enter_context(ministack())
        environment = {**os.environ, **emulator.environment()}
        print(f"MiniStack answers at {emulator.url}", flush=True)
        if both:
            environment["DEXSIM_LOCALSTACK"] = url = stack.enter_context(localstack())
            print(f"LocalStack answers at {url}", flush=True)
        return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
