"""Lets a world's time pass step by step, keeps what its agents say, and says it again in their place.

A world can go on without its agents when a journal has every word of theirs, each at its exact place among
the timeline's calls (sim/snapshot.py).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from sim.client.desk import Door
from sim.kernel.bridge import BridgedCloud, SuspendedInstance
from sim.kernel.timeline import Timeline
from sim.world.build import World


class Said(NamedTuple):
    """What an agent asked of the door: which method, with what, and whether it waits for an answer.

    `calls` is how many plain calls of the timeline came before it: its exact place among them.
    """

    calls: int
    t_ns: int
    method: str
    args: tuple[Any, ...]
    heard: bool


class Journal:
    """The door of every desk, which also writes down what goes through (sim.client.desk.Door)."""

    def __init__(self, player: Player) -> None:
        self.door: Door = player.world.door
        self.player = player
        self.now_ns = self.door.now_ns
        self.sleep = self.door.sleep
        self.signal = self.door.signal
        self.said: list[Said] = []
        for desk in player.world.desks:
            desk.door = self

    def _note(self, method: str, *args: Any, heard: bool = False) -> None:
        player = self.player
        assert not player.calling, f"{method}: an agent acts while the world does; its place is not kept"
        player.words += 1
        self.said.append(Said(player.calls, player.timeline.elapsed_ns, method, args, heard))

    def request(self, event: dict[str, Any], on_response: Callable[[dict[str, Any]], None] | None) -> None:
        self._note("request", event, heard=on_response is not None)
        self.door.request(event, on_response)

    def hole(self, who: str, channel: str, numbers: list[int], new: bool) -> None:
        self._note("hole", who, channel, numbers, new)
        self.door.hole(who, channel, numbers, new)

    def healed(self, who: str, channel: str) -> None:
        self._note("healed", who, channel)
        self.door.healed(who, channel)

    def connect(self, connection_id: str, on_message: Callable[[bytes], None]) -> None:
        self._note("connect", connection_id, heard=True)
        self.door.connect(connection_id, on_message)

    def say(self, connection_id: str, body: str) -> None:
        self._note("say", connection_id, body)
        self.door.say(connection_id, body)


class Player:
    """Lets a world's time pass as its timeline does, and counts; a journal stands in for its agents.

    Attributes:
        calls: how many plain calls the timeline has made.
        words: how many things agents have said.
        calling: a plain call is under way.
    """

    def __init__(self, world: World, calls: int = 0, words: int = 0, said: Iterable[Said] = ()) -> None:
        self.world = world
        self.timeline: Timeline = world.timeline
        self.calls = calls
        self.words = words
        self.calling = False
        self.coming = deque(said)

    def run_until(self, elapsed_ns: int) -> None:
        """Play everything before this instant, and stand there: `Timeline.run_until`, with a journal."""
        timeline = self.timeline
        while True:
            self._say(elapsed_ns)
            next_ns = timeline.next_ns()
            if next_ns is None or next_ns >= elapsed_ns:
                break
            self.calling = timeline.calls_next()
            self.calls += self.calling
            timeline.step()
            self.calling = False
        timeline.stand(elapsed_ns)

    def _say(self, before_ns: int) -> None:
        """Send what agents sent at this place."""
        coming = self.coming
        while coming and coming[0].calls == self.calls and coming[0].t_ns < before_ns:
            each = coming.popleft()
            self.words += 1
            self.timeline.stand(each.t_ns)
            call = getattr(self.world.door, each.method)
            if each.method == "request":
                call(*each.args, _deaf if each.heard else None)
            else:
                call(*each.args, *((_deaf,) if each.heard else ()))

    @property
    def quiet(self) -> bool:
        """Tell whether no handler stands still in the middle of its work; its stack would not pickle."""
        cloud = self.world.cloud
        if not isinstance(cloud, BridgedCloud):
            return True
        return all(
            isinstance(each, SuspendedInstance) and each.greenlet is None
            for pool in cloud.pools.values()
            for each in pool.living.values()
        )

    def step_to_quiet(self, before_ns: int) -> bool:
        """Play on, instant by instant, until a snapshot is possible; tell whether one is."""
        while not self.quiet:
            next_ns = self.timeline.next_ns()
            if next_ns is None or next_ns + 1 >= before_ns:
                return False
            self.run_until(next_ns + 1)
        return True


def _deaf(_said: Any) -> None:
    """Nobody hears the answer any more; what was done with it is in the journal."""
