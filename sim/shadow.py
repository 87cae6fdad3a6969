"""Twins of a run that remember less, and must do the same business.

What a function keeps in its memory may make it faster and nothing else: whatever it decides must
follow from what is stored. So the matcher may die before every step, and every cache may be cold.
Source: crash-only software (Candea and Fox, HotOS 2003); dYdX's shadow runs of its clearing engine.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from sim.compare import Parting
from sim.kernel.cold import Memory
from sim.kernel.history import HistoryReader
from sim.run import run
from sim.scenario.schema import Scenario
from sim.world.business import TABLES

LOOK_EVERY_NS = 10**18


class Twin(NamedTuple):
    """Two ways to run one scenario that must agree."""

    name: str
    about: str
    usual: Memory
    shadow: Memory


TWINS = (
    Twin(
        "restart before every step",
        "matcher, settlement and jobs start anew for every event",
        Memory(),
        Memory(
            without=(
                *("matcher", "settle", "settle_watch", "archive", "oracle_fetch"),
                *("funding_tick", "option_expiry", "future_expiry", "liquidation_scan", "market_minute"),
                *("daily_rollup", "websocket"),
            )
        ),
    ),
    Twin(
        "cold caches",
        "everything starts anew for every event, and nothing is cached",
        Memory(caches=False),
        Memory(without=("*",), caches=False),
    ),
)


class Shadow(NamedTuple):
    """What a twin did; `parting` is where it left the usual run, None where both agree."""

    twin: Twin
    agrees: bool
    events: int
    parting: Parting | None


def plain(scenario: Scenario) -> Scenario:
    """Return the scenario as twins play it: one event after the other, and nothing breaks."""
    return scenario.model_copy(update={"faults": (), "interleaving": "atomic"})


def shadow(scenario: Scenario, told: Callable[[Shadow], None] | None = None) -> list[Shadow]:
    """Play every pair of twins and compare their business."""
    found = []
    for twin in TWINS:
        with TemporaryDirectory() as folder:
            records, histories = [], []
            for place, memory in enumerate((twin.usual, twin.shadow)):
                out = Path(folder) / str(place)
                made = run(plain(scenario), out=out, look_every_ns=LOOK_EVERY_NS, memory=memory)
                records.append(made.record)
                histories.append(HistoryReader(out / "history.jsonl.zst"))
            agrees = records[0].business_digest == records[1].business_digest
            parting = None if agrees else _parting(*histories)
        result = Shadow(twin, agrees, records[1].counts["events"], parting)
        found.append(result)
        if told is not None:
            told(result)
    return found


def _parting(left: HistoryReader, right: HistoryReader) -> Parting | None:
    for one, other in zip_longest(_business(left), _business(right)):
        if one is None or other is None or one[1] != other[1]:
            return Parting(one[0] if one else 0, other[0] if other else 0, one and one[1], other and other[1])
    return None


def _business(history: HistoryReader) -> Any:
    """Iterate the transactions that change the business, without what each owner of a market counts."""
    for number, event in history.of_kind("tx"):
        writes = [write for write in event["w"] if write[1] in TABLES]
        if writes:
            yield number, event | {"w": writes}
