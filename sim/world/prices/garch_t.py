"""GARCH(1,1) with Student's t: calm and storm come in clusters, and single steps have fat tails.

v[n+1] = (1 - alpha - beta) v + alpha r[n]**2 + beta v[n]; r = sqrt(v) t, with t scaled to variance 1.
Source: Bollerslev (1986, 1987).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from random import Random
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from sim.scenario.part import Misfit
from sim.scenario.units import Share
from sim.world.prices.steps import DiffusingProcess
from system.model.units import PPM


class GarchT(DiffusingProcess):
    """Clusters of volatility and fat tails; `volatility` is that of the long run."""

    process: Literal["garch_t"]
    alpha: Share = 80_000
    """Weight of the last return in the next variance."""
    beta: Share = 900_000
    """Weight of the last variance in the next."""
    degrees: Annotated[float, Field(gt=2, le=100)] = 3.5
    """Degrees of freedom of a step's return; few are fat tails."""

    def returns(self, dice: Random, normals: Iterator[float]) -> Iterator[float]:
        alpha, beta, degrees = self.alpha / PPM, self.beta / PPM, self.degrees
        mean, usual = self.step_mean, self.step_sigma**2
        variance = usual
        for normal in normals:
            # a normal over the root of a chi-square of `degrees`, scaled to variance 1
            fat = math.sqrt((degrees - 2) / dice.gammavariate(degrees / 2, 2.0))
            shock = math.sqrt(variance) * normal * fat
            yield mean + shock
            variance = (1 - alpha - beta) * usual + alpha * shock * shock + beta * variance

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.alpha + self.beta >= PPM:
            problem = "expected alpha + beta below 100 %, or the variance has no mean"
            raise Misfit(("beta",), problem, "lower one of them")
        return self
