"""Heston's world: the variance is itself random. Source: Heston (1993)."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Literal

from sim.world.prices.variance import RandomVariance


class Heston(RandomVariance):
    """Random variance, and no jumps."""

    process: Literal["heston"]

    def returns(self, dice: Random, normals: Iterator[float]) -> Iterator[float]:
        return self.wander(dice, normals, None)
