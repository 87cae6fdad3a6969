"""Prices that move together: correlated normals for the processes of several assets.

Each asset draws its own normals; the Cholesky factor of the correlation matrix mixes them. With `tail`, one
common draw stretches all of a step's normals, so that extremes come together: a Student-t copula, scaled to
variance 1. An asset outside every pair keeps its own draws, unchanged.
Source: Glasserman, Monte Carlo Methods in Financial Engineering, 2.3; Demarta and McNeil (2005).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import Annotated

from pydantic import Field

from sim.kernel.dice import Dice
from sim.scenario.part import Part
from sim.scenario.units import SignedShare
from system.model.units import PPM

Matrix = list[list[float]]


class Correlation(Part):
    """Which prices move together, and how closely."""

    pairs: dict[str, Annotated[SignedShare, Field(ge=-PPM, le=PPM)]] = Field(default={})
    """Correlation of the steps of two assets, by `BTC-ETH`."""
    tail: Annotated[float, Field(gt=2, le=100)] | None = None
    """Degrees of freedom of the common shock: with few, all extremes come together. None when left out."""

    @property
    def assets(self) -> tuple[str, ...]:
        """Every asset of a pair, in the order of the file."""
        return tuple(dict.fromkeys(asset for pair in self.pairs for asset in pair.split("-")))

    def problem(self, steps_ns: Mapping[str, int | None]) -> str | None:
        """Say what is wrong with it, given the step of each price that is drawn."""
        for pair in self.pairs:
            named = pair.split("-")
            if len(named) != 2 or named[0] == named[1]:
                return f"`{pair}` does not name two assets like `BTC-ETH`"
            for asset in named:
                if asset not in steps_ns:
                    return f"`{pair}`: there is no price of {asset}"
                if steps_ns[asset] is None:
                    return f"`{pair}`: the price of {asset} is not drawn"
        if len({steps_ns[asset] for asset in self.assets}) > 1:
            return "prices that move together need the same `step`"
        if self.pairs and cholesky(self.matrix()) is None:
            return "no prices can have all of these correlations at once"
        return None

    def matrix(self) -> Matrix:
        """Return the correlation matrix, in the order of `assets`; pairs that are left out are 0."""
        assets = self.assets
        matrix = [[float(row == column) for column in assets] for row in assets]
        for pair, share in self.pairs.items():
            one, other = (assets.index(asset) for asset in pair.split("-"))
            matrix[one][other] = matrix[other][one] = share / PPM
        return matrix

    def normals(self, dice: Dice) -> dict[str, Iterator[float]]:
        """Return each asset's normals, one a step."""
        assets = self.assets
        if not assets:
            return {}
        factor = cholesky(self.matrix())
        assert factor is not None
        own = [dice.named("normals", asset) for asset in assets]
        mixed = _Mixed(factor, own, self.tail, dice.named("normals-tail"))
        return {asset: mixed.of(number) for number, asset in enumerate(assets)}


class _Mixed:
    """The normals of all assets, step by step, kept until each asset has taken them."""

    def __init__(self, factor: Matrix, own: Sequence[Random], tail: float | None, common: Random) -> None:
        self._factor, self._own, self._tail, self._common = factor, own, tail, common
        self._steps: list[list[float]] = []

    def of(self, asset: int) -> Iterator[float]:
        step = 0
        while True:
            if step == len(self._steps):
                self._steps.append(self._draw())
            yield self._steps[step][asset]
            step += 1

    def _draw(self) -> list[float]:
        stretch = 1.0
        if self._tail is not None:
            stretch = math.sqrt((self._tail - 2) / self._common.gammavariate(self._tail / 2, 2.0))
        drawn = [dice.gauss(0.0, 1.0) * stretch for dice in self._own]
        return [sum(a * b for a, b in zip(row, drawn, strict=False)) for row in self._factor]


def cholesky(matrix: Matrix) -> Matrix | None:
    """Return the lower triangle L with L L' = matrix, None when there is none."""
    lower: Matrix = []
    for row, entries in enumerate(matrix):
        made: list[float] = []
        for column in range(row + 1):
            rest = entries[column] - sum(
                a * b for a, b in zip(made, lower[column] if column < row else made, strict=False)
            )
            if column < row:
                pivot = lower[column][column]
                if pivot == 0.0 and abs(rest) > _TINY:
                    return None
                made.append(rest / pivot if pivot else 0.0)
            elif rest < -_TINY:
                return None
            else:
                made.append(math.sqrt(max(rest, 0.0)))
        lower.append(made)
    return lower


_TINY = 1e-9
