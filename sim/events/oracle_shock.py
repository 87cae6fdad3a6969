"""An outside price leaps: whatever its process does, it does from there on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, Self

from pydantic import model_validator

from sim.scenario.part import Misfit, Part
from sim.scenario.units import Duration, SignedShare
from sim.world.prices.process import PricePath
from system.model.units import PPM

if TYPE_CHECKING:
    from sim.events.base import Event


class OracleShock(Part):
    """A move of an asset's price, the same for all feeds, along a straight line."""

    asset: str
    """Whose price."""
    move: SignedShare
    """How far, of the price that would have been; `-12 %` is down."""
    over: Duration = 0
    """How long it takes; at once when left out."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.move <= -PPM:
            raise Misfit(("move",), "expected above -100 %, was less", "a price stays above 0")
        return self


class _Shock(NamedTuple):
    at_ns: int  # UTC
    over_ns: int
    move_ppm: int

    def applied(self, price_e6: int, now_ns: int) -> int:
        since_ns = now_ns - self.at_ns
        if since_ns < 0:
            return price_e6
        if since_ns >= self.over_ns:
            return max(1, price_e6 + price_e6 * self.move_ppm // PPM)
        return max(1, price_e6 + price_e6 * self.move_ppm * since_ns // (PPM * self.over_ns))


class ShockedPath:
    """A path with its shocks, one on the other (a PricePath)."""

    def __init__(self, path: PricePath, shocks: Sequence[_Shock]) -> None:
        self._path = path
        self._shocks = shocks

    def at(self, now_ns: int) -> int:
        price_e6 = self._path.at(now_ns)
        for shock in self._shocks:
            price_e6 = shock.applied(price_e6, now_ns)
        return price_e6


def shocked(path: PricePath, asset: str, events: Sequence[Event], start_ns: int) -> PricePath:
    """Return a path with what happens to it; the path itself where nothing does."""
    shocks = [
        _Shock(start_ns + event.at, event.oracle_shock.over, event.oracle_shock.move)
        for event in events
        if event.oracle_shock is not None and event.oracle_shock.asset == asset
    ]
    return ShockedPath(path, shocks) if shocks else path
