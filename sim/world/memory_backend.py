"""The default backend: all state in this process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from sim.kernel.backend import QueueDef, Record
from system.adapters.memory.lake import MemoryLake
from system.adapters.memory.queue import MemoryFifo, MemoryQueue
from system.adapters.memory.store import MemoryStore
from system.adapters.memory.tables import TableDef
from system.adapters.memory.topic import MemoryTopic
from system.model.keys import Item
from system.ports.clock import Clock

_UNLIMITED = 1 << 62


class MemoryBackend:
    """Tables, queues, topic and lake in plain dicts; `commands` names the FIFO queue behind the Queue port.

    `consumers` names every reader of a table's stream; what all of them have passed is forgotten.
    A table that is not in it keeps its whole stream.
    """

    name = "memory"

    def __init__(
        self,
        clock: Clock,
        tables: Sequence[TableDef],
        queues: Sequence[QueueDef],
        *,
        commands: str,
        lake_folder: Path | None = None,
        consumers: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self.store = MemoryStore(clock, tables)
        self.queues = _build_queues(clock, queues)
        queue = self.queues[commands]
        assert isinstance(queue, MemoryFifo), f"{commands}: expected a FIFO queue"
        self.queue = queue
        self.topic = MemoryTopic()
        self.lake = MemoryLake(lake_folder)
        for table, names in (consumers or {}).items():
            self.store.stream(table).declare(names)

    def read_stream(self, table: str, consumer: str, limit: int, event_name: str = "") -> list[Record]:
        return self.store.stream(table).read(consumer, limit, event_name)

    def advance_stream(self, table: str, consumer: str, count: int) -> None:
        self.store.stream(table).advance(consumer, count)

    def send(self, queue: str, body: str) -> None:
        held = self.queues[queue]
        assert isinstance(held, MemoryQueue), f"{queue}: expected a standard queue"
        held.send(body)

    def receive(self, queue: str, limit: int, visibility_ns: int) -> list[Record]:
        return self.queues[queue].receive(limit, visibility_ns)

    def delete(self, queue: str, receipt_handle: str) -> None:
        self.queues[queue].delete(receipt_handle)

    def release(self, queue: str, receipt_handle: str) -> None:
        self.queues[queue].release(receipt_handle)

    def published(self) -> list[str]:
        messages = self.topic.messages
        self.topic.messages = []
        return messages

    def tables(self) -> list[str]:
        return self.store.table_names()

    def scan(self, table: str) -> list[Item]:
        return self.store.scan(table)

    def sweep(self, now_ns: int) -> int:
        return self.store.sweep(now_ns)

    def close(self) -> None:
        """Nothing is held outside this process's memory."""


def _build_queues(clock: Clock, definitions: Sequence[QueueDef]) -> dict[str, MemoryFifo | MemoryQueue]:
    """Build dead-letter queues before the queues that need them."""
    built: dict[str, MemoryFifo | MemoryQueue] = {}
    waiting = list(definitions)
    while waiting:
        ready = [queue for queue in waiting if not queue.dead_letter or queue.dead_letter in built]
        assert ready, f"queues: dead letters that are not there or in a circle: {waiting}"
        for queue in ready:
            kind = MemoryFifo if queue.fifo else MemoryQueue
            dead_letters = built[queue.dead_letter] if queue.dead_letter else None
            built[queue.name] = kind(clock, queue.name, queue.max_receive_count or _UNLIMITED, dead_letters)
            waiting.remove(queue)
    return built
