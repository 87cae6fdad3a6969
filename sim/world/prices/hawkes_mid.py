"""A mid price made of small moves that excite each other.

Ups and downs come with intensities that each move raises for a while: in its own direction (trend) and
against it (return), with an exponential kernel. Source: Bacry, Delattre, Hoffmann and Muzy (2013);
branching ratios of 0.6 to 0.9 are usual, and the moves are drawn by Ogata's thinning (1981).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from random import Random
from typing import Annotated, Literal

from pydantic import Field

from sim.scenario.units import SECOND_NS, PositiveDuration, PositiveShare, Rate, Share, mean_gap_ns
from sim.world.prices.steps import SteppedProcess
from system.model.units import PPM


class HawkesMid(SteppedProcess):
    """Mutually exciting ups and downs of equal size."""

    process: Literal["hawkes_mid"]
    rate: Rate = 31_536_000 * 10**6 // 5
    """Moves that nothing excited, up and down each."""
    move: PositiveShare = 50
    """Size of one move."""
    branching: Annotated[Share, Field(lt=PPM)] = 800_000
    """How many moves one move brings about, directly."""
    returning: Annotated[Share, Field(le=PPM)] = 600_000
    """Which share of them goes the other way."""
    half_life: PositiveDuration = 5 * SECOND_NS
    """After this time half of the excitement is gone."""

    def returns(self, dice: Random, normals: Iterator[float]) -> Iterator[float]:
        base = SECOND_NS / mean_gap_ns(self.rate)
        decay = math.log(2) * SECOND_NS / self.half_life
        kick = self.branching / PPM * decay
        against = kick * self.returning / PPM
        along, move = kick - against, self.move / PPM
        up, down, step_s = 0.0, 0.0, self.step / SECOND_NS
        for _ in normals:
            moved, left_s = 0, step_s
            while True:
                most = 2 * base + up + down  # intensities only fall until the next move
                gap_s = dice.expovariate(most)
                passed_s = min(gap_s, left_s)
                fade = math.exp(-decay * passed_s)
                up, down, left_s = up * fade, down * fade, left_s - passed_s
                if gap_s > passed_s:
                    break
                chance = dice.random() * most
                if chance < base + up:
                    moved, up, down = moved + 1, up + along, down + against
                elif chance < 2 * base + up + down:
                    moved, up, down = moved - 1, up + against, down + along
            yield move * moved
