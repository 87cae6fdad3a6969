"""Part of a fee back, in CXPT: RISK-080. `rebate_ppm` is 0 unless a market says otherwise."""

from __future__ import annotations

from system.model.units import PPM


def rebate_step(cumulative_fee: int, rebated: int, rebate_ppm: int) -> int:
    """Return the next rebate of an order so that all of them are one rounded-down share of its fees.

    The rebate is USDC that leaves FEES for CXPT_BACKING, and as much CXPT minted to the trader; a
    market's rebate is at most its fee.

    >>> [rebate_step(fees, paid, 200_000) for fees, paid in ((4, 0), (9, 0), (10, 1))]
    [0, 1, 1]
    """
    return cumulative_fee * min(rebate_ppm, PPM) // PPM - rebated
