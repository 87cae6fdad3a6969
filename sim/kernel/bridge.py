"""Lets unchanged synchronous handlers interleave: `interleaving: ports`.

Each invocation runs in a greenlet and stands still at its port calls, and only there; a port call
takes effect at the end of its delay. Between two port calls an invocation is alone in the world, so
what two handlers can do to each other is decided by the delays, and those by the seed.

Concurrency is Lambda's: an invocation has an instance of its own, a warm one where one is idle, else
a new one that starts cold. A FIFO group has one batch in flight because the queue says so, a shard of
a stream because its reader waits; the API, the topic and the schedules wait for nobody.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from greenlet import GreenletExit, getcurrent, greenlet

from sim.kernel.backend import Backend
from sim.kernel.cloud import Function, Outside
from sim.kernel.dice import LognormalDelay
from sim.kernel.disturbed import Died, DisturbedCloud, DisturbedDoor, Pool
from sim.kernel.door import OnResponse
from sim.kernel.history import HistoryWriter
from sim.kernel.instances import Crash, Instance
from sim.kernel.interference import SINGLE, Around, Interference
from sim.kernel.links import Links, hop_of
from sim.kernel.observed import ObservedQueue
from sim.kernel.plumbing import Event, Failed, Finish
from sim.kernel.template.stack import Template
from sim.kernel.timeline import Timeline
from system.model.errors import PortError, Unavailable
from system.model.units import NS
from system.ports.queue import Queue

COLD = "cold -> warm"
"""The hop that stands for an instance's start."""


class SuspendedInstance(Instance):
    """An instance whose handler stands still at port calls.

    Attributes:
        turn: counts its stops; a wake-up for an earlier stop is void.
        deadline_ns: when Lambda ends the invocation (ns since start).
    """

    __slots__ = ("deadline_ns", "delays", "event", "finish", "greenlet", "timeline", "turn")

    def __init__(
        self,
        function: str,
        number: int,
        arounds: Mapping[str, tuple[Around, ...]],
        delays: Mapping[str, LognormalDelay],
        timeline: Timeline,
    ) -> None:
        super().__init__(function, number, arounds)
        self.delays = delays
        self.timeline = timeline
        self.turn = 0
        self.deadline_ns = 0
        self.greenlet: greenlet | None = None
        self.event: Event = {}
        self.finish: Finish = _nobody

    def begin(self, event: Event, timeout_ns: int, finish: Finish) -> None:
        """Start the handler; `finish` gets its result, or a Failed, outside of the greenlet."""
        if self.dead:  # while it started
            finish(Failed(Died(self.function, self.number, "it died while it started")))
            return
        self.event, self.finish = event, finish
        self.deadline_ns = self.timeline.elapsed_ns + timeout_ns
        self.greenlet = greenlet(self._serve)
        self._went(self.greenlet.switch())

    def _serve(self) -> Any:
        """Run the handler. A failed port and a crash are results; a defect ends the run."""
        try:
            return self.handler(self.event, None)
        except PortError as error:
            return Failed(error)
        except Crash as crash:
            return Failed(Died(*crash.args))

    def _went(self, result: Any) -> None:
        """Look whether the handler has ended or only stands still."""
        assert self.greenlet is not None
        if self.greenlet.dead:
            self.greenlet = None
            self.turn += 1
            self.finish(result)

    def _resume(self, turn: int) -> None:
        if turn == self.turn and self.greenlet is not None:
            self._went(self.greenlet.switch())

    def pause(self, name: str) -> None:
        delay_ns = self.delays[name].draw()
        if delay_ns:
            self.sleep(delay_ns)

    def sleep(self, delay_ns: int) -> None:
        if self.greenlet is None:  # the harness itself calls
            return
        left_ns = self.deadline_ns - self.timeline.elapsed_ns
        self._stand_still(min(delay_ns, left_ns))
        if delay_ns >= left_ns:
            raise self.crash("it timed out")

    def _stand_still(self, delay_ns: int) -> None:
        assert self.greenlet is not None
        self.turn += 1
        self.timeline.after(delay_ns, self._resume, self.turn)
        assert self.greenlet.parent is not None
        self.greenlet.parent.switch()

    def kill(self, why: str) -> None:
        """Die from outside, in the middle of a port call; it has no effect."""
        crash = self.crash(why)
        if self.greenlet is not None:
            assert getcurrent() is self.greenlet.parent, "an instance is killed by another one's handler"
            self._went(self.greenlet.throw(crash))

    def abandon(self) -> None:
        """Leave the handler where it stands: the world ends."""
        self.dead = True
        if self.greenlet is not None:
            self.greenlet.throw(GreenletExit)
            self.greenlet = None


