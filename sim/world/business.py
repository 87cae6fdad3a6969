"""What a run did to the business, without anything that a vendor or a wall clock made.

Two backends, or two chains, that play the same scenario must agree on this to the last byte.
"""

from __future__ import annotations

from hashlib import blake2b

import orjson

from sim.kernel.backend import Backend
from system.model import keys
from system.model.keys import Item

TABLES = (
    keys.MARKETS,
    keys.ORDERS,
    keys.TRADES,
    keys.POSITIONS,
    keys.BALANCES,
    keys.STATS_INTRADAY,
    keys.STATS_DAILY,
    keys.STATS_LIFETIME,
    keys.SETTLEMENTS,
)

CHAIN_MADE = frozenset(
    {
        *("tx_hash", "raw", "block_hash", "block_number", "head", "prev_hash", "superseded", "markers"),
        *("hashes", "gas", "gas_used", "max_fee", "priority_fee"),
    }
)
"""Attributes that a chain makes: hashes, heights and the price of gas differ between the model and Anvil."""


def business_digest(backend: Backend) -> str:
    """Return the blake2b-256 of the business tables in canonical JSON, in hex."""
    digest = blake2b(digest_size=32)
    for table in TABLES:
        # by what they say, because a deposit's place among the rows is its block's hash
        for line in sorted(business_line(table, item) for item in backend.scan(table)):
            digest.update(line)
    return digest.hexdigest()


def business_line(table: str, item: Item) -> bytes:
    """Return a row as the digest sees it."""
    plain = {name: _json(value) for name, value in item.items() if name not in CHAIN_MADE}
    if table == keys.SETTLEMENTS and item["PK"].startswith(("DEPOSIT#", "WITHDRAWAL#")):
        # the marker's key is a block hash and a log index; what was credited is in Balances
        plain = {name: value for name, value in plain.items() if name not in ("PK", "SK")}
    return orjson.dumps([table, plain], option=orjson.OPT_SORT_KEYS) + b"\n"


def _json(value: object) -> object:
    """Integers as text: some exceed 64 bits, and JSON readers differ beyond 53."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list):
        return [_json(element) for element in value]
    if isinstance(value, dict):
        return {name: _json(element) for name, element in value.items()}
    return value
