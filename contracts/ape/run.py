"""Starts an Anvil of its own and runs Ape on it: run.py test, console, run deploy --account dev.

With DEXSIM_APE_HOST set, Ape attaches to that node instead.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from sim.world.anvil import Anvil

FOLDER = Path(__file__).resolve().parent
APE = Path(sys.executable).with_name("ape")
GENESIS_S = 1_746_315_000
ACCOUNTS = 8
ETHER = 10**18


def main(arguments: list[str]) -> int:
    """Run Ape with these arguments."""
    if os.environ.get("DEXSIM_APE_HOST"):
        return ape(arguments, os.environ["DEXSIM_APE_HOST"])
    with Anvil(GENESIS_S) as anvil:
        # A person at the console expects a transaction to be mined; the harness mines by its own clock.
        anvil.rpc.call("evm_setAutomine", True)
        return ape(arguments, anvil.url)


def ape(arguments: list[str], host: str) -> int:
    """Return how it ended. Tests have a keystore of their own, which is gone with them."""
    environment = os.environ | {"DEXSIM_APE_HOST": host}
    with tempfile.TemporaryDirectory() as keystore:
        if arguments[0] == "test":
            environment["APE_DATA_FOLDER"] = keystore
        return subprocess.run([APE, *arguments], cwd=FOLDER, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or ["test"]))
