"""SQS in memory: a FIFO queue with message groups, and a standard queue with delays.

Both hand out messages in the shape that Lambda's event source mapping gives to a handler.
Source: AWS SQS developer guide, "FIFO queue delivery logic", "Visibility timeout", "Dead-letter queues".
"""

from __future__ import annotations

from collections import deque
from heapq import heappop, heappush
from typing import Any, Protocol

from system.model.units import MINUTE_NS
from system.ports.clock import Clock

Record = dict[str, Any]

DEDUP_NS = 5 * MINUTE_NS
MAX_RECEIVE_BATCH = 10
MAX_MESSAGE_BYTES = 1024 * 1024
_MAX_RECEIVE_COUNT_UNLIMITED = 1 << 62
_ARN = "arn:aws:sqs:us-east-1:000000000000:"


class DeadLetters(Protocol):
    """Where a queue puts what was received too often."""

    def adopt(self, message: Message) -> None:
        """Take over a message with its id, body, group and attributes."""


class Message:
    """One message and what has happened to it."""

    __slots__ = ("body", "dedup_id", "group", "message_id", "number", "received", "sent_ms", "visible_ns")

    def __init__(
        self, number: int, message_id: str, body: str, group: str, dedup_id: str, sent_ms: int
    ) -> None:
        self.number = number
        self.message_id = message_id
        self.body = body
        self.group = group
        self.dedup_id = dedup_id
        self.sent_ms = sent_ms
        self.received = 0
        self.visible_ns = 0

    @property
    def handle(self) -> str:
        """The receipt handle; each receive makes the one before it void."""
        return f"{self.message_id}#{self.received}"


