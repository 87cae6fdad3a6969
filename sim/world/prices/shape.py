"""A path through given points: the shape of a day that happened, or of one that must not.

Between two points the logarithm of the price follows a straight line, with a Brownian bridge of the given
volatility around it: every point is met exactly, whatever the seed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import islice, pairwise
from random import Random
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from sim.scenario.part import Misfit, Part
from sim.scenario.units import DURATION, NonNegativeAnnual, PositiveDuration, Price
from sim.world.prices.steps import SteppedProcess
from system.model.units import PPM


class Point(Part):
    """Where the price is at a time."""

    at: PositiveDuration
    """When, since the start."""
    price: Price
    """The price then."""


class Shape(SteppedProcess):
    """Straight lines through points, and noise between them; after the last point only noise."""

    process: Literal["shape"]
    points: Annotated[tuple[Point, ...], Field(min_length=1)]
    """Where it goes, in order of time; each at a whole step."""
    volatility: NonNegativeAnnual = 0
    """Of the noise around the lines."""

    def returns(self, dice: Random, normals: Iterator[float]) -> Iterator[float]:
        del dice  # the normals are all its chance
        sigma = self.volatility / PPM * math.sqrt(self.step_years)
        for (since_ns, before), (to_ns, after) in pairwise([(0, self.start), *self._marks()]):
            steps = (to_ns - since_ns) // self.step
            noise = list(islice(normals, steps))
            mean = math.log(after / before) / steps
            middle = sum(noise) / steps
            for normal in noise:
                yield mean + sigma * (normal - middle)
        for normal in normals:
            yield sigma * normal

    def _marks(self) -> list[tuple[int, int]]:
        return [(point.at, point.price) for point in self.points]

    @model_validator(mode="after")
    def _check(self) -> Self:
        last_ns = 0
        for index, point in enumerate(self.points):
            if point.at <= last_ns or point.at % self.step:
                after, step, was = (DURATION.format(ns) for ns in (last_ns, self.step, point.at))
                problem = f"expected a multiple of the step of {step} after {after}, was `{was}`"
                raise Misfit(("points", index, "at"), problem, "put the points in order of time")
            last_ns = point.at
        return self
