"""AWS between the functions, played in virtual time: streams, the pipe, queues, schedules.

What a message says and where it waits is the backend's business (memory or moto); here is only
when somebody looks, and what happens to what was found. Everything is wired from the template.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from operator import getitem
from typing import Any, Protocol

import orjson

from sim.kernel.backend import Backend
from sim.kernel.dice import LognormalDelay
from sim.kernel.timeline import Timeline

Event = dict[str, Any]
Finish = Callable[[Any], None]
Invoke = Callable[[Event, Finish], None]
"""Start a function with an event; `Finish` gets its result, or a Failed."""

INSERT = "INSERT"


class Failed:
    """What an invocation returns when its handler raised a PortError."""

    __slots__ = ("error",)

    def __init__(self, error: Exception) -> None:
        self.error = error


class Part(Protocol):
    """A piece of plumbing that the drain asks whether it still has work."""

    name: str

    def idle(self) -> bool:
        """Return True when nothing is waiting or under way."""


class StreamReader:
    """One consumer of a table's stream: reads a batch, delivers it, moves its cursor, goes on.

    A batch that fails is delivered again, as the stream's order must hold.
    """

    def __init__(
        self,
        name: str,
        table: str,
        batch: int,
        delay: LognormalDelay,
        window_ns: int,
        timeline: Timeline,
        backend: Backend,
        deliver: Invoke,
    ) -> None:
        self.name = name
        self.table = table
        self.batch = batch
        self.delay = delay
        self.window_ns = window_ns
        self.timeline = timeline
        self.backend = backend
        self.deliver = deliver
        self._awake = False
        self._again = False  # something was written since the last read

    def idle(self) -> bool:
        return not self._awake

    def wake(self) -> None:
        """There is a new row in the table."""
        self._again = True
        if not self._awake:
            self._awake = True
            self.timeline.after(self.delay.draw() + self.window_ns, self._read)

    def _read(self) -> None:
        self._again = False
        records = self.backend.read_stream(self.table, self.name, self.batch, INSERT)
        if not records:
            self._awake = False
            return
        count = len(records)

        def finish(result: Any) -> None:
            if isinstance(result, Failed):
                self.timeline.after(self.delay.draw(), self._read)
                return
            self.backend.advance_stream(self.table, self.name, count)
            if count == self.batch:
                # not called directly: a long backlog would nest as deep as it is long
                self.timeline.after(0, self._read)
                return
            self._awake = False
            if self._again:
                self.wake()

        self.deliver({"Records": records}, finish)


class QueueReader:
    """The event source mapping of a queue: long polls, invokes, deletes what was done.

    Several invocations may be under way, never two of one FIFO group: the queue itself holds a
    group back while one of its messages is out.
    """

    def __init__(
        self,
        name: str,
        batch: int,
        visibility_ns: int,
        delay: LognormalDelay,
        timeline: Timeline,
        backend: Backend,
        invoke: Invoke,
    ) -> None:
        self.name = name
        self.batch = batch
        self.visibility_ns = visibility_ns
        self.delay = delay
        self.timeline = timeline
        self.backend = backend
        self.invoke = invoke
        self._polling = False
        self._out = 0
        self._waiting = 0  # batches with messages that will come back

    def idle(self) -> bool:
        return not self._polling and self._out == 0 and self._waiting == 0

    def wake(self) -> None:
        """There may be a message."""
        if not self._polling:
            self._polling = True
            self.timeline.after(self.delay.draw(), self._poll)

    def _come_back(self) -> None:
        self._waiting -= 1
        self.wake()

    def _poll(self) -> None:
        self._polling = False
        records = self.backend.receive(self.name, self.batch, self.visibility_ns)
        if not records:
            return
        self._out += 1
        if len(records) == self.batch:
            self.wake()

        def finish(result: Any) -> None:
            self._out -= 1
            if isinstance(result, Failed):
                failed = {record["messageId"] for record in records}
            else:
                failures = (result or {}).get("batchItemFailures", ())
                failed = {failure["itemIdentifier"] for failure in failures}
            for record in records:
                if record["messageId"] not in failed:
                    self.backend.delete(self.name, record["receiptHandle"])
            if failed:
                # as on AWS, they stay out until their visibility timeout, and so does their group
                self._waiting += 1
                self.timeline.after(self.visibility_ns, self._come_back)
            self.wake()

        self.invoke({"Records": records}, finish)


class Pipe:
    """EventBridge Pipe: stream records into the FIFO queue; group and dedup id by JSON path."""

    def __init__(
        self,
        send: Callable[[str, str, str], None],
        wake: Callable[[], None],
        group_path: str,
        dedup_path: str,
        delay: LognormalDelay,
        timeline: Timeline,
    ) -> None:
        self.send = send
        self.wake = wake  # the queue's reader
        self.group_path = steps_of(group_path)
        self.dedup_path = steps_of(dedup_path)
        self.delay = delay
        self.timeline = timeline

    def deliver(self, event: Event, finish: Finish) -> None:
        """Carry one batch over."""
        self.timeline.after(self.delay.draw(), self._carry, event, finish)

    def _carry(self, event: Event, finish: Finish) -> None:
        for record in event["Records"]:
            body = orjson.dumps(record).decode()
            self.send(
                body, reduce(getitem, self.group_path, record), reduce(getitem, self.dedup_path, record)
            )
        self.wake()
        finish(None)


def at_path(record: Any, path: str) -> Any:
    """Return what a pipe's JSON path (`$.dynamodb.NewImage.uuid.S`) leads to."""
    return reduce(getitem, steps_of(path), record)


def steps_of(path: str) -> tuple[str, ...]:
    """Return the steps of a pipe's JSON path."""
    return tuple(path.removeprefix("$.").split("."))
