"""Margins that depend on size or on open interest: RISK-040 to RISK-042.

Three published schedules, for markets with leverage; without one the market's flat `im_ppm` and
`mm_ppm` hold. Rates are floored, amounts are rounded up.
"""

from __future__ import annotations

import msgspec

from system.model.units import PPM, QTY_SCALE, div_ceil, ppm_ceil
from system.risk.margin import equity_e8, last_safe_price_e6

E12 = 10**12


def sloped_rate_e12(base_e12: int, slope_e12: int, qty_e8: int) -> int:
    """Return a rate that grows with size: base plus slope for each 1.0 base. Source: Deribit. RISK-040.

    >>> sloped_rate_e12(20_000_000_000, 50_000_000, 25 * 10**8)
    21250000000
    """
    return min(E12, base_e12 + slope_e12 * qty_e8 // QTY_SCALE)


def margin_at_rate(notional: int, rate_e12: int) -> int:
    """Return a margin at a rate in 1e-12, rounded up."""
    return div_ceil(notional * rate_e12, E12)


class Bracket(msgspec.Struct, frozen=True):
    """The margin of the part of a notional from `floor` on; `deduction` makes it one formula.

    Maintenance of a notional in this bracket is `mm_ppm` of all of it less `deduction`.
    """

    floor: int
    im_ppm: int
    mm_ppm: int
    deduction: int = 0


def next_deduction(floor: int, mm_ppm: int, below: Bracket) -> int:
    """Return the deduction that joins a bracket to the one below without a jump. Source: Binance.

    >>> next_deduction(50_000_000, 50_000, Bracket(5_000_000, 50_000, 25_000, 560_000))
    1810000
    """
    return below.deduction + floor * (mm_ppm - below.mm_ppm) // PPM


def brackets(*steps: tuple[int, int, int]) -> tuple[Bracket, ...]:
    """Build a schedule from (floor, im_ppm, mm_ppm), floors rising from 0. Rule: RISK-041.

    >>> [step.deduction for step in brackets((0, 20_000, 10_000), (1_000_000, 50_000, 25_000))]
    [0, 15000]
    """
    made: list[Bracket] = []
    for floor, im_ppm, mm_ppm in steps:
        if made and (floor <= made[-1].floor or mm_ppm < made[-1].mm_ppm):
            raise ValueError(f"brackets: expected rising floors and rates, was {floor} at {mm_ppm} ppm")
        if not made and floor:
            raise ValueError(f"brackets: expected the first floor to be 0, was {floor}")
        deduction = next_deduction(floor, mm_ppm, made[-1]) if made else 0
        made.append(Bracket(floor, im_ppm, mm_ppm, deduction))
    return tuple(made)


def bracket_of(schedule: tuple[Bracket, ...], notional: int) -> Bracket:
    """Return the bracket a notional lies in; a floor belongs to its own bracket's lower end."""
    found = schedule[0]
    for step in schedule:
        if notional <= step.floor and step is not found:
            break
        found = step
    return found


def maintenance(schedule: tuple[Bracket, ...], notional: int) -> int:
    """Return the maintenance margin of a notional, rounded up."""
    step = bracket_of(schedule, notional)
    return max(0, ppm_ceil(notional, step.mm_ppm) - step.deduction)


def tiered_liquidation_price_e6(schedule: tuple[Bracket, ...], size_e8: int, cost: int, margin: int) -> int:
    """Return the last safe price under brackets, as `margin.liquidation_price_e6` is for one rate."""

    def is_safe(price_e6: int) -> bool:
        required = maintenance(schedule, abs(size_e8) * price_e6 // QTY_SCALE)
        return equity_e8(size_e8, cost, margin, price_e6) >= required * QTY_SCALE

    return last_safe_price_e6(size_e8 > 0, is_safe)


def open_interest_im_ppm(im_ppm: int, open_interest: int, lower_cap: int, upper_cap: int) -> int:
    """Return the initial margin rate of a crowded market, up to 100 %. Source: dYdX. Rule: RISK-042.

    Linear from `im_ppm` at the lower cap of open interest to 100 % at the upper; no caps, no scaling.

    >>> open_interest_im_ppm(200_000, 1_234_567, 1_000_000, 2_000_000)
    387653
    """
    share, whole = _crowding(open_interest, lower_cap, upper_cap)
    return min(PPM, im_ppm + max(0, PPM - im_ppm) * share // whole)


def open_interest_margin(
    notional: int, im_ppm: int, open_interest: int, lower_cap: int, upper_cap: int
) -> int:
    """Return the initial margin at the exact, unrounded rate of a crowded market, rounded up."""
    share, whole = _crowding(open_interest, lower_cap, upper_cap)
    rate = min(PPM * whole, im_ppm * whole + max(0, PPM - im_ppm) * share)
    return div_ceil(notional * rate, PPM * whole)


def _crowding(open_interest: int, lower_cap: int, upper_cap: int) -> tuple[int, int]:
    """Return how far open interest is from the lower cap to the upper, as a fraction."""
    if upper_cap <= 0 or open_interest <= lower_cap:
        return 0, 1
    if open_interest >= upper_cap:
        return 1, 1
    return open_interest - lower_cap, upper_cap - lower_cap


def maintenance_fraction_ppm(im_ppm: int, fraction_ppm: int) -> int:
    """Return the maintenance rate as a fraction of the initial rate, floored. Source: dYdX.

    >>> maintenance_fraction_ppm(637_239, 289_284)
    184343
    """
    return im_ppm * fraction_ppm // PPM
