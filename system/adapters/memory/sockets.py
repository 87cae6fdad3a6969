"""API Gateway's live WebSocket connections, in memory."""

from __future__ import annotations

from collections.abc import Callable


class MemorySockets:
    """Know who is connected; posting to a connection that is gone says so."""

    def __init__(self) -> None:
        self._live: dict[str, Callable[[bytes], None]] = {}

    def connect(self, connection_id: str, receive: Callable[[bytes], None]) -> None:
        """Register a connection and who hears it."""
        self._live[connection_id] = receive

    def disconnect(self, connection_id: str) -> None:
        """Forget a connection; forgetting it twice is no error."""
        self._live.pop(connection_id, None)

    def is_live(self, connection_id: str) -> bool:
        """Return whether a post would arrive."""
        return connection_id in self._live

    def post(self, connection_id: str, data: bytes) -> bool:
        """Send to one WebSocket; False when the connection is gone (410)."""
        receive = self._live.get(connection_id)
        if receive is None:
            return False
        receive(data)
        return True
