"""What a batch may use: the gas limit that it is signed with, and so how many trades fit into one.

Nothing is estimated before signing. The constants are upper bounds of what was measured, and
tests/contracts/test_gas.py holds them against the compiled contracts.
"""

from __future__ import annotations

TX_GAS_CAP = 1 << 24
"""What one transaction may use on mainnet since Osaka. Source: EIP-7825."""

BATCH_GAS = 300_000
ORDER_GAS = 115_000
FILL_GAS = 30_000
"""A third more than was measured (decision 0018): an order of a stranger writes six new slots, a further fill
of an order that is in the batch writes none."""


def gas_limit(orders: int, fills: int) -> int:
    """Return what a batch of so many orders and fills may use. Rule: SETL-009.

    >>> gas_limit(100, 50), gas_limit(99, 98), gas_limit(126, 63) <= TX_GAS_CAP < gas_limit(128, 64)
    (13300000, 14625000, True)
    """
    return BATCH_GAS + ORDER_GAS * orders + FILL_GAS * fills
