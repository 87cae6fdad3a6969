"""Where one fault stands in the world: what it may reach, when it strikes, and who counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import TYPE_CHECKING, Any

from sim.kernel.dice import Dice
from sim.kernel.disturbed import DisturbedCloud, DisturbedDoor
from sim.kernel.history import HistoryWriter
from sim.kernel.interference import Interference
from sim.kernel.timeline import Timeline
from system.model.units import PPM

if TYPE_CHECKING:
    from sim.faults.base import Fault
    from sim.world.chain_world import ChainWorld
    from sim.world.purse import Purse


class Grounds:
    """What all faults of a run share: the world's parts, and how often each fault has struck.

    Attributes:
        cloud, door: there when time begins, not yet while faults are installed.
        end_ns: when agents stop (ns since start); no fault outlasts it.
        times: by label.
        purses: the traders' keys by name, there when time begins.
        abandoned: the operator has gone for good: nothing of the exchange is awaited any more.
    """

    def __init__(
        self, timeline: Timeline, history: HistoryWriter, dice: Dice, chain: ChainWorld, end_ns: int
    ) -> None:
        self.timeline = timeline
        self.history = history
        self.dice = dice
        self.chain = chain
        self.end_ns = end_ns
        self.interference = Interference()
        self.cloud: DisturbedCloud | None = None
        self.door: DisturbedDoor | None = None
        self.times: dict[str, int] = {}
        self.purses: Mapping[str, Purse] = {}
        self.abandoned = False

    def install(self, faults: tuple[Fault, ...]) -> None:
        """Let every fault take its place; two of one label are told apart by a number."""
        for fault in faults:
            label, number = fault.label, 2
            while label in self.times:
                label, number = f"{fault.label}-{number}", number + 1
            self.times[label] = 0
            fault.install(Site(fault, label, self))

    def close(self) -> None:
        """Leave what is under way where it is."""
        if self.cloud is not None:
            self.cloud.close()


class Site:
    """The place of one fault.

    Attributes:
        dice: the fault's own generator; no other source of chance is allowed.
        from_ns, to_ns: when it may happen (ns since start).
        memory: what this fault remembers in this run; its class is frozen and shared.
    """

    def __init__(self, fault: Fault, label: str, grounds: Grounds) -> None:
        self.label = label
        self.grounds = grounds
        self.timeline = grounds.timeline
        self.interference = grounds.interference
        self.chain = grounds.chain
        self.dice: Random = grounds.dice.named("fault", label)
        self.once = fault.at is not None
        begin, end = fault.during or (fault.at or 0, grounds.end_ns)
        self.from_ns, self.to_ns = begin, min(end, grounds.end_ns)
        self.memory: dict[Any, Any] = {}
        self._share = fault.probability
        self._spent = False

    @property
    def cloud(self) -> DisturbedCloud:
        """The exchange's cloud; not there yet while faults are installed."""
        assert self.grounds.cloud is not None, "a fault reached for the cloud before time began"
        return self.grounds.cloud

    @property
    def door(self) -> DisturbedDoor:
        """The public door; not there yet while faults are installed."""
        assert self.grounds.door is not None, "a fault reached for the door before time began"
        return self.grounds.door

    @property
    def open(self) -> bool:
        """Tell whether its time is now."""
        return self.from_ns <= self.timeline.elapsed_ns < self.to_ns and not self._spent

    def strikes(self, **detail: Any) -> bool:
        """Tell whether it happens at this occasion; if so, it is counted and written down."""
        if not self.open or (self._share < PPM and self.dice.random() * PPM >= self._share):
            return False
        self._spent = self.once
        self.note(**detail)
        return True

    def note(self, **detail: Any) -> None:
        """Count one occurrence and write it into the history."""
        self.grounds.times[self.label] += 1
        event = {"t": self.timeline.elapsed_ns, "e": "fault", "name": self.label, **detail}
        self.grounds.history.add(event)

    def begin(self, call: Callable[[], None]) -> None:
        """Call at the beginning of its time."""
        self._at(self.from_ns, call)

    def end(self, call: Callable[[], None]) -> None:
        """Call at the end of its time: here it heals what does not heal by itself."""
        self._at(self.to_ns, call)

    def _at(self, instant_ns: int, call: Callable[[], None]) -> None:
        self.timeline.after(instant_ns - self.timeline.elapsed_ns, call)
