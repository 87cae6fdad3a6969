"""Two runs side by side: their measures, their digests, and the first event that differs.

The business of two runs is equal when their business digests are: then orders, fills, positions,
balances, statistics and settlements agree, whatever backend or chain they ran on.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from typing import Any, NamedTuple

from sim.kernel.history import HistoryReader
from sim.report.amounts import counted
from sim.report.folder import Run
from sim.world.business import CHAIN_MADE
from system.model import keys

Event = dict[str, Any]

MARKERS = ("DEPOSIT#", "WITHDRAWAL#")
"""Rows whose key is a block hash."""


class Parting(NamedTuple):
    """Where two histories part: the number of the event in each, and the events (None: it had ended)."""

    left_number: int
    right_number: int
    left: Event | None
    right: Event | None


class Row(NamedTuple):
    """One measure of both runs."""

    name: str
    left: str
    right: str

    @property
    def equal(self) -> bool:
        """Tell whether both have the same."""
        return self.left == self.right


class Comparison(NamedTuple):
    """What `dexsim compare` says. `parting` is looked for only when the digests differ."""

    left: Run
    right: Run
    rows: list[Row]
    equal: bool
    parting: Parting | None


def compare(left: Run, right: Run, *, business: bool = False) -> Comparison:
    """Compare two runs, by their business only or by their whole histories.

    Raises:
        HistoryUnreadable: they differ, and a history that would tell where is missing or damaged.
    """
    name = "business_digest" if business else "digest"
    equal = getattr(left.record, name) == getattr(right.record, name)
    parting = None if equal else first_parting(left.history, right.history, business=business)
    return Comparison(left, right, _rows(left, right), equal, parting)


def first_parting(left: HistoryReader, right: HistoryReader, *, business: bool) -> Parting | None:
    """Return the first pair of events that differ, None when all agree."""
    pairs = zip_longest(_events(left, business=business), _events(right, business=business))
    for one, other in pairs:
        if one is None or other is None or one[1] != other[1]:
            left_number, left_event = one or (0, None)
            right_number, right_event = other or (0, None)
            return Parting(left_number, right_number, left_event, right_event)
    return None


def differences(left: Any, right: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Iterate the leaves in which two events differ: (path, left, right).

    >>> list(differences({"t": 1, "w": [1, 2]}, {"t": 1, "w": [1, 3]}))
    [('w.1', 2, 3)]
    """
    if isinstance(left, dict) and isinstance(right, dict):
        for name in dict.fromkeys((*left, *right)):
            yield from differences(left.get(name), right.get(name), f"{path}.{name}" if path else str(name))
    elif isinstance(left, list) and isinstance(right, list):
        for place, (one, other) in enumerate(zip_longest(left, right)):
            yield from differences(one, other, f"{path}.{place}" if path else str(place))
    elif left != right:
        yield path, left, right


def _events(history: HistoryReader, *, business: bool) -> Iterator[tuple[int, Event]]:
    if not business:
        yield from enumerate(history, start=1)
        return
    for number, event in history.of_kind("tx"):
        yield number, event | {"w": [_business(write) for write in event["w"]]}


def _business(write: list[Any]) -> list[Any]:
    """Return a write without what a chain makes: hashes, heights and gas."""
    plain = [
        {name: value for name, value in part.items() if name not in CHAIN_MADE}
        if isinstance(part, dict)
        else part
        for part in write
    ]
    if write[1] == keys.SETTLEMENTS:
        # a deposit's marker is named by its block and log: one of many names for one deposit
        for place, part in enumerate(plain):
            if isinstance(part, dict) and str(part.get("PK", "")).startswith(MARKERS):
                plain[place] = part | {"PK": part["PK"].partition("#")[0]}
            elif isinstance(part, str) and part.startswith(MARKERS):
                plain[place] = part.partition("#")[0]
    return plain


def _rows(left: Run, right: Run) -> list[Row]:
    one, other = left.record, right.record
    rows = [
        Row(name.replace("_", " "), str(getattr(one, name)), str(getattr(other, name)))
        for name in (
            "scenario",
            "seed",
            "backend",
            "chain",
            "ingress",
            "interleaving",
            "signatures",
            "commit",
        )
    ]
    rows.append(Row("verdict", one.verdict, other.verdict))
    rows += [
        Row(name.replace("_", " "), *(_count(name, record.counts) for record in (one, other)))
        for name in dict.fromkeys((*one.counts, *other.counts))
    ]
    for hop in dict.fromkeys((*one.latency_ms, *other.latency_ms)):
        for q in ("p50", "p95", "p99"):
            both = [
                f"{getattr(record.latency_ms[hop], q):.3f} ms" if hop in record.latency_ms else "none"
                for record in (one, other)
            ]
            rows.append(Row(f"{hop.replace('_', ' ')} {q}", *both))
    rows.append(Row("business digest", one.business_digest, other.business_digest))
    rows.append(Row("digest", one.digest, other.digest))
    return rows


def _count(name: str, counts: dict[str, int]) -> str:
    return counted(name, counts[name]) if name in counts else "none"
