"""Twins of a run that remember less, and must do the same business and tell the same news.

What a function keeps in its memory may make it faster and nothing else: whatever it decides must
follow from what is stored. So the matcher may die before every step, and every cache may be cold.
Source: crash-only software (Candea and Fox, HotOS 2003); dYdX's shadow runs of its clearing engine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from sim.compare import Parting
from sim.kernel.cold import MARKETS, Memory
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
        "matcher, settlement, jobs and feed start anew for every event",
        Memory(caches=(MARKETS,)),
        Memory(
            without=(
                *("matcher", "settle", "settle_watch", "archive", "oracle_fetch"),
                *("funding_tick", "option_expiry", "future_expiry", "liquidation_scan", "market_minute"),
                *("daily_rollup", "websocket", "fan_out"),
            ),
            caches=(MARKETS,),
        ),
    ),
    Twin(
        "cold caches",
        "everything starts anew for every event, and nothing is cached",
        Memory(caches=()),
        Memory(without=("*",), caches=()),
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
    """Play every pair of twins and compare their business, then their news."""
    found = []
    for twin in TWINS:
        with TemporaryDirectory() as folder:
            records, histories = [], []
            for place, memory in enumerate((twin.usual, twin.shadow)):
                out = Path(folder) / str(place)
                made = run(plain(scenario), out=out, look_every_ns=LOOK_EVERY_NS, memory=memory)
                records.append(made.record)
                histories.append(HistoryReader(out / "history.jsonl.zst"))
            same = records[0].business_digest == records[1].business_digest
            parting = _parting(_news, *histories) if same else _parting(_business, *histories)
            agrees = same and parting is None
        result = Shadow(twin, agrees, records[1].counts["events"], parting)
        found.append(result)
        if told is not None:
            told(result)
    return found


Side = Callable[[HistoryReader], Iterator[tuple[int, dict[str, Any]]]]


def _parting(side: Side, left: HistoryReader, right: HistoryReader) -> Parting | None:
    for one, other in zip_longest(side(left), side(right)):
        if one is None or other is None or one[1] != other[1]:
            return Parting(one[0] if one else 0, other[0] if other else 0, one and one[1], other and other[1])
    return None


def _business(history: HistoryReader) -> Iterator[tuple[int, dict[str, Any]]]:
    """Iterate the transactions that change the business, without what each owner of a market counts."""
    for number, event in history.of_kind("tx"):
        writes = [write for write in event["w"] if write[1] in TABLES]
        if writes:
            yield number, event | {"w": writes}


def _news(history: HistoryReader) -> Iterator[tuple[int, dict[str, Any]]]:
    """Iterate what was published. Numbers that only say which message is newer may differ by one.

    A matcher that sits down does what is due before the next command, and gives it the last one's number.
    """
    for number, event in history.of_kind("publish"):
        counted = [_counted(message) for message in event["m"]]
        yield number, event | {"m": counted}


def _counted(message: dict[str, Any]) -> dict[str, Any]:
    data = message["data"]
    return message | {"data": data | {"seq": None}} if "seq" in data else message
