"""One suite for every backend: the fixture `world`, and the ledger of what a backend does differently.

A card listed in divergences.yaml must fail on its backend: when the backend is mended, the ledger
has to be, too.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from ruamel.yaml import YAML

from sim.kernel.backend import Backend
from sim.kernel.template.stack import load_template
from sim.world.provision import open_backend
from system.adapters.memory.clock import ManualClock
from system.model.units import NS

CARD = re.compile(r"^([A-Z]{4}-\d{3})")
START_NS = 1_746_315_000 * NS
BACKENDS = ("memory", "moto", pytest.param("localstack", marks=pytest.mark.localstack))


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
    backend = open_backend(request.param, template, clock)
    yield World(backend, clock, commands.name, commands.dead_letter, ticks, commands.max_receive_count)
    backend.close()


def ledger() -> list[dict[str, str]]:
    """Return the known divergences: card, backend, differs."""
    found: list[dict[str, str]] = YAML(typ="safe").load(
        Path(__file__).with_name("divergences.yaml").read_text()
    )
    return found


HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    listed = {(entry["card"], entry["backend"]): entry["differs"] for entry in ledger()}
    for item in items:
        call = getattr(item, "callspec", None)
        # pytest hands over the items of the whole session, not only this folder's
        if call is None or "world" not in call.params or HERE not in item.path.parents:
            continue
        card = CARD.match(_docstring(item))
        assert card, f"{item.nodeid}: expected a card id at the start of the docstring"
        differs = listed.get((card[1], call.params["world"]))
        if differs:
            item.add_marker(pytest.mark.xfail(reason=differs, strict=True))


def _docstring(item: pytest.Item) -> str:
    function: Any = getattr(item, "function", None)
    return function.__doc__ or ""
