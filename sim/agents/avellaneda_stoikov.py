"""The maker of Avellaneda and Stoikov (2008), aware of fees.

Reservation price r = s - q gamma sigma^2 (T - t); spread gamma sigma^2 (T - t) + (2 / gamma) ln(1 + gamma /
kappa), here with prices as shares of the fair price and q in quotes of `size`.
"""

from __future__ import annotations

import math
from typing import Literal

from sim.agents.reservation import ReservationMaker
from sim.scenario.units import SECOND_NS, YEAR_S, PositiveDuration
from system.model.units import PPM


class AvellanedaStoikov(ReservationMaker):
    """Quotes one bid and one ask, and is flat each time its horizon has passed."""

    kind: Literal["avellaneda_stoikov"]
    horizon: PositiveDuration = 3_600 * SECOND_NS
    """T: it wants to be flat each time this has passed."""

    def lean(self, inventory: float, since_ns: int) -> tuple[float, float]:
        left_ns = self.horizon - since_ns % self.horizon
        risk = self.risk_aversion * (self.volatility / PPM) ** 2 * left_ns / (YEAR_S * SECOND_NS)
        return inventory * risk, risk / 2 + math.log(1 + self.risk_aversion / self.decay) / self.risk_aversion
