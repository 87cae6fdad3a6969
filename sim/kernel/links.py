"""How long things take: a sampler per hop, and which hop a function's work is part of."""

from __future__ import annotations

from collections.abc import Mapping

from sim.kernel.dice import Delay, Dice, LognormalDelay

WORK = {
    "api": "api -> store",
    "websocket": "api -> store",
    "matcher": "matcher -> store",
    "settle": "settlement -> chain",
    "settle_watch": "settlement -> chain",
}
"""In `atomic` interleaving an invocation takes as long as this hop; every other function takes no time."""

ROOMS = {
    "api": "api",
    "websocket": "api",
    "matcher": "matcher",
    "fan_out": "fan_out",
    "settle": "settlement",
    "settle_watch": "settlement",
}
"""Which room a function belongs to; every other one is a job."""

PLACES = {
    "store": "store",
    "queue": "commands",
    "topic": "updates",
    "sockets": "sockets",
    "lake": "lake",
    "oracle": "oracle",
    "chain": "chain",
}
"""Where the calls of a port go."""


class Links:
    """Samplers by hop name; each hop has dice of its own, so one more hop shifts no other's draws."""

    def __init__(self, dice: Dice, delays: Mapping[str, Delay]) -> None:
        self.dice = dice
        self._delays = delays
        self._samplers: dict[str, LognormalDelay] = {}

    def names(self) -> list[str]:
        """Return every hop's name."""
        return list(self._delays)

    def __getitem__(self, name: str) -> LognormalDelay:
        """Return the sampler of a hop; `work of NAME` is the time that function NAME takes."""
        sampler = self._samplers.get(name)
        if sampler is None:
            delay = self._delay(name)
            sampler = LognormalDelay(delay.median_ns, delay.p99_ns, self.dice.named("link", name))
            self._samplers[name] = sampler
        return sampler

    def hop(self, name: str) -> str:
        """Return the hop that a sampler belongs to, "" for work that takes no time."""
        function = name.removeprefix("work of ")
        return name if function == name else WORK.get(function, "")

    def _delay(self, name: str) -> Delay:
        hop = self.hop(name)
        return self._delays[hop] if hop else Delay(0, 0)


def hop_of(function: str, call: str, links: Links) -> str:
    """Return the hop that a port call of a function takes: its room's, else the jobs', else the first there.

    >>> hop_of("matcher", "store.transact", Links(Dice(0), {"matcher -> store": Delay(0, 0)}))
    'matcher -> store'
    """
    place = PLACES[call.partition(".")[0]]
    wanted = [f"{room} -> {place}" for room in (ROOMS.get(function, "jobs"), "jobs")]
    there = [hop for hop in links.names() if hop.endswith(f" -> {place}")]
    return next(hop for hop in (*wanted, *there) if hop in there)
