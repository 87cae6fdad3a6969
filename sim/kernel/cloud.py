"""Plays AWS around unchanged handlers: every function of the template, and all that starts one.

In `atomic` interleaving an invocation happens at one instant, after the delay that it takes; so
handlers never overlap, and what they wrote is seen by whatever comes later.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson

from sim.kernel.backend import Backend
from sim.kernel.history import HistoryWriter
from sim.kernel.links import Links
from sim.kernel.meter import Meter
from sim.kernel.observed import LateQueue, Notice, ObservedLake, ObservedQueue, ObservedStore, ObservedTopic
from sim.kernel.plumbing import Event, Failed, Finish, Invoke, Pipe, QueueReader, StreamReader
from sim.kernel.template.stack import Template
from sim.kernel.timeline import Timeline
from system.config import Config
from system.model.errors import PortError
from system.model.units import NS
from system.ports.chain import Chain
from system.ports.ids import Ids
from system.ports.oracle import Oracle
from system.ports.queue import Queue
from system.wiring import Ports, System

OnMessage = Callable[[bytes], None]

STREAM_HOPS = {"archive": "stream -> archive", "settle": "stream -> settlement"}
"""How a table's stream reaches each function."""


class Function:
    """One Lambda function: its handler in a System of its own, and how long it takes."""

    __slots__ = ("delay", "handler", "name")

    def __init__(self, name: str, handler: Callable[[Event, Any], Any], delay: Any) -> None:
        self.name = name
        self.handler = handler
        self.delay = delay


class Outside(NamedTuple):
    """What the functions reach beyond AWS, and what they are told."""

    oracle: Oracle
    chain: Chain
    config: Config
    make_ids: Callable[[str], Ids]  # a generator of its own for each function, by its name


