"""What every agent is: settings in the scenario, and a life as a SimPy process."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Generator
from random import Random
from typing import TYPE_CHECKING, Annotated

import simpy
from pydantic import Field

from sim.scenario.part import Part
from sim.scenario.units import SECOND_NS, Funds

if TYPE_CHECKING:
    from sim.client import Desk

Life = Generator[simpy.Event, None, None]
Count = Annotated[int, Field(strict=True, ge=1, le=10_000)]

_FIRST_LOOK_NS = SECOND_NS


class Agent(Part):
    """A group of like traders; its fields are its syntax in a scenario file.

    An agent sees the exchange only through its desk and draws chance only from `desk.dice`.
    """

    kind: str
    """Which kind of agent this is."""
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")] | None = None
    """Name of the group; the kind when left out. Members are `<name>-0`, `<name>-1`, ..."""
    count: Count = 1
    """How many such traders there are."""
    funds: Funds
    """What each of them deposits before the start. A spot seller without base is given some (see docs)."""
    markets: tuple[str, ...] = ()
    """Symbols it trades; all when empty."""

    @property
    def group(self) -> str:
        """Name of the group."""
        return self.name or self.kind

    @abstractmethod
    def live(self, desk: Desk) -> Life:
        """Trade until the run ends: a SimPy process."""

    def trades(self, desk: Desk) -> tuple[str, ...]:
        """Return the symbols this agent trades."""
        return self.markets or desk.symbols


def wait_for_prices(desk: Desk, symbols: tuple[str, ...]) -> Life:
    """Look at GET /markets once a second until every market has a reference price."""
    desk.look()
    yield desk.sleep(_FIRST_LOOK_NS)
    while any(desk.market(symbol).reference_e6 is None for symbol in symbols):
        desk.look()
        yield desk.sleep(_FIRST_LOOK_NS)


def begin(desk: Desk, symbols: tuple[str, ...], within_ns: int, hears: tuple[str, ...] = ()) -> Life:
    """Come at a random moment of a span, listen to the markets (or `hears`), wait until all are priced."""
    yield desk.sleep(1 + desk.dice.randrange(within_ns + 1))
    desk.listen(*(hears or symbols))
    yield from wait_for_prices(desk, symbols)


def poisson_gap_ns(dice: Random, mean_ns: float) -> int:
    """Draw the time to the next arrival of a Poisson process, at least 1 ns."""
    return int(dice.expovariate(1.0) * mean_ns) + 1
