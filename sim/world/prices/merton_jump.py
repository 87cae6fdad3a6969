"""Merton's world: Brownian motion, and now and then a jump. Source: Merton (1976)."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Literal

from sim.world.prices.jumps import Jumps
from sim.world.prices.steps import DiffusingProcess


class MertonJump(DiffusingProcess):
    """Normal returns of constant volatility, and jumps at random moments."""

    process: Literal["merton_jump"]
    jumps: Jumps = Jumps()
    """How often it jumps, and how far."""

    def returns(self, dice: Random, normals: Iterator[float]) -> Iterator[float]:
        years, sigma = self.step_years, self.step_sigma
        mean = self.step_mean - self.jumps.growth() * years
        for normal in normals:
            yield mean + sigma * normal + self.jumps.draw(dice, years)
