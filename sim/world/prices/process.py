"""What a price process is: settings in the scenario, and a path of prices in virtual time."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from random import Random
from typing import Protocol

from sim.scenario.part import Part
from sim.scenario.units import Share


class PricePath(Protocol):
    """One drawn path. Asking the same instant twice gives the same price."""

    def at(self, now_ns: int) -> int:
        """Return price_e6 (uUSDC per 1.0 asset) in force at a UTC instant."""


class PriceProcess(Part):
    """How one asset's price moves; `process` names the kind in a scenario file."""

    process: str
    confidence: Share = 500
    """Half of the interval within which Pyth places the price, as a share of it."""

    @property
    @abstractmethod
    def first_price_e6(self) -> int:
        """The price at the scenario's start, uUSDC per 1.0 asset."""

    @abstractmethod
    def path(self, start_ns: int, dice: Random, normals: Iterator[float] | None = None) -> PricePath:
        """Draw a path that begins at `start_ns` (UTC).

        Args:
            dice: where every draw comes from.
            normals: standard normals that drive its steps, one each, where prices move together.
        """
