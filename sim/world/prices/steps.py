"""Prices that move once a step: what every drawn process shares.

A process yields log returns, one a step; the path adds them up as instants are asked for. The normals
that drive it come from its own dice, or are given: so several assets are correlated, whatever their
processes are.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator
from random import Random

from sim.scenario.units import SECOND_NS, YEAR_S, Annual, NonNegativeAnnual, PositiveDuration, Price
from sim.world.prices.process import PriceProcess
from system.model.units import PPM


class SteppedProcess(PriceProcess):
    """A price that stands still for one step, then moves."""

    start: Price
    """Price at the scenario's start."""
    step: PositiveDuration = SECOND_NS
    """The price stands still for this long, then moves."""

    @property
    def first_price_e6(self) -> int:
        return self.start

    @property
    def step_years(self) -> float:
        """Length of one step in years of 365 days."""
        return self.step / (YEAR_S * SECOND_NS)

    @abstractmethod
    def returns(self, dice: Random, normals: Iterator[float]) -> Iterator[float]:
        """Yield the log return of each step, taking exactly one of `normals` for each."""

    def path(self, start_ns: int, dice: Random, normals: Iterator[float] | None = None) -> SteppedPath:
        drawn = self.returns(dice, standard_normals(dice) if normals is None else normals)
        return SteppedPath(self.start, start_ns, self.step, drawn)


class DiffusingProcess(SteppedProcess):
    """A stepped price with a volatility and a drift."""

    volatility: NonNegativeAnnual = 600_000
    """Standard deviation of the yearly log return."""
    drift: Annual = 0
    """Expected growth a year."""

    @property
    def step_sigma(self) -> float:
        """Standard deviation of the log return of one step."""
        return self.volatility / PPM * math.sqrt(self.step_years)

    @property
    def step_mean(self) -> float:
        """Mean log return of one step that makes the price itself grow by the drift."""
        volatility = self.volatility / PPM
        return (self.drift / PPM - volatility * volatility / 2) * self.step_years


class SteppedPath:
    """Prices of every step so far; later steps are drawn when they are asked for."""

    __slots__ = ("_log", "_prices", "_returns", "_start_ns", "_step_ns")

    def __init__(self, first_e6: int, start_ns: int, step_ns: int, returns: Iterator[float]) -> None:
        self._start_ns = start_ns
        self._step_ns = step_ns
        self._returns = returns
        self._log = math.log(first_e6)
        self._prices = [first_e6]

    def at(self, now_ns: int) -> int:
        step = (now_ns - self._start_ns) // self._step_ns
        if step < 0:
            return self._prices[0]
        prices = self._prices
        while len(prices) <= step:
            self._log += next(self._returns)
            # a price never reaches zero, however wild the path
            prices.append(max(1, round(math.exp(self._log))))
        return prices[step]


def standard_normals(dice: Random) -> Iterator[float]:
    """Yield independent standard normals of one generator, without end."""
    while True:
        yield dice.gauss(0.0, 1.0)
