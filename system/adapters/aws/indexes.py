"""The attributes of each global secondary index, as a query must name them; the template defines them."""

from __future__ import annotations

from system.model import keys

INDEXES: dict[str, dict[str, tuple[str, str]]] = {
    keys.ORDERS: {"trader": ("trader_key", "SK")},
    keys.TRADES: {"maker": ("maker_key", "SK"), "taker": ("taker_key", "SK")},
    keys.POSITIONS: {"market": ("SK", "PK")},
    keys.MARKETS: {"status": ("status", "PK")},
    keys.WS_CONNECTIONS: {"channel": ("channel", "PK")},
}
