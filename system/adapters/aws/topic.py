"""MarketUpdates on SNS."""

from __future__ import annotations

from typing import Any

from system.adapters.aws.failures import Asking


class SnsTopic:
    """`ports.queue.Topic` over a standard topic."""

    def __init__(self, client: Any, arn: str) -> None:
        self._client = client
        self._arn = arn

    def publish(self, message: str) -> None:
        """Hand one message to every subscriber."""
        with Asking("topic.publish"):
            self._client.publish(TopicArn=self._arn, Message=message)
