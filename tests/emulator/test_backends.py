"""The state of the template on each emulator, proven by asking, and the business of scenarios on it."""

from pathlib import Path

import pytest

from sim.kernel.template.stack import Sorting, load_template
from sim.world.endpoint_backend import EndpointBackend
from system.adapters.aws.session import Clients
from system.adapters.memory.clock import ManualClock
from tests.emulators import EMULATORS, environment_of
from tests.parity import FILES, ONE_MARKET, WHOLE, on_memory, played, told_apart

pytestmark = pytest.mark.localstack


@pytest.mark.parametrize("emulator", EMULATORS)
def test_every_state_resource_is_made_and_proven(emulator: str) -> None:
    template = load_template()
    environment = environment_of(emulator)
    backend = EndpointBackend("localstack", template, ManualClock(), environment)
    try:
        shown = {proof.logical_id for proof in backend.proofs if proof.shown}
    finally:
        backend.close()

    assert shown == {each.logical_id for each in template.resources() if each.sorting is Sorting.STATE}
    left = Clients(environment["DEXSIM_ENDPOINT"], template.region, backend.account, "local")
    assert left.dynamodb.list_tables()["TableNames"] == []
    assert left.sqs.list_queues().get("QueueUrls", []) == []


@pytest.mark.parametrize(
    "file", [pytest.param(file, marks=[pytest.mark.deep] * (file in WHOLE)) for file in FILES]
)
def test_ministack_does_the_same_business(file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lead_to("ministack", monkeypatch)

    assert told_apart(on_memory(file), played("localstack", file, tmp_path)) == ""


@pytest.mark.parametrize("file", ONE_MARKET)
def test_localstack_does_the_same_business(
    file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One market a scenario: a receive of several comes in another order there (QUEU-021)."""
    lead_to("localstack", monkeypatch)

    assert told_apart(on_memory(file), played("localstack", file, tmp_path)) == ""


def lead_to(emulator: str, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = environment_of(emulator)
    for name in ("DEXSIM_ENDPOINT", "DEXSIM_CLOCK"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
