"""One suite for every backend: the fixture `world`, and the ledger of what a backend does differently.

A card listed in divergences.yaml must fail on its backend, and in the way that is written there: when
the backend is mended, or differs otherwise, the ledger has to be mended, too.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from _pytest.outcomes import Failed
from ruamel.yaml import YAML

from sim.kernel.backend import Backend
from sim.kernel.template.stack import load_template
from sim.world.endpoint_backend import EndpointBackend
from sim.world.provision import open_backend
from system.adapters.memory.clock import ManualClock
from system.model.units import NS
from tests.emulators import EMULATORS, environment_of

CARD = re.compile(r"^([A-Z]{4}-\d{3})")
START_NS = 1_746_315_000 * NS
BACKENDS = ("memory", "moto", *(pytest.param(name, marks=pytest.mark.localstack) for name in EMULATORS))


class World(NamedTuple):
    """A backend just built from the template, empty, its clock, and the names of its queues."""

    backend: Backend
    clock: ManualClock
    commands: str
    commands_dead: str
    ticks: str
    max_receive_count: int


@pytest.fixture(params=BACKENDS)
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    template, clock = load_template(), ManualClock(START_NS)
    commands = template.queue(template.commands_queue)
    ticks = next(queue.name for queue in template.queues() if queue.delay_s)
    if request.param in EMULATORS:
        backend: Backend = EndpointBackend("localstack", template, clock, environment_of(request.param))
    else:
        backend = open_backend(request.param, template, clock)
    yield World(backend, clock, commands.name, commands.dead_letter, ticks, commands.max_receive_count)
    backend.close()


def ledger() -> list[dict[str, str]]:
    """Return the known divergences: card, backend, differs, and what is seen instead; or the test."""
    found: list[dict[str, str]] = YAML(typ="safe").load(
        Path(__file__).with_name("divergences.yaml").read_text()
    )
    return found


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Iterator[None]:
    """Turn a listed divergence round: it must be seen, and as it is written."""
    call = getattr(pyfuncitem, "callspec", None)
    if call is None or "world" not in call.params or HERE not in pyfuncitem.path.parents:
        return (yield)
    card = CARD.match(_docstring(pyfuncitem))
    known = {(entry["card"], entry["backend"]): entry for entry in ledger() if "card" in entry}
    entry = known.get((card[1], call.params["world"])) if card else None
    if entry is None:
        return (yield)
    try:
        yield
    except (Exception, Failed) as seen:
        said = f"{type(seen).__name__}: {seen}"
        assert entry["seen"] in said, f"{entry['card']} differs otherwise: expected {entry['seen']!r}"
        return True
    raise AssertionError(f"{entry['card']} holds on {entry['backend']} now: take it out of divergences.yaml")


HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        call = getattr(item, "callspec", None)
        # pytest hands over the items of the whole session, not only this folder's
        if call is not None and "world" in call.params and HERE in item.path.parents:
            assert CARD.match(_docstring(item)), f"{item.nodeid}: expected a card id to begin the docstring"


def _docstring(item: pytest.Item) -> str:
    function: Any = getattr(item, "function", None)
    return function.__doc__ or ""
