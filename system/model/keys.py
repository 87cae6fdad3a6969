"""Names of tables and the formats of their keys: the one place where they are spelled.

Source: the design document's table of section 3, plus Balances, Idempotency, Settlements and
MatcherLeases (docs/decisions/0001-tables.md).
"""

from __future__ import annotations

from typing import Any, NamedTuple

Item = dict[str, Any]
"""A stored row: plain str, int, bool, None, bytes, list and dict; never mutated once stored."""

ORDERS = "Orders"
TRADES = "Trades"
POSITIONS = "Positions"
MARKETS = "Markets"
PRICES = "Prices"
STATS_INTRADAY = "StatsIntraday"
STATS_DAILY = "StatsDaily"
STATS_LIFETIME = "StatsLifetime"
WS_CONNECTIONS = "WSConnections"
BALANCES = "Balances"
IDEMPOTENCY = "Idempotency"
SETTLEMENTS = "Settlements"
MATCHER_LEASES = "MatcherLeases"

SEED_TABLES = (
    ORDERS, TRADES, POSITIONS, MARKETS, PRICES, STATS_INTRADAY, STATS_DAILY, STATS_LIFETIME, WS_CONNECTIONS,
)  # fmt: skip
TABLES = (*SEED_TABLES, BALANCES, IDEMPOTENCY, SETTLEMENTS, MATCHER_LEASES)

META = "META"
RISK = "RISK"
"""Sort key of a market's clearing house, beside its META row."""
LEASE = "LEASE"
ISSUER_PK = "ISSUER#CXPT"
"""Of Balances: USDC behind CXPT, and as `ASSET#CXPT` what is in circulation, with a minus."""
FINE = "#5s"  # behind a market's partition: its rows of five seconds
LIFETIME_PK = "KEY#GLOBAL"


class Key(NamedTuple):
    """A primary key: partition and sort key, both strings on every table."""

    pk: str
    sk: str


def market_pk(symbol: str) -> str:
    return "MARKET#" + symbol


def fine_pk(symbol: str) -> str:
    return market_pk(symbol) + FINE


def trader_pk(trader: str) -> str:
    return "TRADER#" + trader


def event_sk(uuid: str) -> str:
    """Sort key of Orders and Trades; the uuid is a version 7, so the key sorts by time."""
    return "TS#" + uuid


def asset_sk(asset: str) -> str:
    return "ASSET#" + asset


def asset_pk(asset: str) -> str:
    """Partition key of Prices."""
    return "ASSET#" + asset


def connection_pk(connection_id: str) -> str:
    return "WS#" + connection_id


def channel_sk(channel: str) -> str:
    """Sort key of a subscription row beside the connection's META row."""
    return "SUB#" + channel


def channel_key(channel: str) -> Key:
    """Key of the counter of a channel's messages, in WSConnections."""
    return Key("CHANNEL#" + channel, META)


def order_id(symbol: str, uuid: str) -> str:
    """The public order id holds both key parts, so that DELETE /orders/{id} finds its row (seed S30)."""
    return f"{symbol}:{uuid}"


def order_key(order_id: str) -> Key | None:
    """Split a public order id into its Orders key, or None when it has another shape."""
    symbol, colon, uuid = order_id.rpartition(":")
    if not colon or not symbol or not uuid:
        return None
    return Key(market_pk(symbol), event_sk(uuid))
