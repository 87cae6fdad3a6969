"""Integers with a unit, and the few roundings of the exchange.

Every amount is an integer in its smallest unit: uUSDC (1e-6 USDC), `price_e6` (uUSDC per
1.0 base), `qty_e8` (1e-8 base), ppm for rates, ns since the epoch for time. A market is legal
only when `tick_e6 * lot_e8 % 10**8 == 0`, so a trade's notional is always exact.
"""

from __future__ import annotations

QTY_SCALE = 10**8
PPM = 1_000_000
NS = 1_000_000_000
MINUTE_NS = 60 * NS
DAY_NS = 86_400 * NS
FEE_PPM = 5_000


def notional(price_e6: int, qty_e8: int) -> int:
    """Return price times quantity in uUSDC; exact for legal ticks and lots.

    >>> notional(60_000_000_000, 10_000)  # 60 000 USDC, 0.0001 BTC
    6000000
    """
    return price_e6 * qty_e8 // QTY_SCALE


def ppm_ceil(amount: int, ppm: int) -> int:
    """Return the share `ppm` of `amount`, rounded up (in favour of the exchange).

    >>> ppm_ceil(1, 5_000), ppm_ceil(200, 5_000), ppm_ceil(201, 5_000)
    (1, 1, 2)
    """
    return -(-amount * ppm // PPM)


def div_ceil(numerator: int, denominator: int) -> int:
    """Divide rounding toward plus infinity, also for negative numerators.

    >>> div_ceil(100, 3), div_ceil(-100, 3)
    (34, -33)
    """
    return -(-numerator // denominator)


def fee_step(cumulative_notional: int, paid: int, fee_ppm: int) -> int:
    """Return the next fee of an order so that all its fees together are one rounded-up fee.

    Telescoping: the total after any number of fills is `ceil(fee_ppm * total notional)`, so it
    never exceeds what was reserved for the whole order. Rule: FEES-001.
    """
    return ppm_ceil(cumulative_notional, fee_ppm) - paid


def div_trunc(numerator: int, denominator: int) -> int:
    """Divide rounding toward zero, so that -x gives minus what x gives; the denominator is above 0.

    >>> div_trunc(7, 2), div_trunc(-7, 2)
    (3, -3)
    """
    return numerator // denominator if numerator >= 0 else -(-numerator // denominator)


def div_half_even(numerator: int, denominator: int) -> int:
    """Divide rounding to the nearest whole number, ties to the even one; the denominator is above 0.

    >>> div_half_even(5, 2), div_half_even(7, 2), div_half_even(-5, 2)
    (2, 4, -2)
    """
    down, rest = divmod(numerator, denominator)
    return down + (2 * rest > denominator or (2 * rest == denominator and down % 2 == 1))


def to_tick(numerator: int, tick: int, denominator: int = 1) -> int:
    """Return a price (or the fraction of one) as the nearest multiple of the tick, ties to the even one.

    >>> to_tick(60_066_666_650, 100), to_tick(108_120_000_000_000, 100, 1_800)
    (60066666600, 60066666700)
    """
    return div_half_even(numerator, tick * denominator) * tick


def fixed_point(mantissa: int, exponent: int, decimals: int = 6) -> int:
    """Return `mantissa * 10**exponent` in units of `10**-decimals`, half-even: Pyth's prices and intervals.

    >>> fixed_point(12_276_250, -5), fixed_point(1_500, -5)
    (122762500, 15000)
    """
    shift = exponent + decimals
    return mantissa * 10**shift if shift >= 0 else div_half_even(mantissa, 10**-shift)
