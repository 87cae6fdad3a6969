"""Every random draw of a run, and the delays drawn from it.

A component draws from its own generator, named by what it is and its number, so adding an agent
or a link never shifts the draws of another. Nothing here reads the global generator.
"""

from __future__ import annotations

import math
from functools import cache
from random import Random
from statistics import NormalDist
from typing import NamedTuple

_BITS = 12
_Z99 = 2.3263478740408408  # 99 % quantile of the standard normal


class Dice:
    """The scenario's seed, from which every component gets its own generator."""

    __slots__ = ("seed",)

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def named(self, component: str, index: int | str = 0) -> Random:
        """Return a fresh generator of this name; the same name always draws the same."""
        # Random hashes a text seed with SHA-512, so PYTHONHASHSEED does not matter
        return Random(f"{self.seed}:{component}:{index}")


class Delay(NamedTuple):
    """A lognormal delay by its median and its 99 % quantile, in ns."""

    median_ns: int
    p99_ns: int


class LognormalDelay:
    """Delays of a link in ns, lognormal with the given median and 99 % quantile.

    A draw picks one of 4,096 equally likely quantiles, worked out once: 0.1 us instead of 1 us,
    and the tail ends at the 99.99 % quantile.
    """

    __slots__ = ("_bits", "_delays_ns")

    def __init__(self, median_ns: int, p99_ns: int, dice: Random) -> None:
        if not 0 <= median_ns <= p99_ns:
            raise ValueError(f"expected 0 <= median <= p99, was median {median_ns} ns and p99 {p99_ns} ns")
        self._bits = dice.getrandbits
        self._delays_ns = _delays_ns(median_ns, p99_ns)

    def draw(self) -> int:
        """Return the next delay in ns, 0 or more."""
        return self._delays_ns[self._bits(_BITS)]

    @property
    def mean_ns(self) -> int:
        """Return the mean over all quantiles."""
        return sum(self._delays_ns) // len(self._delays_ns)


@cache
def _quantiles() -> tuple[float, ...]:
    """Return the middles of 4,096 equally likely slices of the standard normal."""
    normal, slices = NormalDist(), 1 << _BITS
    return tuple(normal.inv_cdf((index + 0.5) / slices) for index in range(slices))


@cache
def _delays_ns(median_ns: int, p99_ns: int) -> tuple[int, ...]:
    if median_ns in (p99_ns, 0):
        return (median_ns,) * (1 << _BITS)
    sigma = math.log(p99_ns / median_ns) / _Z99
    return tuple(round(median_ns * math.exp(sigma * z)) for z in _quantiles())
