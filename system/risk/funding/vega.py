"""Vega: the averages' difference, pulled toward an interest within a clamp, scaled and bounded.

Source: vegaprotocol/specs 0053-PERP. With the clamp at zero, no interest and scaling 1 it pays the
whole premium each interval.
"""

from __future__ import annotations

from typing import ClassVar

from system.model.units import NS, div_trunc
from system.risk.funding.model import E6, E12, Owed, Preset, Sample, Window
from system.risk.index import YEAR_NS


class Vega(Preset):
    name: ClassVar[str] = "vega"

    def owed(self, window: Window, good: Sample, boundary_ns: int) -> Owed:
        terms = self.terms
        futures = div_trunc(window.mark.num * E6, window.mark.den)
        spot = div_trunc(window.index.num * E6, window.index.den)
        interest = terms.yearly_interest_ppm * E6 * self.interval_s * NS // YEAR_NS
        paid = payment(futures, spot, interest, terms.clamp_low_ppm * E6, terms.clamp_high_ppm * E6)
        per_unit_e12, capped = scaled(
            paid, spot, terms.scaling_ppm * E6, terms.rate_low_ppm * E6, terms.rate_high_ppm * E6
        )
        return Owed(per_unit_e12, spot // E6, capped)


def payment(futures: int, spot: int, interest_e12: int, low_e12: int, high_e12: int) -> int:
    """Return f - s + min(high s, max(low s, (1 + interest) s - f)), in the unit of the prices.

    `interest_e12` is for the interval; low and high are shares of spot.
    """
    pull = spot + div_trunc(spot * interest_e12, E12) - futures
    low, high = div_trunc(spot * low_e12, E12), div_trunc(spot * high_e12, E12)
    return futures - spot + min(high, max(low, pull))


def scaled(paid: int, spot: int, scaling_e12: int, low_e12: int, high_e12: int) -> tuple[int, bool]:
    """Return the payment scaled and with its rate within the bounds, and whether a bound bit."""
    paid = div_trunc(paid * scaling_e12, E12)
    low, high = div_trunc(spot * low_e12, E12), div_trunc(spot * high_e12, E12)
    held = min(max(paid, low), high)
    return held, held != paid


def rate_e12(paid: int, spot: int) -> int:
    """Return a payment as a share of spot, toward zero."""
    return div_trunc(paid * E12, spot)
