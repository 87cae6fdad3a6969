"""Queues, the topic and the sockets: where messages leave the system."""

from typing import Protocol


class Queue(Protocol):
    """Send to the FIFO queue of commands (SQS)."""

    def send(self, body: str, group: str, dedup_id: str) -> None:
        """Append a message to its group (MessageGroupId); the same dedup id within 5 minutes is dropped."""


class Topic(Protocol):
    """Publish to MarketUpdates (SNS)."""

    def publish(self, message: str) -> None:
        """Hand one message to every subscriber, at least once, in no promised order."""


class Sockets(Protocol):
    """API Gateway's post-to-connection."""

    def post(self, connection_id: str, data: bytes) -> bool:
        """Send to one WebSocket; False when the connection is gone (410)."""
