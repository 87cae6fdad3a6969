"""Where the state of a run lives, as the harness sees it: one small interface over every backend.

The system reaches the same state through its ports (`store`, `queue`, `topic`, `lake`); the
harness plays AWS's plumbing in virtual time and needs the rest: to read streams, to receive from
queues, to take what was published, to look at whole tables. All backends hand out the same
batches for the same history, so that timelines and business digests are equal.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from system.model.keys import Item
from system.ports.lake import Lake
from system.ports.queue import Queue, Topic
from system.ports.store import Store

Record = dict[str, Any]


class QueueDef(NamedTuple):
    """A queue of the template. `dead_letter` is the name of the queue that takes over, "" for none."""

    name: str
    fifo: bool
    max_receive_count: int = 0
    dead_letter: str = ""


class Backend(Protocol):
    """The state of one run. Records that it returns are shared: nobody changes them."""

    name: str

    # read-only, so that a backend may have its own adapter there

    @property
    def store(self) -> Store:
        """The tables, as the system sees them."""

    @property
    def queue(self) -> Queue:
        """The FIFO queue of commands."""

    @property
    def topic(self) -> Topic:
        """MarketUpdates."""

    @property
    def lake(self) -> Lake:
        """The data lake."""

    def read_stream(self, table: str, consumer: str, limit: int, event_name: str = "") -> list[Record]:
        """Return the next AWS-shaped records after the consumer's cursor, which does not move.

        A consumer starts at the oldest record. With `event_name` (INSERT, MODIFY, REMOVE) other
        records are passed over, as a pipe's filter does.
        """

    def advance_stream(self, table: str, consumer: str, count: int) -> None:
        """Move the cursor behind the first `count` records of the consumer's last read."""

    def send(self, queue: str, body: str) -> None:
        """Put a message into a standard queue, to be seen at once; the harness plays DelaySeconds."""

    def receive(self, queue: str, limit: int, visibility_ns: int) -> list[Record]:
        """Return up to 10 Lambda-shaped messages, oldest first; FIFO groups in flight are skipped."""

    def delete(self, queue: str, receipt_handle: str) -> None:
        """Acknowledge a message; a handle that is void does nothing."""

    def release(self, queue: str, receipt_handle: str) -> None:
        """Give a message back at once (visibility 0); a handle that is void does nothing."""

    def published(self) -> list[str]:
        """Return and forget the topic's messages since the last call, in order of publication."""

    def tables(self) -> list[str]:
        """Return the names of all tables."""

    def scan(self, table: str) -> list[Item]:
        """Return every item, sorted by (PK, SK)."""

    def sweep(self, now_ns: int) -> int:
        """Remove items whose TTL has passed, with stream records, and return how many."""

    def close(self) -> None:
        """Give back what the backend holds; calling it twice is no error."""
