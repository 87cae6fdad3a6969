"""Jumps at random moments: what Merton's and Bates's worlds share.

Source: Merton (1976), Option pricing when underlying stock returns are discontinuous. The number of
jumps in a step is Poisson, the logarithm of each is normal, and the drift is corrected so that jumps
do not change the expected growth.
"""

from __future__ import annotations

import math
from random import Random

from sim.scenario.part import Part
from sim.scenario.units import Rate, Share, SignedShare
from system.model.units import PPM

_MOST = 1_000


class Jumps(Part):
    """How often a price jumps, and how far."""

    rate: Rate = 12 * 10**6
    """Jumps, on average."""
    mean: SignedShare = -20_000
    """Mean of the logarithm of a jump."""
    spread: Share = 50_000
    """Standard deviation of the logarithm of a jump."""

    def growth(self) -> float:
        """Return what jumps add to the expected growth of a year."""
        each = math.exp(self.mean / PPM + (self.spread / PPM) ** 2 / 2) - 1
        return self.rate / 10**6 * each

    def draw(self, dice: Random, years: float) -> float:
        """Return the sum of the jumps of one step; one draw tells whether there is any."""
        left, chance = self.rate / 10**6 * years, dice.random()
        # a step is short against the time between jumps, so that the first term nearly always ends it
        term = math.exp(-left)
        count, below = 0, term
        while chance > below and count < _MOST:
            count += 1
            term *= left / count
            below += term
        return sum(dice.gauss(self.mean / PPM, self.spread / PPM) for _ in range(count))
