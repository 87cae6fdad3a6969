"""A world whose clock is the machine's: the parts of a run, and hops that take what they take here."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from sim.kernel.history import HistoryWriter
from sim.scenario.links import LINKS
from sim.scenario.schema import Link, Scenario
from sim.world.build import World
from sim.world.purse import Purse, purse_of
from system.model.units import DAY_NS

Event = dict[str, Any]

FOR_EVER_NS = 10 * 365 * DAY_NS
BEAT_S = 0.005
"""How long what is due may wait: schedules, blocks, agents. Requests do not wait for it."""


class Exchange:
    """One world, moved along with the wall clock by the event loop that serves it."""

    def __init__(self, scenario: Scenario) -> None:
        """Build the world and open the exchange; its traders begin with the first beat.

        Args:
            scenario: who trades and what is listed. It starts now and does not end; its links count
                for nothing.
        """
        here = {name: Link.model_construct(median=0, p99=0) for name in LINKS}
        now = scenario.model_copy(update={"start": time.time_ns(), "duration": FOR_EVER_NS, "links": here})
        self._history = HistoryWriter()
        self.world = World(now, self._history)
        self._began_ns = time.monotonic_ns() - self.world.timeline.elapsed_ns

    async def beat(self) -> None:
        """Let time pass until the task is cancelled."""
        while True:
            self.advance()
            await asyncio.sleep(BEAT_S)

    def advance(self) -> None:
        """Play everything that is due by now."""
        timeline = self.world.timeline
        timeline.run_until(max(timeline.elapsed_ns, time.monotonic_ns() - self._began_ns))

    async def ask(self, event: Event) -> dict[str, Any]:
        """Send an API Gateway event through the door and wait for its answer."""
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self.world.door.request(event, answer.set_result)
        self.advance()
        return await answer

    def purse(self, name: str, usdc: int) -> Purse:
        """Return the wallet of a name, with so much more uUSDC deposited; a minute later it is credited."""
        world = self.world
        purse = world.purses.setdefault(name, purse_of(world.scenario.seed, name))
        world.chain.fund([(purse.private_key, purse.account, {"USDC": usdc})])
        key = (purse.trader, "USDC")
        world.deposited[key] = world.deposited.get(key, 0) + usdc
        return purse

    def close(self) -> None:
        """Stop the chain, give back the backend."""
        self.world.close()
        self._history.close()
