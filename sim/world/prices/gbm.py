"""Geometric Brownian motion on a fixed step: the calm world.

Source: d ln S = (drift - volatility**2 / 2) dt + volatility dW, sampled exactly at each step
(Hull, Options, Futures and Other Derivatives, chapter on Wiener processes).
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Literal

from sim.world.prices.steps import DiffusingProcess


class Gbm(DiffusingProcess):
    """Geometric Brownian motion: independent normal returns of constant volatility."""

    process: Literal["gbm"]

    def returns(self, dice: Random, normals: Iterator[float]) -> Iterator[float]:
        mean, sigma = self.step_mean, self.step_sigma
        for normal in normals:
            yield mean + sigma * normal
