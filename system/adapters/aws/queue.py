"""Commands on SQS."""

from __future__ import annotations

from typing import Any

from system.adapters.aws.failures import Asking


class SqsQueue:
    """`ports.queue.Queue` over a FIFO queue."""

    def __init__(self, client: Any, url: str) -> None:
        self._client = client
        self._url = url

    def send(self, body: str, group: str, dedup_id: str) -> None:
        """Append a message to its group; the same dedup id within 5 minutes is dropped."""
        with Asking("queue.send"):
            self._client.send_message(
                QueueUrl=self._url, MessageBody=body, MessageGroupId=group, MessageDeduplicationId=dedup_id
            )
