"""Regimes: a quiet and a wild world take turns. Source: Hamilton (1989), in continuous time."""

from __future__ import annotations

import math
from collections.abc import Iterator
from random import Random
from typing import Annotated, Literal

from pydantic import Field

from sim.scenario.part import Part
from sim.scenario.units import Annual, NonNegativeAnnual, PositiveDuration
from sim.world.prices.steps import SteppedProcess
from system.model.units import PPM


class Regime(Part):
    """One state of the world."""

    volatility: NonNegativeAnnual
    """Standard deviation of the yearly log return, while it lasts."""
    drift: Annual = 0
    """Expected growth a year, while it lasts."""
    lasts: PositiveDuration
    """How long it lasts, on average."""


class RegimeSwitching(SteppedProcess):
    """Brownian motion whose volatility and drift change at random moments; it begins in the first regime."""

    process: Literal["regime_switching"]
    regimes: Annotated[tuple[Regime, ...], Field(min_length=2, max_length=16)]
    """The states; each of the others is as likely to be next."""

    def returns(self, dice: Random, normals: Iterator[float]) -> Iterator[float]:
        years, now = self.step_years, 0
        for normal in normals:
            regime = self.regimes[now]
            volatility = regime.volatility / PPM
            mean = (regime.drift / PPM - volatility * volatility / 2) * years
            yield mean + volatility * math.sqrt(years) * normal
            leaves, where = dice.random(), dice.randrange(len(self.regimes) - 1)
            if leaves > math.exp(-self.step / regime.lasts):
                now = where if where < now else where + 1
