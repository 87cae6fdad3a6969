"""The WebSocket routes: $connect, $disconnect, subscribe, unsubscribe, ping.

Who subscribes is told the number of each channel's last message: what comes then has the next one, and
so the reader sees what it missed, from its first message on.
"""

from __future__ import annotations

import re
from typing import Any

import orjson

from system.model import keys
from system.model.errors import ConditionFailed
from system.model.units import NS
from system.ports.clock import Clock
from system.ports.store import EXISTS, Delete, Put, Store, Update, query_all

CONNECTION_TTL_S = 900
"""How long a connection is remembered that says nothing; API Gateway hangs up after ten minutes."""
CHANNEL = re.compile(r"(market|admin)\.[A-Za-z0-9-]{3,40}|trader\.[0-9a-f-]{36}")
MAX_CHANNELS = 50
_COUNTERS = {"market": "feed_seq", "admin": "admin_seq", "trader": "seq"}


class WebSocketRoutes:
    """Keeps the registry of connections and what each listens to (table WSConnections)."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self.store = store
        self.clock = clock

    def handle(self, event: dict[str, Any], _context: Any) -> dict[str, Any]:
        """Serve one WebSocket event of API Gateway."""
        context = event["requestContext"]
        connection_id = context["connectionId"]
        route = context["routeKey"]
        if route == "$connect":
            self._connect(connection_id)
            return {"statusCode": 200}
        if route == "$disconnect":
            self._disconnect(connection_id)
            return {"statusCode": 200}
        if route == "ping":
            return self._pong(connection_id)
        return self._listen(connection_id, route, event.get("body") or "")

    def _connect(self, connection_id: str) -> None:
        now_s = self.clock.now_ns() // NS
        row = {
            "PK": keys.connection_pk(connection_id),
            "SK": keys.META,
            "connection_id": connection_id,
            "connected_s": now_s,
            "ttl": now_s + CONNECTION_TTL_S,
        }
        self.store.write(Put(keys.WS_CONNECTIONS, row))

    def _disconnect(self, connection_id: str) -> None:
        pk = keys.connection_pk(connection_id)
        for row in query_all(self.store, keys.WS_CONNECTIONS, pk):
            self.store.write(Delete(keys.WS_CONNECTIONS, keys.Key(pk, row["SK"])))

    def _pong(self, connection_id: str) -> dict[str, Any]:
        """Keep a connection and what it listens to; say where its channels are. Rule: SOCK-003.

        Who finds a number that he has not heard has missed the last message, which no later one tells.
        """
        pk, ttl = keys.connection_pk(connection_id), self.clock.now_ns() // NS + CONNECTION_TTL_S
        last: dict[str, int] = {}
        for row in query_all(self.store, keys.WS_CONNECTIONS, pk):
            renewed = Update(keys.WS_CONNECTIONS, keys.Key(pk, row["SK"]), put={"ttl": ttl}, when=EXISTS)
            try:
                self.store.write(renewed)
            except ConditionFailed:
                continue  # it has just left
            if channel := row.get("channel"):
                last[channel] = self._last(channel)
        return _said({"kind": "pong", "channels": last})

    def _listen(self, connection_id: str, route: str, body: str) -> dict[str, Any]:
        try:
            channels = orjson.loads(body)["channels"]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            return _refused('expected {"action":..., "channels":[...]}')
        if not isinstance(channels, list) or not 1 <= len(channels) <= MAX_CHANNELS:
            return _refused(f"channels: expected a list of 1 to {MAX_CHANNELS}")
        wrong = [name for name in channels if not isinstance(name, str) or not CHANNEL.fullmatch(name)]
        if wrong:
            return _refused(
                f"channels: expected market.SYMBOL, trader.UUID or admin.SYMBOL, was {wrong[0]!r}"
            )
        if route not in ("subscribe", "unsubscribe"):
            return _refused(f"action: expected subscribe or unsubscribe, was {route!r}")
        pk = keys.connection_pk(connection_id)
        now_s = self.clock.now_ns() // NS
        for channel in channels:
            sk = keys.channel_sk(channel)
            if route == "unsubscribe":
                self.store.write(Delete(keys.WS_CONNECTIONS, keys.Key(pk, sk)))
                continue
            row = {
                "PK": pk,
                "SK": sk,
                "connection_id": connection_id,
                "channel": channel,
                "ttl": now_s + CONNECTION_TTL_S,
            }
            self.store.write(Put(keys.WS_CONNECTIONS, row))
        if route == "unsubscribe":
            return _said({"kind": "unsubscribed", "channels": channels})
        # read behind the rows: what is numbered later finds a subscriber
        return _said({"kind": "subscribed", "channels": {name: self._last(name) for name in channels}})

    def _last(self, channel: str) -> int:
        """Return the number of a channel's last message."""
        family, _, name = channel.partition(".")
        if family == "trader":
            row = self.store.get(keys.WS_CONNECTIONS, keys.channel_key(channel))
        else:
            row = self.store.get(keys.MATCHER_LEASES, keys.Key(keys.market_pk(name), keys.LEASE))
        last: int = row[_COUNTERS[family]] if row else 0
        return last


def _said(answer: dict[str, Any], status: int = 200) -> dict[str, Any]:
    return {"statusCode": status, "body": orjson.dumps(answer).decode()}


def _refused(detail: str) -> dict[str, Any]:
    return _said({"kind": "refused", "title": "Bad request", "detail": detail}, 400)
