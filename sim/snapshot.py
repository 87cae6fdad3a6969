"""A run stopped in its middle, as bytes: the world without its agents.

Agents are generators, and these do not pickle; a journal of their words stands in for them (sim/player.py).
Everything else is as it was, in another process, too: tables, streams, queues, books, dice, faults, what is
under way. Decision: docs/decisions/0062-snapshots-and-a-journal.md.
"""

from __future__ import annotations

import io
import pickle
import sys
import threading
from collections.abc import Callable, Sequence
from heapq import heapify
from typing import Any, TypeVar

import cloudpickle
import orjson
import simpy

from sim.kernel.history import HistoryWriter
from sim.player import Journal, Player, Said
from sim.scenario.schema import Scenario
from sim.world.build import World, paths_of

STACK_BYTES = 512 * 1024 * 1024
DEEPEST = 1_000_000
"""How deep a snapshot may be nested: resting orders are linked, one to the next."""

T = TypeVar("T")


def dump(player: Player) -> bytes:
    """Return the world as it stands, without its agents and its history."""
    return _deeply(lambda: _dump(player))


def load(packed: bytes, scenario: Scenario, history: HistoryWriter, said: Sequence[Said]) -> Player:
    """Return a player of a world that goes on from a snapshot, into `history`, with the journal's words.

    The bytes are Python's pickle: they do what they say, so they must be one's own.
    """
    world, calls, words = _deeply(lambda: _load(packed, scenario, history))
    return Player(world, calls, words, said[words:])


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]  # it has no types
    """Leaves out what is made anew: the history, the prices' paths, the journal; and the agents."""

    def __init__(self, file: io.BytesIO, world: World) -> None:
        super().__init__(file, protocol=5)
        self._anew = {id(path): ("path", asset) for asset, path in world.paths.items()}
        self._anew[id(world.history)] = ("history", "")

    def persistent_id(self, thing: Any) -> tuple[str, str] | None:
        """Return what stands for a thing that is left out."""
        if isinstance(thing, (simpy.Event, Journal)):
            return ("nothing", "")
        return self._anew.get(id(thing))

    def reducer_override(self, thing: Any) -> Any:
        """Return how to make a thing again that does not say so itself."""
        if type(thing) is orjson.Fragment:
            return orjson.Fragment, (orjson.dumps(thing),)
        return super().reducer_override(thing)


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, anew: dict[tuple[str, str], Any]) -> None:
        super().__init__(file)
        self._anew = anew

    def persistent_load(self, pid: Any) -> Any:
        return self._anew[pid]


def _dump(player: Player) -> bytes:
    packed = io.BytesIO()
    _Pickler(packed, player.world).dump((player.world, player.calls, player.words))
    return packed.getvalue()


def _load(packed: bytes, scenario: Scenario, history: HistoryWriter) -> tuple[World, int, int]:
    anew: dict[tuple[str, str], Any] = {("history", ""): history, ("nothing", ""): None}
    anew |= {("path", asset): path for asset, path in paths_of(scenario).items()}
    world, calls, words = _Unpickler(io.BytesIO(packed), anew).load()
    queue = world.timeline.env._queue  # noqa: SLF001
    queue[:] = [entry for entry in queue if entry[3] is not None]
    heapify(queue)
    return world, calls, words


def _deeply(work: Callable[[], T]) -> T:
    """Work with a stack that is deep enough, on a thread of its own."""
    done: list[T] = []
    failed: list[BaseException] = []

    def go() -> None:
        try:
            done.append(work())
        except BaseException as error:  # raised again below
            failed.append(error)

    usual_bytes, usual_depth = threading.stack_size(STACK_BYTES), sys.getrecursionlimit()
    sys.setrecursionlimit(DEEPEST)
    try:
        thread = threading.Thread(target=go)
        thread.start()
        thread.join()
    finally:
        threading.stack_size(usual_bytes)
        sys.setrecursionlimit(usual_depth)
    if failed:
        raise failed[0]
    return done[0]