class Cloud:
    """Functions, streams, queues, topic, sockets and schedules of one run."""

    def __init__(
        self,
        template: Template,
        backend: Backend,
        timeline: Timeline,
        history: HistoryWriter,
        links: Links,
        outside: Outside,
    ) -> None:
        self.template = template
        self.backend = backend
        self.timeline = timeline
        self.history = history
        self.links = links
        self.outside = outside
        self.sockets: dict[str, OnMessage] = {}
        self._outbox: list[tuple[OnMessage, bytes]] = []
        self._on_insert: dict[str, list[Notice]] = {}
        self._queue_readers: dict[str, QueueReader] = {}
        self.parts: list[StreamReader | QueueReader] = []
        self.functions: dict[str, Function] = {}
        self._subscribers: Sequence[Function] = ()
        self._topic_arn = template.topic
        self._commands_queue = template.commands_queue
        self.in_flight = 0
        self.meter = Meter()
        self._build()

    # what the template says

    def _build(self) -> None:
        template = self.template
        self.functions = {
            function.logical_id: self._function(function.name) for function in template.functions()
        }
        for mapping in template.event_source_mappings():
            self._map(mapping)
        for pipe in template.pipes():
            commands = self._queue_readers[pipe.target_queue]
            carrier = Pipe(
                self.backend.queue.send,
                commands.wake,
                pipe.group_path,
                pipe.dedup_path,
                self.links["pipe -> commands"],
                self.timeline,
            )
            deliver = self.road("pipe -> commands", carrier.deliver)
            self._read_stream(
                pipe.logical_id, pipe.source_table, pipe.batch_size, "stream -> pipe", 0, deliver
            )
        self._subscribers = [self.functions[sub.function] for sub in template.subscriptions()]

    def _map(self, mapping: Any) -> None:
        function = self.functions[mapping.function]

        def invoke(event: Event, finish: Finish) -> None:
            self.invoke(function, event, finish)

        if mapping.source_table:
            self._read_stream(
                mapping.logical_id,
                mapping.source_table,
                mapping.batch_size,
                STREAM_HOPS.get(function.name, "stream -> archive"),
                mapping.window_s * NS,
                invoke,
            )
            return
        reader = QueueReader(
            mapping.source_queue,
            mapping.batch_size,
            mapping.visibility_s * NS,
            self.links["commands -> matcher"],
            self.timeline,
            self.backend,
            self.road("commands -> matcher", invoke),
        )
        self._queue_readers[mapping.source_queue] = reader
        self.parts.append(reader)

    def _read_stream(
        self,
        name: str,
        table: str,
        batch: int,
        hop: str,
        window_ns: int,
        deliver: Callable[[Event, Finish], None],
    ) -> None:
        carry = self.road(hop, deliver)
        reader = StreamReader(
            name, table, batch, self.links[hop], window_ns, self.timeline, self.backend, carry
        )
        self._on_insert.setdefault(table, []).append(reader.wake)
        self.parts.append(reader)

    def road(self, _hop: str, carry: Invoke) -> Invoke:
        """Return the way over a hop; here nothing stands on it."""
        return carry

    def _function(self, name: str) -> Function:
        """Make a function with ports and memory of its own."""
        return Function(name, getattr(self.system(name), name), self.links["work of " + name])

    def system(self, by: str) -> System:
        """Return a fresh System whose writes the history signs with `by`."""
        backend, history, timeline, outside = self.backend, self.history, self.timeline, self.outside
        ports = Ports(
            clock=timeline,
            ids=outside.make_ids(by),
            store=ObservedStore(backend.store, by, history, timeline, self._on_insert),
            queue=self.commands(by),
            topic=ObservedTopic(backend.topic, history, timeline, self._deliver_news),
            sockets=self,
            lake=ObservedLake(backend.lake, history, timeline),
            oracle=outside.oracle,
            chain=outside.chain,
        )
        return System(ports, outside.config)

    def commands(self, by: str) -> Queue:
        """Return the commands queue as a function reaches it; a send of the door's takes its hop's time."""
        queue = ObservedQueue(self.backend.queue, self.wake_commands)
        return LateQueue(queue, self.links["api -> commands"], self) if by == "api" else queue

    def wake_commands(self) -> None:
        """There may be a message in the commands queue."""
        self._queue_readers[self._commands_queue].wake()

    def start_schedules(self) -> None:
        """Arm every schedule of the template."""
        for schedule in self.template.schedules():
            self._arm(schedule)

    def _arm(self, schedule: Any) -> None:
        due_ns = schedule.next_fire_ns(self.timeline.now_ns())
        self.timeline.after(due_ns - self.timeline.now_ns(), self._fire, schedule, due_ns)

    def _fire(self, schedule: Any, due_ns: int) -> None:
        self._arm(schedule)
        late_ns = self.links["schedule -> job"].draw()
        event = {
            "version": "0",
            "source": "aws.scheduler",
            "detail-type": "Scheduled Event",
            "time": datetime.fromtimestamp(due_ns // NS, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "resources": [schedule.logical_id],
            "detail": {},
        }
        self.timeline.after(late_ns, self._start_scheduled, schedule, event)

    def _start_scheduled(self, schedule: Any, event: Event) -> None:
        if schedule.function:
            self.tell(self.functions[schedule.function], event)
            return
        delay_ns = self.template.queue(schedule.queue).delay_s * NS
        self.timeline.after(delay_ns, self._deliver_delayed, schedule.queue, orjson.dumps(event).decode())

    def _deliver_delayed(self, queue: str, body: str) -> None:
        """DelaySeconds is over: the message becomes visible."""
        self.backend.send(queue, body)
        self._queue_readers[queue].wake()

    # invocations

    def call(self, name: str, event: Event) -> Any:
        """Run a function at this instant, outside of any plumbing: how the harness opens the exchange."""
        return next(each for each in self.functions.values() if each.name == name).handler(event, None)

    def invoke(self, function: Function, event: Event, finish: Finish) -> None:
        """Start a function; its handler runs when its time is over."""
        self.in_flight += 1
        delay_ns = function.delay.draw()
        if delay_ns:
            self.timeline.after(delay_ns, self._run, function, event, finish, delay_ns)
        else:
            self._run(function, event, finish, 0)

    def _run(self, function: Function, event: Event, finish: Finish, delay_ns: int) -> None:
        self.in_flight -= 1
        result = self.run_handler(function, event)
        records = event.get("Records")
        self.history.add(
            {
                "t": self.timeline.elapsed_ns,
                "e": "invoke",
                "by": function.name,
                "n": len(records) if records is not None else 1,
                "dur": delay_ns,
                "ok": not isinstance(result, Failed),
            }
        )
        finish(result)

    def run_handler(self, function: Function, event: Event) -> Any:
        """Run a handler. A failed port fails the invocation, as Lambda would; a defect ends the run."""
        try:
            result = function.handler(event, None)
        except PortError as error:
            result = Failed(error)
        if self._outbox:
            outbox, self._outbox = self._outbox, []
            self.timeline.after(self.links["fan_out -> client"].draw(), _hand_over, outbox)
        return result

    # the topic and the sockets

    def _deliver_news(self) -> None:
        for message in self.backend.published():
            self._notify(message)

    def _notify(self, message: str) -> None:
        for function in self._subscribers:
            event = {
                "Records": [
                    {
                        "EventSource": "aws:sns",
                        "EventVersion": "1.0",
                        "Sns": {"Type": "Notification", "TopicArn": self._topic_arn, "Message": message},
                    }
                ]
            }
            self.timeline.after(self.links["updates -> fan_out"].draw(), self.tell, function, event)

    def tell(self, function: Function, event: Event) -> None:
        """Invoke a function that nobody waits for."""
        self.invoke(function, event, unheard)

    def post(self, connection_id: str, data: bytes) -> bool:
        """API Gateway's post-to-connection (the sockets port)."""
        on_message = self.sockets.get(connection_id)
        if on_message is None:
            return False
        self._outbox.append((on_message, data))
        return True

    def idle(self) -> bool:
        """Return True when no message waits and no function is under way."""
        return self.in_flight == 0 and all(part.idle() for part in self.parts)

    def busy_parts(self) -> list[str]:
        """Name what still has work."""
        return [part.name for part in self.parts if not part.idle()]


def _hand_over(outbox: Sequence[tuple[OnMessage, bytes]]) -> None:
    for on_message, data in outbox:
        on_message(data)


def unheard(_result: Any) -> None:
    """The result of an asynchronous invocation goes nowhere; nobody waits for it."""
