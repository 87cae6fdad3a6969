"""Bates's world: Heston's variance and Merton's jumps. Source: Bates (1996)."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Literal

from sim.world.prices.jumps import Jumps
from sim.world.prices.variance import RandomVariance


class Bates(RandomVariance):
    """Random variance and jumps at random moments."""

    process: Literal["bates"]
    jumps: Jumps = Jumps()
    """How often it jumps, and how far."""

    def returns(self, dice: Random, normals: Iterator[float]) -> Iterator[float]:
        return self.wander(dice, normals, self.jumps)
