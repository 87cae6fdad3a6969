"""docker-compose.yml without Docker: each service's command is run here and its health asked for."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from sim.stack import localstack
from sim.world.anvil import anvil_binary
from tests.house import ROOT

SERVICES: dict[str, dict[str, Any]] = YAML(typ="safe").load(ROOT / "docker-compose.yml")["services"]
BIN = Path(sys.executable).parent
KEYS = {
    "image",
    "build",
    "profiles",
    "entrypoint",
    "command",
    "ports",
    "environment",
    "volumes",
    "healthcheck",
}
PORT = "18{:03d}"


def test_services_say_what_compose_knows() -> None:
    """`docker compose config` is not everywhere; the form that it checks is."""
    assert set(SERVICES) == {"ministack", "localstack", "anvil", "api", "page"}
    for name, service in SERVICES.items():
        assert service.keys() <= KEYS, name
        assert service["healthcheck"].keys() == {"test", "interval", "timeout", "retries"}, name
        assert service["healthcheck"]["test"][0] == "CMD", name
        for port in service["ports"]:
            assert re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port), name
    assert SERVICES["api"]["image"] == SERVICES["page"]["image"]


def command_of(name: str, free: int) -> tuple[list[str], list[str]]:
    """Return a service's command and health check as they are run here: on loopback, on a free port."""
    service = SERVICES[name]
    inside = service["ports"][0].rpartition(":")[2]
    programs = {".venv/bin/dexsim": BIN / "dexsim", ".venv/bin/python": BIN / "python", "anvil": "anvil"}

    def here(words: list[str]) -> list[str]:
        told = [word.replace(inside, str(free)).replace("0.0.0.0", "127.0.0.1") for word in words]
        return [str(programs.get(told[0], told[0])), *told[1:]]

    return here([*service.get("entrypoint", []), *service["command"]]), here(
        service["healthcheck"]["test"][1:]
    )


@contextmanager
def running(words: list[str], cwd: Path) -> Iterator[None]:
    process = subprocess.Popen(words, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
    try:
        yield
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)


def is_well(check: list[str], cwd: Path) -> bool:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if subprocess.run(check, cwd=cwd, capture_output=True, check=False).returncode == 0:
            return True
        time.sleep(0.2)
    return False


@pytest.mark.parametrize("name", ["api", "page", pytest.param("anvil", marks=pytest.mark.anvil)])
def test_a_service_becomes_well(name: str, tmp_path: Path, free_tcp_port: int) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "scenarios").symlink_to(ROOT / "scenarios")
    words, check = command_of(name, free_tcp_port)
    if name == "anvil":  # its image has both; here they come from npm
        binary = anvil_binary()
        words[0] = str(binary)
        check[0] = str(next(binary.parents[2].glob("cast-*/bin/cast")))

    with running(words, tmp_path):
        assert is_well(check, tmp_path)


def test_localstack_is_told_the_same_here() -> None:
    """The image's environment and that of host mode agree where both say something."""
    here = localstack.environment(4566)
    both = SERVICES["localstack"]["environment"].keys() & here.keys()

    assert both == {"DISABLE_EVENTS", "DYNAMODB_IN_MEMORY"}
    assert {name: here[name] for name in both} == {
        name: SERVICES["localstack"]["environment"][name] for name in both
    }
