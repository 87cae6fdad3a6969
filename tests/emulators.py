"""The emulators that `python -m sim.stack.emulator` starts, as tests reach them."""

import os

import pytest

EMULATORS = ("ministack", "localstack")


def environment_of(emulator: str) -> dict[str, str]:
    """Return what leads to an emulator that `python -m sim.stack.emulator` has started."""
    if emulator == "ministack":
        return {name: os.environ[name] for name in ("DEXSIM_ENDPOINT", "DEXSIM_CLOCK") if name in os.environ}
    if "DEXSIM_LOCALSTACK" not in os.environ:
        pytest.skip("no LocalStack: make test-localstack starts it and sets DEXSIM_LOCALSTACK")
    return {"DEXSIM_ENDPOINT": os.environ["DEXSIM_LOCALSTACK"]}
