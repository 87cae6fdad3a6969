"""What a batch may use: the gas limit that it is signed with, and so how many trades fit into one.

Nothing is estimated before signing. The constants are upper bounds of what was measured, and
tests/contracts/test_gas.py holds them against the compiled contracts.
"""

from __future__ import annotations

TX_GAS_CAP = 1 << 24
"""What one transaction may use on mainnet since Osaka. Source: EIP-7825."""

BATCH_GAS = 300_000
ORDER_GAS = 50_000
FILL_GAS = 200_000


def gas_limit(orders: int, fills: int) -> int:
    """Return what a batch of so many orders and fills may use. Rule: SETL-009.

    >>> gas_limit(100, 50)
    15300000
    """
    return BATCH_GAS + ORDER_GAS * orders + FILL_GAS * fills
