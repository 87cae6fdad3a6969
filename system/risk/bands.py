"""Where a price may be, around a reference: rules BAND-001 and BAND-002. Integers only."""

from __future__ import annotations

from system.model.units import PPM


def price_range(reference_e6: int, down_ppm: int, up_ppm: int, tick_e6: int = 1) -> tuple[int, int]:
    """Return the lowest and the highest price around a reference, rounded inward to ticks.

    The band of aggressive prices (0.95, 1.05), the wide filter of passive ones (0.2, 5) and a
    trigger that calms a market are the same rule,
    each with its own shares of the reference below and above.
    Sources: Binance, price range execution rules; Vega 0032, price monitoring.

    >>> price_range(10_000_000, 500_000, 2_000_000)
    (5000000, 20000000)
    """
    low = -(-reference_e6 * down_ppm // (PPM * tick_e6)) * tick_e6
    high = reference_e6 * up_ppm // (PPM * tick_e6) * tick_e6
    return low, high
