"""Part of a fee back, in CXPT: RISK-080. `rebate_ppm` is 0 unless a market says otherwise."""

from __future__ import annotations

from system.model.units import PPM


def rebate_step(fee_before: int, fee_after: int, rebate_ppm: int) -> int:
    """Return the next rebate of an order, so that all of them are one rounded-down share of its fees.

    The rebate is USDC that leaves FEES for CXPT_BACKING, and as much CXPT minted to the trader; a
    market's rebate is at most its fee.

    >>> [rebate_step(before, after, 200_000) for before, after in ((0, 4), (4, 9), (9, 10))]
    [0, 1, 1]
    """
    return fee_after * rebate_ppm // PPM - fee_before * rebate_ppm // PPM