class BridgedCloud(DisturbedCloud):
    """Functions, streams, queues, topic, sockets and schedules of a run in which invocations overlap."""

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
        self._timeouts_ns = {each.name: each.timeout_s * NS for each in template.functions()}
        self._arrivals: dict[str, int] = {}  # by connection: when its newest message arrives
        super().__init__(template, backend, timeline, history, links, outside, interference)

    def _function(self, name: str) -> Function:
        # the time of an invocation is that of its port calls
        work = LognormalDelay(0, 0, self.links.dice.named("link", "no work of " + name))
        pool = Pool(name, work, partial(self._instance, name), self.timeline)
        self.pools[name] = pool
        return pool

    def commands(self, _by: str) -> Queue:
        return ObservedQueue(self.backend.queue, self.wake_commands)  # the call itself takes its hop's time

    def _instance(self, name: str, number: int) -> Instance:
        delays = {call: self.links[hop_of(name, call, self.links)] for call in SINGLE}
        arounds = self.interference.arounds(name)
        return self._equipped(SuspendedInstance(name, number, arounds, delays, self.timeline))

    def begin(self, pool: Pool, event: Event, finish: Finish) -> None:
        """Give an event to an instance of its own."""
        self.in_flight += 1
        instance, cold = pool.take()
        assert isinstance(instance, SuspendedInstance)

        def done(result: Any) -> None:
            self.in_flight -= 1
            pool.give_back(instance)
            finish(result)

        timeout_ns = self._timeouts_ns[pool.name]
        if cold:
            self.timeline.after(self.links[COLD].draw(), instance.begin, event, timeout_ns, done)
        else:
            instance.begin(event, timeout_ns, done)

    def invoke(self, function: Function, event: Event, finish: Finish) -> None:
        pool = self.pools[function.name]
        wait_ns = pool.not_before_ns - self.timeline.elapsed_ns
        if wait_ns > 0:
            self.later(wait_ns, self.invoke, function, event, finish)
            return
        began_ns = self.timeline.elapsed_ns
        records = event.get("Records")
        count = len(records) if records is not None else 1

        def done(result: Any) -> None:
            now_ns = self.timeline.elapsed_ns
            ok = not isinstance(result, Failed)
            line = {
                "t": now_ns,
                "e": "invoke",
                "by": pool.name,
                "n": count,
                "dur": now_ns - began_ns,
                "ok": ok,
            }
            self.history.add(line)
            finish(result)

        self.begin(pool, event, done)

    def _kill(self, busy: list[Instance], why: str) -> None:
        for instance in busy:
            assert isinstance(instance, SuspendedInstance)
            instance.kill(why)

    def post(self, connection_id: str, data: bytes) -> bool:
        on_message = self.sockets.get(connection_id)
        if on_message is None:
            return False
        # one connection is one TCP stream: nothing overtakes in it
        arrives_ns = self.timeline.elapsed_ns + self.links["fan_out -> client"].draw()
        arrives_ns = max(arrives_ns, self._arrivals.get(connection_id, 0))
        self._arrivals[connection_id] = arrives_ns
        self.timeline.after(arrives_ns - self.timeline.elapsed_ns, self._to_one_client, on_message, data)
        return True

    def close(self) -> None:
        for pool in self.pools.values():
            for instance in list(pool.living.values()):
                assert isinstance(instance, SuspendedInstance)
                instance.abandon()


class BridgedDoor(DisturbedDoor):
    """The public door: every request has an API instance of its own."""

    def __init__(self, cloud: BridgedCloud) -> None:
        super().__init__(cloud)
        self.bridged = cloud

    def _serve(self, event: Event, on_response: OnResponse | None, who: str, took_ns: int) -> None:
        cloud = self.bridged
        cloud.in_flight -= 1
        pool = cloud.pools[self._api.name]
        reply = partial(self._reply, on_response, who, cloud.timeline.elapsed_ns - took_ns)
        if pool.not_before_ns > cloud.timeline.elapsed_ns:
            reply(Failed(Unavailable(f"{pool.name}: no instance starts")))
        else:
            cloud.begin(pool, event, reply)

    def _reply(self, on_response: OnResponse | None, who: str, sent_ns: int, said: Any) -> None:
        self._answer(on_response, who, self.cloud.timeline.elapsed_ns - sent_ns, said)


def _nobody(_result: Any) -> None:
    raise AssertionError("a handler ended that nobody had started")
