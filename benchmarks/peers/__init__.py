"""Other simulators on the same workload; each file says what its simulator does and leaves out.

All of them have a book and agents. None has a door, signatures, pre-payment, a ledger, queues,
commits, news, an archive, settlement, a history or invariants: they are here as a scale, not as rivals.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Protocol, cast

from benchmarks.workload import Workload
from benchmarks.yardstick import Tally

MODULES = {"PAMS": "pams_market", "bourse": "bourse_market", "mesa": "mesa_model"}
"""By the name that people know."""


class Peer(Protocol):
    """A module of this package."""

    PACKAGE: str
    DOES: str
    LACKS: str

    def prepare(self, work: Workload) -> Callable[[], Tally]:
        """Build everything and return the call that is to be measured."""


def load_peer(name: str) -> Peer:
    """Return a peer's module. Raises ImportError when it is not installed."""
    return cast(Peer, import_module(f"benchmarks.peers.{MODULES[name]}"))


def installed(name: str) -> str:
    """Return the version of a peer that is installed, "" when none is."""
    try:
        return version(name.lower())
    except PackageNotFoundError:
        return ""
