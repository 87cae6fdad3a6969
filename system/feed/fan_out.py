"""The FanOut function: one topic message in, one post per subscriber and message out."""

from __future__ import annotations

from typing import Any

from system.feed.envelope import numbered, read_envelope, read_messages
from system.model import keys
from system.model.units import NS
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
            self._serve(record["Sns"]["Message"], now_ns)

    def _serve(self, publication: str, now_ns: int) -> None:
        heard: list[tuple[str, int, list[str], bytes]] = []
        without: dict[str, int] = {}  # by channel: how many messages have no number yet
        for message in read_messages(publication):
            envelope = read_envelope(message)
            channel = envelope.channel
            connections = self._of(channel, now_ns)
            if connections:
                heard.append((channel, envelope.seq, connections, bytes(message)))
                if not envelope.seq:
                    without[channel] = without.get(channel, 0) + 1
        last = self._numbers(without) if without else {}
        for channel, seq, connections, data in heard:
            if seq:
                self._post(connections, data)
            else:
                last[channel] += 1
                self._post(connections, numbered(data, last[channel]))

    def _numbers(self, without: dict[str, int]) -> dict[str, int]:
        """Take so many numbers of each channel and return what comes before them. Rule: FANO-004.

        No other instance gets them. Whoever dies before it has posted leaves a hole, and the reader knows.
        """
        by = {keys.channel_key(channel): count for channel, count in without.items()}
        sums = self.store.count(keys.WS_CONNECTIONS, "seq", by)
        return {each: last - without[each] for each, last in zip(without, sums, strict=True)}

    def _of(self, channel: str, now_ns: int) -> list[str]:
        known = self._subscribers.get(channel)
        if known is not None and now_ns - known[0] < self.cache_ns:
            return known[1]
        rows = query_all(self.store, keys.WS_CONNECTIONS, channel, index="channel")
        # TTL deletes within days: who has been silent for too long is passed over until then
        connections = [row["connection_id"] for row in rows if row["ttl"] * NS > now_ns]
        self._subscribers[channel] = (now_ns, connections)
        return connections

    def _post(self, connections: list[str], data: bytes) -> None:
        gone = [connection for connection in connections if not self.sockets.post(connection, data)]
        for connection in gone:
            connections.remove(connection)
            pk = keys.connection_pk(connection)
            for row in query_all(self.store, keys.WS_CONNECTIONS, pk):
                self.store.write(Delete(keys.WS_CONNECTIONS, keys.Key(pk, row["SK"])))
