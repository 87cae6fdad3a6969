"""A withdrawal that an account signed: its row in Settlements, and the row by which it is found while open.

It begins PENDING, with its amount put aside in Balances (`exiting`). It is SUBMITTED while a transaction
for it is under way, and ends PAID or RETURNED.
"""

from __future__ import annotations

from system.model import keys
from system.model.keys import Item, Key

PENDING = "PENDING"
SUBMITTED = "SUBMITTED"
PAID = "PAID"
RETURNED = "RETURNED"  # nothing was paid before its deadline; the amount is available again

OPEN_PK = "CHAIN#WITHDRAWALS"
"""A row for each that is neither PAID nor RETURNED: {trader, uuid}."""


def row_key(trader: str, uuid: str) -> Key:
    """Return the key of a withdrawal; a trader's sort by time."""
    return Key(keys.trader_pk(trader), keys.event_sk(uuid))


def open_key(trader: str, nonce: int) -> Key:
    """Return the key of an open one, by what the Vault's event says of it."""
    return Key(OPEN_PK, f"{trader}#{nonce}")


def key_of(row: Item) -> Key:
    """Return the key of the withdrawal that an open row names."""
    return row_key(row["trader"], row["uuid"])