class MemoryFifo:
    """A FIFO queue: order and one batch in flight per group, deduplication for five minutes.

    A group with a message in flight gives no others, so a failed message is received again before
    everything behind it. A message received more than `max_receive_count` times goes to the dead
    letters. A deduplication id is remembered for five minutes, also after its message is deleted.
    """

    def __init__(
        self,
        clock: Clock,
        name: str,
        max_receive_count: int = _MAX_RECEIVE_COUNT_UNLIMITED,
        dead_letters: DeadLetters | None = None,
    ) -> None:
        self.name = name
        self._clock = clock
        self._max_receive_count = max_receive_count
        self._dead_letters = dead_letters
        self._number = 0
        self._groups: dict[str, deque[Message]] = {}  # not in flight, in order
        self._in_flight: dict[str, dict[str, Message]] = {}  # group -> message id -> message, in order
        self._dedup: dict[str, None] = {}
        self._dedup_ages: deque[tuple[int, str]] = deque()

    def send(self, body: str, group: str, dedup_id: str) -> None:
        """Append a message to its group; the same dedup id within 5 minutes is dropped."""
        if len(body) > MAX_MESSAGE_BYTES:
            raise ValueError(f"{self.name}: expected at most {MAX_MESSAGE_BYTES} bytes, was {len(body)}")
        now_ns, ages = self._clock.now_ns(), self._dedup_ages
        while ages and ages[0][0] <= now_ns:
            del self._dedup[ages.popleft()[1]]
        if dedup_id in self._dedup:
            return
        self._dedup[dedup_id] = None
        ages.append((now_ns + DEDUP_NS, dedup_id))
        self._number += 1
        number = self._number
        message = Message(number, _message_id(number), body, group, dedup_id, now_ns // 1_000_000)
        self._enqueue(message)

    def adopt(self, message: Message) -> None:
        """Take over a message of another queue (redrive)."""
        self._number += 1
        adopted = Message(
            self._number, message.message_id, message.body, message.group, message.dedup_id, message.sent_ms
        )
        adopted.received = message.received
        self._enqueue(adopted)

    def receive(self, limit: int, visibility_ns: int) -> list[Record]:
        """Return up to ten messages in order of sending, none of a group that has one in flight."""
        now_ns = self._clock.now_ns()
        if self._in_flight:
            self._return_overdue(now_ns)
        ready = [held for group, held in self._groups.items() if group not in self._in_flight]
        records: list[Record] = []
        limit = min(limit, MAX_RECEIVE_BATCH)
        while ready and len(records) < limit:
            held = ready[0] if len(ready) == 1 else min(ready, key=_first_number)
            message = held.popleft()
            if not held:
                ready.remove(held)
                del self._groups[message.group]
            if message.received >= self._max_receive_count and self._dead_letters is not None:
                self._dead_letters.adopt(message)
                continue
            message.received += 1
            message.visible_ns = now_ns + visibility_ns
            self._in_flight.setdefault(message.group, {})[message.message_id] = message
            records.append(_record(self.name, message, fifo=True))
        return records

    def delete(self, receipt_handle: str) -> None:
        """Remove a received message; a void handle does nothing."""
        self._take(receipt_handle)

    def release(self, receipt_handle: str) -> None:
        """Make a received message visible again at once (visibility timeout 0)."""
        message = self._take(receipt_handle)
        if message is not None:
            self._return([message])

    def visible_count(self) -> int:
        """Return how many messages wait, those behind a message in flight included."""
        return sum(map(len, self._groups.values()))

    def in_flight_count(self) -> int:
        """Return how many messages are received and neither deleted nor released nor overdue."""
        return sum(map(len, self._in_flight.values()))

    def _enqueue(self, message: Message) -> None:
        held = self._groups.get(message.group)
        if held is None:
            held = self._groups[message.group] = deque()
        held.append(message)

    def _take(self, receipt_handle: str) -> Message | None:
        now_ns = self._clock.now_ns()
        message_id = receipt_handle.partition("#")[0]
        for group, messages in self._in_flight.items():
            message = messages.get(message_id)
            if message is None:
                continue
            if message.handle != receipt_handle or message.visible_ns <= now_ns:
                return None
            del messages[message_id]
            if not messages:
                del self._in_flight[group]
            return message
        return None

    def _return_overdue(self, now_ns: int) -> None:
        for group, messages in list(self._in_flight.items()):
            overdue = [message for message in messages.values() if message.visible_ns <= now_ns]
            for message in overdue:
                del messages[message.message_id]
            if not messages:
                del self._in_flight[group]
            if overdue:
                self._return(overdue)

    def _return(self, messages: list[Message]) -> None:
        """Put messages of one group back where they belong."""
        group = messages[0].group
        held = self._groups.get(group)
        if held is None:
            self._groups[group] = deque(messages)
        elif messages[-1].number < held[0].number:
            held.extendleft(reversed(messages))
        else:
            self._groups[group] = deque(sorted([*messages, *held], key=_number))


class MemoryQueue:
    """A standard queue: at least once, a delay before a message is first seen, no promised order."""

    def __init__(
        self,
        clock: Clock,
        name: str,
        max_receive_count: int = _MAX_RECEIVE_COUNT_UNLIMITED,
        dead_letters: DeadLetters | None = None,
    ) -> None:
        self.name = name
        self._clock = clock
        self._max_receive_count = max_receive_count
        self._dead_letters = dead_letters
        self._number = 0
        self._waiting: list[tuple[int, int, Message]] = []  # heap by (visible from, number)
        self._in_flight: dict[str, Message] = {}

    def send(self, body: str, delay_ns: int = 0) -> None:
        """Add a message that is first received `delay_ns` from now (DelaySeconds)."""
        if len(body) > MAX_MESSAGE_BYTES:
            raise ValueError(f"{self.name}: expected at most {MAX_MESSAGE_BYTES} bytes, was {len(body)}")
        self._number += 1
        now_ns = self._clock.now_ns()
        message = Message(self._number, _message_id(self._number), body, "", "", now_ns // 1_000_000)
        heappush(self._waiting, (now_ns + delay_ns, message.number, message))

    def adopt(self, message: Message) -> None:
        """Take over a message of another queue (redrive)."""
        self._number += 1
        adopted = Message(self._number, message.message_id, message.body, "", "", message.sent_ms)
        adopted.received = message.received
        heappush(self._waiting, (0, adopted.number, adopted))

    def receive(self, limit: int, visibility_ns: int) -> list[Record]:
        """Return up to ten visible messages, the longest visible first."""
        now_ns = self._clock.now_ns()
        for message in [held for held in self._in_flight.values() if held.visible_ns <= now_ns]:
            del self._in_flight[message.message_id]
            heappush(self._waiting, (message.visible_ns, message.number, message))
        records: list[Record] = []
        limit = min(limit, MAX_RECEIVE_BATCH)
        while self._waiting and self._waiting[0][0] <= now_ns and len(records) < limit:
            message = heappop(self._waiting)[2]
            if message.received >= self._max_receive_count and self._dead_letters is not None:
                self._dead_letters.adopt(message)
                continue
            message.received += 1
            message.visible_ns = now_ns + visibility_ns
            self._in_flight[message.message_id] = message
            records.append(_record(self.name, message, fifo=False))
        return records

    def delete(self, receipt_handle: str) -> None:
        """Remove a received message; a void handle does nothing."""
        self._take(receipt_handle)

    def release(self, receipt_handle: str) -> None:
        """Make a received message visible again at once (visibility timeout 0)."""
        message = self._take(receipt_handle)
        if message is not None:
            heappush(self._waiting, (self._clock.now_ns(), message.number, message))

    def visible_count(self) -> int:
        """Return how many messages wait, delayed ones included."""
        return len(self._waiting)

    def in_flight_count(self) -> int:
        """Return how many messages are received and neither deleted nor released."""
        return len(self._in_flight)

    def _take(self, receipt_handle: str) -> Message | None:
        message = self._in_flight.get(receipt_handle.partition("#")[0])
        if message is None or message.handle != receipt_handle:
            return None
        del self._in_flight[message.message_id]
        return message


def _number(message: Message) -> int:
    return message.number


def _first_number(held: deque[Message]) -> int:
    return held[0].number


def _message_id(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012x}"


def _record(queue: str, message: Message, *, fifo: bool) -> Record:
    attributes = {
        "ApproximateReceiveCount": str(message.received),
        "SentTimestamp": str(message.sent_ms),
    }
    if fifo:
        attributes["SequenceNumber"] = f"{message.number:020d}"
        attributes["MessageGroupId"] = message.group
        attributes["MessageDeduplicationId"] = message.dedup_id
    return {
        "messageId": message.message_id,
        "receiptHandle": message.handle,
        "body": message.body,
        "attributes": attributes,
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": _ARN + queue,
        "awsRegion": "us-east-1",
    }
