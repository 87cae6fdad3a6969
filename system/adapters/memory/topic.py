"""SNS in memory: messages go to whoever subscribed, or are kept when nobody has."""

from __future__ import annotations

from collections.abc import Callable


class MemoryTopic:
    """Hand every message to every subscriber at once; when and how often it arrives is the harness's play."""

    def __init__(self) -> None:
        self.messages: list[str] = []  # published while nobody was subscribed
        self._subscribers: list[Callable[[str], None]] = []

    def subscribe(self, receive: Callable[[str], None]) -> None:
        """Add a subscriber; it hears only what is published from now on."""
        self._subscribers.append(receive)

    def publish(self, message: str) -> None:
        """Hand one message to every subscriber."""
        if not self._subscribers:
            self.messages.append(message)
        for receive in self._subscribers:
            receive(message)
