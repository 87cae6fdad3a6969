"""Geometric Brownian motion on a fixed step: the calm world.

Source: d ln S = (drift - volatility**2 / 2) dt + volatility dW, sampled exactly at each step
(Hull, Options, Futures and Other Derivatives, chapter on Wiener processes).
"""

from __future__ import annotations

import math
from random import Random
from typing import Literal

from sim.scenario.units import SECOND_NS, YEAR_S, Annual, NonNegativeAnnual, PositiveDuration, Price
from sim.world.prices.process import PriceProcess


class Gbm(PriceProcess):
    """Geometric Brownian motion: independent normal returns of constant volatility."""

    process: Literal["gbm"]
    start: Price
    """Price at the scenario's start."""
    volatility: NonNegativeAnnual = 600_000
    """Standard deviation of the yearly log return."""
    drift: Annual = 0
    """Expected growth a year."""
    step: PositiveDuration = SECOND_NS
    """The price stands still for this long, then moves."""

    @property
    def first_price_e6(self) -> int:
        return self.start

    def path(self, start_ns: int, dice: Random) -> GbmPath:
        return GbmPath(self, start_ns, dice)


class GbmPath:
    """Prices of every step so far; later steps are drawn when they are asked for."""

    __slots__ = ("_dice", "_log", "_mean", "_prices", "_sigma", "_start_ns", "_step_ns")

    def __init__(self, process: Gbm, start_ns: int, dice: Random) -> None:
        years = process.step / (YEAR_S * SECOND_NS)
        volatility = process.volatility / 10**6
        self._start_ns = start_ns
        self._step_ns = process.step
        self._dice = dice
        self._sigma = volatility * math.sqrt(years)
        self._mean = (process.drift / 10**6 - volatility * volatility / 2) * years
        self._log = math.log(process.start)
        self._prices = [process.start]

    def at(self, now_ns: int) -> int:
        step = (now_ns - self._start_ns) // self._step_ns
        if step < 0:
            return self._prices[0]
        prices = self._prices
        while len(prices) <= step:
            self._log += self._mean + self._sigma * self._dice.gauss(0.0, 1.0)
            # a price never reaches zero, however wild the path
            prices.append(max(1, round(math.exp(self._log))))
        return prices[step]
