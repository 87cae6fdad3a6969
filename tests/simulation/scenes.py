"""Small scenarios that last a third of a second, and worlds that stay open for a look."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

from sim.agents import Agent
from sim.agents.base import Life
from sim.client import Desk
from sim.invariants import Judge
from sim.kernel.history import HistoryWriter
from sim.run import LOOK_EVERY_NS, Timings, _play
from sim.scenario.schema import Scenario
from sim.world.build import World
from system.model.units import NS

SMALL = """\
scenario: small
about: Ten busy seconds over midnight on a perpetual and a spot market.
start: 2025-05-03T23:59:54Z
duration: 10 s
markets:
  - {symbol: BTC-PERP, tick: 0.1 USDC, lot: 0.0001 BTC}
  - {symbol: sBTC-USDC, tick: 0.1 USDC, lot: 0.0001 sBTC}
prices:
  BTC: {process: gbm, start: 60_000 USDC, volatility: 60 %/y}
agents:
  - {kind: market_maker, count: 2, funds: 500_000 USDC, levels: 2, refresh: 1 s, start_within: 100 ms}
  - {kind: noise_taker, count: 3, funds: 200_000 USDC, rate: 1 /s}
  - {kind: zero_intelligence, count: 2, funds: 100_000 USDC, rate: 3 /s}
"""

Script = Callable[[Desk], Life]


class Scripted(Agent):
    """A trader whose life is written in a test."""

    kind: Literal["scripted"] = "scripted"
    script: Any
    """Called with the desk; what it yields is waited for."""

    def live(self, desk: Desk) -> Life:
        yield from self.script(desk)


def small(seed: int = 1, *settings: str) -> Scenario:
    """Return the small scenario, changed as `--set` would."""
    return Scenario.parse(SMALL, "small.yaml", [f"seed={seed}", *settings])


def joined(scenario: Scenario, **scripts: Script) -> Scenario:
    """Return the scenario with one more trader for each script, by name; each has 10,000 USDC."""
    more = [
        Scripted.model_construct(
            kind="scripted", name=name, count=1, funds={"USDC": 10_000 * 10**6}, markets=(), script=script
        )
        for name, script in scripts.items()
    ]
    return scenario.model_copy(update={"agents": (*scenario.agents, *more)})


@contextmanager
def opened(scenario: Scenario) -> Iterator[World]:
    """Build a world in which no time has passed."""
    with HistoryWriter(keep=True) as history:
        world = World(scenario, history)
        try:
            yield world
        finally:
            world.close()


@contextmanager
def played(scenario: Scenario) -> Iterator[World]:
    """Play a scenario until everything has arrived, and leave its world open."""
    with opened(scenario) as world:
        _play(world, Judge(()), None, LOOK_EVERY_NS, Timings())
        yield world


def ask(world: World, event: dict[str, Any]) -> dict[str, Any]:
    """Send a request through the door and let time pass until the answer is there."""
    answers: list[dict[str, Any]] = []
    world.door.request(event, answers.append)
    for _ in range(10):
        world.timeline.run_until(world.timeline.elapsed_ns + NS // 10)
        if answers:
            return answers[0]
    raise AssertionError(f"no answer within a second to {event['routeKey']}")
