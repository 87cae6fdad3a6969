"""The cloud in which faults can happen: instances that die, hops with something on them, crossed ports.

Without any fault it makes the same history as the plain `Cloud`, line for line; it is only slower.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec
import orjson

from sim.kernel.backend import Backend
from sim.kernel.cloud import Cloud, Function, OnMessage, Outside, unheard
from sim.kernel.door import Door, OnResponse
from sim.kernel.history import HistoryWriter
from sim.kernel.instances import Crash, Instance, crossed
from sim.kernel.interference import Interference
from sim.kernel.links import Links
from sim.kernel.plumbing import Event, Failed, Finish, Invoke
from sim.kernel.template.stack import Template
from sim.kernel.timeline import Timeline
from system.model import keys
from system.model.errors import Unavailable
from system.model.units import NS
from system.ports.store import query_all
from system.wiring import System

RETRIES_NS = (60 * NS, 120 * NS)
"""Before each retry of an asynchronous invocation. Source: AWS Lambda guide, error handling."""


class Died(Unavailable):
    """The instance crashed while it served: (function, number, why); nobody knows how far it came."""


class Pool(Function):
    """A function with instances: each invocation gets one of its own, a warm one where there is one."""

    __slots__ = ("idle", "living", "made", "make", "not_before_ns", "timeline")

    def __init__(self, name: str, delay: Any, make: Any, timeline: Timeline) -> None:
        super().__init__(name, self.serve, delay)
        self.make = make
        self.timeline = timeline
        self.idle: list[Instance] = []
        self.living: dict[int, Instance] = {}
        self.made = 0
        self.not_before_ns = 0  # no invocation begins before this instant (ns since start)

    def take(self) -> tuple[Instance, bool]:
        """Return an instance that serves nobody, and whether it had to be started."""
        if self.idle:
            return self.idle.pop(), False
        instance: Instance = self.make(self.made)
        self.living[instance.number] = instance
        self.made += 1
        return instance, True

    def give_back(self, instance: Instance) -> None:
        """Keep an instance for the next invocation, unless it died."""
        if instance.dead:
            self.living.pop(instance.number, None)
        else:
            self.idle.append(instance)

    def serve(self, event: Event, context: Any) -> Any:
        """Run the handler at this instant."""
        if self.not_before_ns > self.timeline.elapsed_ns:
            raise Unavailable(f"{self.name}: no instance starts")
        instance, _ = self.take()
        try:
            return instance.handler(event, context)
        except Crash as crash:
            raise Died(*crash.args) from None
        finally:
            self.give_back(instance)

    def drop_idle(self) -> int:
        """Forget the instances that serve nobody, with their memory; return how many."""
        dropped = len(self.idle)
        for instance in self.idle:
            instance.dead = True
            del self.living[instance.number]
        self.idle.clear()
        return dropped


class DisturbedCloud(Cloud):
    """Functions, streams, queues, topic, sockets and schedules of a run in which faults can happen."""

    def __init__(
        self,
        template: Template,
        backend: Backend,
        timeline: Timeline,
        history: HistoryWriter,
        links: Links,
        outside: Outside,
        interference: Interference,
    ) -> None:
        self.interference = interference
        self.pools: dict[str, Pool] = {}
        super().__init__(template, backend, timeline, history, links, outside)
        self._to_fan_out = self.road("updates -> fan_out", self._tell_once)
        self._to_job = self.road("schedule -> job", self._start_job)
        self._to_client = self.road("fan_out -> client", _hand_one_over)

    def road(self, hop: str, carry: Invoke) -> Invoke:
        return self.interference.road(hop, carry)

    # functions and their instances

    def _function(self, name: str) -> Function:
        pool = Pool(name, self.links["work of " + name], partial(self._instance, name), self.timeline)
        self.pools[name] = pool
        return pool

    def _instance(self, name: str, number: int) -> Instance:
        instance = Instance(name, number, self.interference.arounds(name))
        return self._equipped(instance)

    def _equipped(self, instance: Instance) -> Instance:
        """Give an instance a System of its own behind crossed ports."""
        name, number = instance.function, instance.number
        ports = self.system(name).ports
        if number:
            ids = self.outside.make_ids(f"{name}/{number}")
            ports = msgspec.structs.replace(ports, ids=ids)
        system = System(crossed(ports, instance, self.interference), self.outside.config)
        instance.handler = getattr(system, name)
        return instance

    def call(self, name: str, event: Event) -> Any:
        pool = self.pools[name]
        instance, _ = pool.take()
        instance.free = True
        try:
            return instance.handler(event, None)
        finally:
            instance.free = False
            pool.give_back(instance)

    def crash(self, name: str, down_ns: int, why: str) -> int:
        """Let all instances of a function die; return how many. None starts for `down_ns`."""
        pool = self.pools[name]
        self.keep_down(name, down_ns)
        self._kill([each for each in pool.living.values() if each not in pool.idle], why)
        return pool.drop_idle()

    def _kill(self, busy: list[Instance], _why: str) -> None:
        """Kill instances in the middle of their work; where invocations are atomic there are none."""
        assert not busy

    def keep_down(self, name: str, down_ns: int) -> None:
        """Let no instance of a function start for this long."""
        pool = self.pools[name]
        pool.not_before_ns = max(pool.not_before_ns, self.timeline.elapsed_ns + down_ns)

    def invoke(self, function: Function, event: Event, finish: Finish) -> None:
        wait_ns = self.pools[function.name].not_before_ns - self.timeline.elapsed_ns
        if wait_ns > 0:
            self.later(wait_ns, self.invoke, function, event, finish)
        else:
            super().invoke(function, event, finish)

    def close(self) -> None:
        """Leave what is under way where it is: the run is over."""

    def later(self, delay_ns: int, call: Any, *args: Any) -> None:
        """Call later, and say until then that something is under way."""
        self.in_flight += 1
        self.timeline.after(delay_ns, self._now, call, *args)

    def _now(self, call: Any, *args: Any) -> None:
        self.in_flight -= 1
        call(*args)

    # asynchronous invocations: topic, schedules, sockets

    def tell(self, function: Function, event: Event) -> None:
        self._to_fan_out({"function": function, "event": event}, unheard)

    def _tell_once(self, news: Event, _finish: Finish) -> None:
        self._attempt(news["function"], news["event"], 0)

    def _start_scheduled(self, schedule: Any, event: Event) -> None:
        self._to_job({"schedule": schedule, "event": event}, unheard)

    def _start_job(self, due: Event, _finish: Finish) -> None:
        schedule, event = due["schedule"], due["event"]
        if schedule.function:
            self._attempt(self.functions[schedule.function], event, 0)
        else:
            super()._start_scheduled(schedule, event)

    def _attempt(self, function: Function, event: Event, number: int) -> None:
        """Invoke asynchronously: what fails is tried twice more, and then given up."""

        def finish(result: Any) -> None:
            if isinstance(result, Failed) and number < len(RETRIES_NS):
                self.later(RETRIES_NS[number], self._attempt, function, event, number + 1)

        self.invoke(function, event, finish)

    def post(self, connection_id: str, data: bytes) -> bool:
        on_message = self.sockets.get(connection_id)
        if on_message is None:
            return False
        self._outbox.append((partial(self._to_one_client, on_message), data))
        return True

    def _to_one_client(self, on_message: OnMessage, data: bytes) -> None:
        self._to_client({"hear": on_message, "data": data}, unheard)


class DisturbedDoor(Door):
    """The public door, with an internet that loses and repeats."""

    def channels_of(self, connection_id: str) -> list[str]:
        """Return what a connection listens to, as its client knows it."""
        pk = keys.connection_pk(connection_id)
        rows = query_all(self.cloud.backend.store, keys.WS_CONNECTIONS, pk)
        return [row["channel"] for row in rows if "channel" in row]

    def come_back(self, connection_id: str, hear: OnMessage, channels: list[str]) -> None:
        """Connect a client again that had lost its socket."""
        self.connect(connection_id, hear)
        self.say(connection_id, orjson.dumps({"action": "subscribe", "channels": channels}).decode())

    def __init__(self, cloud: DisturbedCloud) -> None:
        super().__init__(cloud)
        self._out = cloud.road("client -> api", self._arrive)
        self._home = cloud.road("api -> client", _come_home)

    def request(self, event: Event, on_response: OnResponse | None) -> None:
        self._out(event, unheard if on_response is None else partial(self._respond, on_response))

    def _arrive(self, event: Event, finish: Finish) -> None:
        super().request(event, None if finish is unheard else finish)

    def _respond(self, on_response: OnResponse, response: Any) -> None:
        self._home(response, on_response)


def _come_home(response: Event, finish: Finish) -> None:
    finish(response)


def _hand_one_over(news: Event, _finish: Finish) -> None:
    news["hear"](news["data"])
