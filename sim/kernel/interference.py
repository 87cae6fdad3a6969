"""Where faults take hold of a run: port calls, hops, delays, clocks. Nothing here knows any fault.

A run without faults has none of this in its way: `Cloud` asks only while it is built.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple, Protocol

from sim.kernel.dice import Delay, Dice, LognormalDelay
from sim.kernel.links import Links
from sim.kernel.plumbing import Event, Finish, Invoke

PORT_CALLS: Mapping[str, tuple[str, ...]] = {
    "store": ("get", "get_many", "query", "write", "count", "transact"),
    "queue": ("send",),
    "topic": ("publish",),
    "sockets": ("post",),
    "lake": ("put", "get", "list"),
    "oracle": ("latest",),
    "chain": (
        *("block_number", "operator", "next_nonce", "settled_head", "fees", "preflight", "prepare_batch"),
        *("preflight_withdrawal", "prepare_withdrawal", "send", "receipt", "deposits", "exits"),
        *("ending", "sizes", "prepare_ending", "prepare_claims"),
    ),
}
"""Every call by which the system reaches the outside, by port; clock and ids are no outside."""

TOGETHER: Mapping[str, tuple[str, ...]] = {
    "store.commit": ("store.write", "store.count", "store.transact"),
    "store.read": ("store.get", "store.get_many", "store.query"),
    **{f"{port}.*": tuple(f"{port}.{call}" for call in calls) for port, calls in PORT_CALLS.items()},
}
"""Names that stand for several calls."""

SINGLE = tuple(f"{port}.{call}" for port, calls in PORT_CALLS.items() for call in calls)


def calls_named(name: str) -> tuple[str, ...]:
    """Return the port calls that a name stands for, none when nothing is called so.

    >>> calls_named("store.commit")
    ('store.write', 'store.count', 'store.transact')
    """
    return TOGETHER.get(name, (name,) if name in SINGLE else ())


class Caller(Protocol):
    """An instance of a function (sim/kernel/instances.py), as faults see it."""

    function: str
    number: int

    def crash(self, why: str) -> BaseException:
        """Die, and return what to raise."""

    def sleep(self, delay_ns: int) -> None:
        """Let this much time pass, where time can."""


class Crossing(NamedTuple):
    """One port call on its way: who calls, what, and with which arguments."""

    instance: Caller
    name: str
    args: tuple[Any, ...]
    how: Mapping[str, Any]


Proceed = Callable[[], Any]
Around = Callable[[Crossing, Proceed], Any]
"""Stands around a port call: raises before `proceed()`, answers instead of it, or acts after it."""

Detour = Callable[[Event, Finish, Invoke], None]
"""Stands on a hop: hands the event on (the third argument) once, twice, later, or never."""

Shift = Callable[[int], int]
"""Turns a drawn delay (ns) into the one that happens."""

Offset = Callable[[], int]
"""How far an instance's clock is ahead of the timeline now, ns."""

EVERY = "*"
"""In place of a function's name: all of them."""


class Interference:
    """All that stands in the way of a run, by the place where it stands; filled before the cloud is built."""

    def __init__(self) -> None:
        self._arounds: dict[tuple[str, str], list[Around]] = {}
        self._detours: dict[str, list[Detour]] = {}
        self._shifts: dict[str, list[Shift]] = {}
        self._offsets: dict[str, list[Offset]] = {}

    def on_call(self, function: str, name: str, around: Around) -> None:
        """Stand around a port call of a function (`*` for every function), by a name of `calls_named`."""
        for call in calls_named(name):
            self._arounds.setdefault((function, call), []).append(around)

    def on_hop(self, hop: str, detour: Detour) -> None:
        """Stand on a hop that carries messages."""
        self._detours.setdefault(hop, []).append(detour)

    def on_delay(self, hop: str, shift: Shift) -> None:
        """Change every delay drawn for a hop."""
        self._shifts.setdefault(hop, []).append(shift)

    def on_clock(self, function: str, offset: Offset) -> None:
        """Move the clock of a function's instances (`*` for every function)."""
        self._offsets.setdefault(function, []).append(offset)

    def arounds(self, function: str) -> dict[str, tuple[Around, ...]]:
        """Return what stands around the calls of a function, by call, the innermost first."""
        found: dict[str, tuple[Around, ...]] = {}
        for (whose, call), arounds in self._arounds.items():
            if whose in (function, EVERY):
                found[call] = (*arounds, *found.get(call, ()))
        return found

    def offsets(self, function: str) -> tuple[Offset, ...]:
        """Return what moves the clock of a function."""
        return (*self._offsets.get(function, ()), *self._offsets.get(EVERY, ()))

    def road(self, hop: str, carry: Invoke) -> Invoke:
        """Return the way over a hop with all that stands on it; `carry` itself when nothing does."""
        for detour in self._detours.get(hop, ()):
            carry = partial(_by_way_of, detour, carry)
        return carry

    def shifts(self, hop: str) -> tuple[Shift, ...]:
        """Return what changes the delays of a hop."""
        return tuple(self._shifts.get(hop, ()))


def _by_way_of(detour: Detour, carry: Invoke, event: Event, finish: Finish) -> None:
    detour(event, finish, carry)


class ShiftedDelay(LognormalDelay):
    """A link whose draws a fault may change."""

    __slots__ = ("_inner", "_shifts")

    def __init__(self, inner: LognormalDelay, shifts: tuple[Shift, ...]) -> None:
        self._inner = inner
        self._shifts = shifts

    def draw(self) -> int:
        delay_ns = self._inner.draw()
        for shift in self._shifts:
            delay_ns = shift(delay_ns)
        return delay_ns

    @property
    def mean_ns(self) -> int:
        return self._inner.mean_ns


class ShiftedLinks(Links):
    """Links that faults may slow down; the draws underneath are the same as without faults."""

    def __init__(self, dice: Dice, delays: Mapping[str, Delay], interference: Interference) -> None:
        super().__init__(dice, delays)
        self._interference = interference
        self._shifted: dict[str, LognormalDelay] = {}

    def __getitem__(self, name: str) -> LognormalDelay:
        sampler = self._shifted.get(name)
        if sampler is None:
            sampler = super().__getitem__(name)
            if shifts := self._interference.shifts(self.hop(name)):
                sampler = ShiftedDelay(sampler, shifts)
            self._shifted[name] = sampler
        return sampler
