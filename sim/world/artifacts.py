"""The compiled contracts as committed: nothing is compiled to run."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import orjson

from system.model.errors import ProvisionError

FOLDER = Path(__file__).parents[2] / "contracts" / "artifacts"


@cache
def artifact(name: str) -> dict[str, Any]:
    """Return the ABI and bytecode of a contract.

    Raises:
        ProvisionError: it was not compiled.
    """
    path = FOLDER / f"{name}.json"
    try:
        found: dict[str, Any] = orjson.loads(path.read_bytes())
    except FileNotFoundError:
        raise ProvisionError(name, "contract", "artifacts", f"no {path}: run `make contracts`") from None
    return found


@cache
def bytecode(name: str) -> bytes:
    """Return the code that creates a contract, without constructor arguments."""
    return bytes.fromhex(artifact(name)["deploymentBytecode"]["bytecode"][2:])
