"""The FanOut function: one topic message in, one post per subscriber and message out."""

from __future__ import annotations

from typing import Any

from system.feed.envelope import read_channel, read_messages
from system.model import keys
from system.ports.clock import Clock
from system.ports.queue import Sockets
from system.ports.store import Delete, Store, query_all


class FanOut:
    """Posts news to the subscribers of its channel and forgets connections that are gone.

    A list of subscribers is kept for `cache_ns` in the instance's memory: a new subscriber may
    miss that much, an order does not cost a query.
    """

    def __init__(self, store: Store, sockets: Sockets, clock: Clock, cache_ns: int) -> None:
        self.store = store
        self.sockets = sockets
        self.clock = clock
        self.cache_ns = cache_ns
        self._subscribers: dict[str, tuple[int, list[str]]] = {}

    def handle(self, event: dict[str, Any], _context: Any) -> None:
        """Serve one SNS event."""
        now_ns = self.clock.now_ns()
        for record in event["Records"]:
            for message in read_messages(record["Sns"]["Message"]):
                connections = self._of(read_channel(message).channel, now_ns)
                if connections:
                    self._post(connections, bytes(message))

    def _of(self, channel: str, now_ns: int) -> list[str]:
        known = self._subscribers.get(channel)
        if known is not None and now_ns - known[0] < self.cache_ns:
            return known[1]
        rows = query_all(self.store, keys.WS_CONNECTIONS, channel, index="channel")
        connections = [row["connection_id"] for row in rows]
        self._subscribers[channel] = (now_ns, connections)
        return connections

    def _post(self, connections: list[str], data: bytes) -> None:
        gone = [connection for connection in connections if not self.sockets.post(connection, data)]
        for connection in gone:
            connections.remove(connection)
            pk = keys.connection_pk(connection)
            for row in query_all(self.store, keys.WS_CONNECTIONS, pk):
                self.store.write(Delete(keys.WS_CONNECTIONS, keys.Key(pk, row["SK"])))
