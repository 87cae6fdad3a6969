"""WebSockets on API Gateway."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from system.adapters.aws.failures import Asking


class ApiGatewaySockets:
    """`ports.queue.Sockets` over the management endpoint of one WebSocket API."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def post(self, connection_id: str, data: bytes) -> bool:
        """Send to one WebSocket; False when the connection is gone (410)."""
        with Asking("sockets.post"):
            try:
                self._client.post_to_connection(ConnectionId=connection_id, Data=data)
            except ClientError as error:
                if error.response["Error"]["Code"] in ("GoneException", "410"):
                    return False
                raise
        return True
