"""The maker of Gueant, Lehalle and Fernandez-Tapia: Avellaneda and Stoikov's without an end of the day.

Half-spread C1 + sigma C2 / 2, skew sigma C2 q, with C1 = ln(1 + gamma / k) / gamma and
C2 = sqrt(gamma / (2 A k) (1 + gamma / k)^(k / gamma + 1)); one quote is the unit of q. The fee is added.
Source: Gueant, Lehalle and Fernandez-Tapia (2013); Gueant, arXiv 1605.01862, formulas 4.6 and 4.7.
"""

from __future__ import annotations

import math
from typing import Literal

from sim.agents.reservation import ReservationMaker
from sim.scenario.units import SECOND_NS, YEAR_S, Rate, mean_gap_ns
from system.model.units import PPM


class Glft(ReservationMaker):
    """Quotes as in the long run: the same however long it has traded."""

    kind: Literal["glft"]
    arrivals: Rate = YEAR_S * 10**6 // 10
    """A: orders that would take a quote at the fair price."""

    def lean(self, inventory: float, since_ns: int) -> tuple[float, float]:
        del since_ns  # the end of no day comes nearer
        gamma, k = self.risk_aversion, self.decay
        sigma = self.volatility / PPM / math.sqrt(YEAR_S)
        each_s = SECOND_NS / mean_gap_ns(self.arrivals)
        c1 = math.log(1 + gamma / k) / gamma
        c2 = math.sqrt(gamma / (2 * each_s * k) * (1 + gamma / k) ** (k / gamma + 1))
        return sigma * c2 * inventory, c1 + sigma * c2 / 2
