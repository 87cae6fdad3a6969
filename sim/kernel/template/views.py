"""What the harness wants to know of each resource of the template, as plain records.

Resources name each other by logical id (`function`, `logical_id`), state is named as the ports and
the backend name it: tables and queues by name. "" and 0 mean that there is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from sim.kernel.template.schedule_expression import next_fire


class TableView(NamedTuple):
    """A table. `indexes` maps a GSI to its (partition, sort) attributes; `keys` shows how PK and SK look."""

    logical_id: str
    name: str
    indexes: Mapping[str, tuple[str, str]]
    stream_view: str
    ttl_attribute: str
    recovery: bool
    keys: tuple[str, str]


class QueueView(NamedTuple):
    """A queue. `attributes` are those of SetQueueAttributes; `dead_letter` is a queue's name."""

    logical_id: str
    name: str
    fifo: bool
    delay_s: int
    visibility_s: int
    max_receive_count: int
    dead_letter: str
    attributes: Mapping[str, str]


class TopicView(NamedTuple):
    logical_id: str
    name: str
    arn: str


class SubscriptionView(NamedTuple):
    logical_id: str
    topic: str  # logical id
    protocol: str
    function: str
    dead_letter: str


class BucketView(NamedTuple):
    """A bucket; `lifecycle` maps a prefix to (storage class, after days)."""

    logical_id: str
    name: str
    lifecycle: Mapping[str, tuple[str, int]]
    encryption: str
    public_access_blocked: bool


class PipeView(NamedTuple):
    """A pipe from a table's stream to a FIFO queue; the paths are JSON paths into a stream record."""

    logical_id: str
    source_table: str
    event_name: str
    batch_size: int
    target_queue: str
    group_path: str
    dedup_path: str


class FunctionView(NamedTuple):
    """A Lambda function. `handler` is `system.lambdas.<name>`, as the template spells it."""

    logical_id: str
    handler: str
    name: str
    timeout_s: int
    memory_mb: int
    environment: Mapping[str, str]


class MappingView(NamedTuple):
    """An event source mapping: one of `source_table` (its stream) and `source_queue` is set.

    `visibility_s` is the queue's; `retries` counts from 0, -1 means until the record expires.
    """

    logical_id: str
    function: str
    source_table: str
    source_queue: str
    batch_size: int
    window_s: int
    event_name: str
    report_failures: bool
    bisect: bool
    retries: int
    visibility_s: int
    dead_letter: str


class ScheduleView(NamedTuple):
    """A schedule that starts a function, or puts a tick into a queue."""

    logical_id: str
    expression: str
    function: str
    queue: str

    def next_fire_ns(self, after_ns: int) -> int:
        """Return the first instant strictly after `after_ns` at which it fires, in UTC ns."""
        return next_fire(self.expression)(after_ns)


class HttpRouteView(NamedTuple):
    """`key` is the API Gateway route key, as `POST /orders`; `jwt` says whether a token is asked for."""

    logical_id: str
    key: str
    function: str
    jwt: bool


class WsRouteView(NamedTuple):
    """A WebSocket route; `answers`: what its function returns goes back to the connection."""

    logical_id: str
    key: str
    function: str
    answers: bool
