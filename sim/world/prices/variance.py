"""A variance that is itself random, and returns to its mean: what Heston's and Bates's worlds share.

dv = reversion (long_run**2 - v) dt + volatility_of_variance sqrt(v) dW', with dW' correlated to the
price's own dW. Steps by full truncation, Lord, Koekkoek and van Dijk (2010), the least biased of the
simple schemes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from random import Random
from typing import Annotated

from pydantic import Field

from sim.scenario.units import NonNegativeAnnual, Rate, SignedShare
from sim.world.prices.jumps import Jumps
from sim.world.prices.steps import DiffusingProcess
from system.model.units import PPM


class RandomVariance(DiffusingProcess):
    """Volatility that wanders, and rises as the price falls; `volatility` is that at the start."""

    long_run: NonNegativeAnnual = 600_000
    """Volatility to which it returns."""
    reversion: Rate = 10 * 10**6
    """How fast it returns: a deviation is down to a third after one unit of this rate."""
    volatility_of_variance: NonNegativeAnnual = 1_500_000
    """Standard deviation of the yearly change of the variance, times the square root of the variance."""
    leverage: Annotated[SignedShare, Field(ge=-PPM, le=PPM)] = -500_000
    """Correlation of price and variance."""

    def wander(self, dice: Random, normals: Iterator[float], jumps: Jumps | None) -> Iterator[float]:
        """Yield returns, with jumps if there are any."""
        years = self.step_years
        root, speed = math.sqrt(years), self.reversion / 10**6 * years
        rho = self.leverage / PPM
        across, wildness = math.sqrt(1 - rho * rho), self.volatility_of_variance / PPM
        variance, mean = (self.volatility / PPM) ** 2, (self.long_run / PPM) ** 2
        drift = self.drift / PPM * years - (jumps.growth() * years if jumps else 0.0)
        for normal in normals:
            other = rho * normal + across * dice.gauss(0.0, 1.0)
            now = max(variance, 0.0)
            jump = jumps.draw(dice, years) if jumps else 0.0
            yield drift - now * years / 2 + math.sqrt(now) * root * normal + jump
            variance += speed * (mean - now) + wildness * math.sqrt(now) * root * other
