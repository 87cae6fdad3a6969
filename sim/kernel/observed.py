"""Ports as the harness hands them to the system: the backend's own, watched.

Each function of the template has its own set, so that the history can say who did what. Nothing
here changes a call; it is written down, and the plumbing behind it is woken.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import orjson

from sim.kernel.dice import LognormalDelay
from sim.kernel.history import HistoryWriter
from sim.kernel.timeline import Timeline
from system.model.errors import ConditionFailed
from system.model.keys import Key
from system.ports.lake import Lake
from system.ports.queue import Queue, Topic
from system.ports.store import NOT_EXISTS, Action, Delete, Put, Store, Update

Notice = Callable[[], None]


class ObservedStore:
    """Writes each successful write into the history and wakes the readers of a table's stream."""

    def __init__(
        self,
        inner: Store,
        by: str,
        history: HistoryWriter,
        timeline: Timeline,
        on_insert: Mapping[str, Sequence[Notice]],
    ) -> None:
        self.inner = inner
        self.by = by
        self.history = history
        self.timeline = timeline
        self.on_insert = on_insert  # by table: who waits for new rows in its stream
        # reads leave no trace, so they are the inner store's own
        self.get = inner.get
        self.get_many = inner.get_many
        self.query = inner.query

    def write(self, action: Put | Update | Delete) -> None:
        try:
            self.inner.write(action)
        except ConditionFailed as lost:
            self._refused(lost)
            raise
        self._written((action,))

    def count(self, table: str, attribute: str, by: Mapping[Key, int]) -> list[int]:
        sums = self.inner.count(table, attribute, by)
        self._written([Update(table, key, add={attribute: more}) for key, more in by.items()])
        return sums

    def transact(self, actions: Sequence[Action], token: str = "") -> None:
        try:
            self.inner.transact(actions, token)
        except ConditionFailed as lost:
            self._refused(lost)
            raise
        self._written(actions)

    def _written(self, actions: Sequence[Action]) -> None:
        """Write down what was done. A loop in one piece: it sees eight actions per order."""
        writes: list[Sequence[Any]] = []
        notices: list[Notice] = []
        for action in actions:
            if type(action) is Update:
                pk, sk = action.key
                said = ("upd", action.table, pk, sk, action.put, action.add)
                writes.append((*said, action.remove) if action.remove else said)
            elif type(action) is Put:
                table = action.table
                writes.append(("put", table, action.item))
                # only a Put that must not overwrite makes an INSERT record, and nobody waits for others
                if action.when is NOT_EXISTS and table in self.on_insert:
                    notices += self.on_insert[table]
            elif type(action) is Delete:
                pk, sk = action.key
                writes.append(("del", action.table, pk, sk))
        self.history.add({"t": self.timeline.elapsed_ns, "e": "tx", "by": self.by, "w": writes})
        for notice in notices:
            notice()

    def _refused(self, lost: ConditionFailed) -> None:
        event = {"t": self.timeline.elapsed_ns, "e": "refused", "by": self.by, "why": list(lost.reasons)}
        self.history.add(event)


class ObservedQueue:
    """The commands queue; a message wakes its poller."""

    def __init__(self, inner: Queue, wake: Notice) -> None:
        self.inner = inner
        self.wake = wake

    def send(self, body: str, group: str, dedup_id: str) -> None:
        self.inner.send(body, group, dedup_id)
        self.wake()


class UnderWay(Protocol):
    """What counts messages that have left and not arrived."""

    in_flight: int
    timeline: Timeline


class LateQueue:
    """The way to the commands queue of a function whose invocation takes no time: sends arrive later."""

    def __init__(self, inner: Queue, delay: LognormalDelay, world: UnderWay) -> None:
        self.inner = inner
        self.delay = delay
        self.world = world

    def send(self, body: str, group: str, dedup_id: str) -> None:
        self.world.in_flight += 1
        self.world.timeline.after(self.delay.draw(), self._arrive, body, group, dedup_id)

    def _arrive(self, body: str, group: str, dedup_id: str) -> None:
        self.world.in_flight -= 1
        self.inner.send(body, group, dedup_id)


class ObservedTopic:
    """MarketUpdates: the backend's topic, and then the subscribers that the harness plays."""

    def __init__(self, inner: Topic, history: HistoryWriter, timeline: Timeline, deliver: Notice) -> None:
        self.inner = inner
        self.history = history
        self.timeline = timeline
        self.deliver = deliver

    def publish(self, message: str) -> None:
        self.inner.publish(message)
        event = {"t": self.timeline.elapsed_ns, "e": "publish", "m": orjson.Fragment(message)}
        self.history.add(event)
        self.deliver()


class ObservedLake:
    """The lake, with each object's digest in the history."""

    def __init__(self, inner: Lake, history: HistoryWriter, timeline: Timeline) -> None:
        self.inner = inner
        self.history = history
        self.timeline = timeline

    def put(self, key: str, body: bytes) -> None:
        self.inner.put(key, body)
        self.history.add(
            {
                "t": self.timeline.elapsed_ns,
                "e": "lake",
                "key": key,
                "size": len(body),
                "sha256": hashlib.sha256(body).hexdigest(),
            }
        )

    def get(self, key: str) -> bytes | None:
        return self.inner.get(key)

    def list(self, prefix: str) -> list[str]:
        return self.inner.list(prefix)
