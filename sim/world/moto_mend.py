"""What moto 5.2 does otherwise than AWS, mended in this one fenced place while a run uses it.

Each mend has a test in tests/conformance/test_moto_mend.py that shows the fault in unmended moto,
and so fails when upstream mends it: then the mend goes.

MEND-1  transact_write_items copies every named table once per action: seconds at a few thousand rows.
MEND-2  time is the machine's: visibility, delays, deduplication and stamps must follow virtual time.
MEND-3  ClientRequestToken is ignored: a retried transaction is written twice.
MEND-4  a FIFO deduplication id is forgotten when its message is deleted; AWS keeps it for 5 minutes.
MEND-5  a message whose visibility ends now is not visible now, and when several of a group come back
        at once the last of them is received first.
MEND-6  a receipt handle stays good for ever; on AWS each receive and the end of visibility void it.
MEND-7  answers are serialised at 0.2 ms an attribute: 7 ms for one order.
MEND-8  an update expression is searched whole again at each of its parts: 20 ms for ten attributes.

Known and left alone: an UpdateItem that creates its item leaves two stream records (no table with a
stream is written so), sequence numbers of SQS are random, TransactionConflict never comes.
"""

from __future__ import annotations

import copy
import json
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from types import SimpleNamespace
from typing import Any

import moto.core.utils
import moto.dynamodb.models
import moto.dynamodb.models.table
from moto.core.responses import ActionResult
from moto.core.serialize import BaseJSONSerializer
from moto.dynamodb.exceptions import DynamodbException
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.table import Table
from moto.dynamodb.parsing import ast_nodes
from moto.dynamodb.parsing.validators import ActionCountValidator
from moto.dynamodb.responses import DynamoHandler
from moto.moto_api._internal import mock_random
from moto.sqs.models import Message, Queue, SQSBackend

from system.model.units import MINUTE_NS
from system.ports.clock import Clock

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC).replace(tzinfo=None)
_DEDUP_MS = 5 * 60 * 1_000
_TOKEN_NS = 10 * MINUTE_NS
_NO_ITEM = object()


class Mends:
    """The mends, in force between `start` and `stop`; one at a time in a process, as moto's state is."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._originals: list[tuple[Any, str, Any]] = []

    def start(self) -> None:
        """Put the mends in force, and make moto's identifiers those of every other run."""
        mock_random.seed(0)
        utcnow = _utcnow(self._clock)
        self._replace(moto.core.utils, "utcnow", utcnow)
        self._replace(moto.dynamodb.models.table, "utcnow", utcnow)
        self._wrap(DynamoDBBackend, "transact_write_items", _transact_without_copies)
        self._wrap(DynamoHandler, "transact_write_items", _Tokens(self._clock).remember)
        self._wrap(Queue, "add_message", _deduplicate)
        self._wrap(Queue, "delete_message", _refuse_overdue)
        self._wrap(SQSBackend, "receive_message", _free_overdue)
        self._wrap(SQSBackend, "change_message_visibility", _refuse_overdue_change)
        self._wrap(BaseJSONSerializer, "_serialize_type_structure", _pass_scalars)
        self._wrap(vars(ast_nodes)["DepthFirstTraverser"], "nodes_to_be_processed", _remember_nodes)
        self._wrap(ActionCountValidator, "verify_action_counts", _count_at_the_root)
        self._replace(Message, "visible", property(_visible))
        self._replace(Message, "had_receipt_handle", _has_receipt_handle)

    def stop(self) -> None:
        """Give moto back as it was; calling it twice is no error."""
        while self._originals:
            owner, name, original = self._originals.pop()
            setattr(owner, name, original)
        mock_random.seed()

    def _replace(self, owner: Any, name: str, value: Any) -> None:
        self._originals.append((owner, name, vars(owner)[name]))
        setattr(owner, name, value)

    def _wrap(self, owner: Any, name: str, mend: Callable[[Any], Any]) -> None:
        self._replace(owner, name, mend(vars(owner)[name]))


# MEND-1


def _transact_without_copies(original: Any) -> Any:
    real = copy.deepcopy
    dynamodb: Any = moto.dynamodb.models
    # moto's own roll-back then puts the same tables in place again, and _Undo does the work
    shared = SimpleNamespace(deepcopy=lambda value: value if isinstance(value, Table) else real(value))

    def transact_write_items(backend: DynamoDBBackend, transact_items: list[dict[str, Any]]) -> None:
        undo = _Undo(backend, transact_items)
        dynamodb.copy = shared
        try:
            original(backend, transact_items)
        except BaseException:
            undo.roll_back()
            raise
        finally:
            dynamodb.copy = copy

    return transact_write_items


class _Undo:
    """The items that a transaction names, and the lengths of their tables' streams, as they were."""

    def __init__(self, backend: DynamoDBBackend, transact_items: list[dict[str, Any]]) -> None:
        self._items: list[tuple[Table, DynamoType, DynamoType, Any]] = []
        self._streams: dict[str, tuple[Any, int]] = {}
        for transact_item in transact_items:
            [action] = transact_item.values()
            table = backend.tables.get(action["TableName"])
            if table is None:
                continue
            key = action.get("Key") or action["Item"]
            pk, sk = DynamoType(key["PK"]), DynamoType(key["SK"])
            held = table.items.get(pk, {}).get(sk, _NO_ITEM)
            self._items.append((table, pk, sk, held if held is _NO_ITEM else copy.deepcopy(held)))
            if table.stream_shard is not None:
                self._streams[table.name] = (table.stream_shard, len(table.stream_shard.items))

    def roll_back(self) -> None:
        for table, pk, sk, held in self._items:
            if held is _NO_ITEM:
                table.items.get(pk, {}).pop(sk, None)
            else:
                table.items[pk][sk] = held
        for shard, length in self._streams.values():
            del shard.items[length:]


# MEND-2


def _utcnow(clock: Clock) -> Callable[[], datetime]:
    def utcnow() -> datetime:
        return _EPOCH + timedelta(microseconds=clock.now_ns() // 1_000)

    return utcnow


# MEND-3


class _Tokens:
    """Tokens of the last ten minutes, with a digest of what they were used for."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: dict[str, bytes] = {}
        self._ages: deque[tuple[int, str]] = deque()

    def remember(self, original: Any) -> Any:
        def transact_write_items(handler: DynamoHandler) -> Any:
            now_ns = self._clock.now_ns()
            while self._ages and self._ages[0][0] <= now_ns:
                self._known.pop(self._ages.popleft()[1], None)
            token = handler.body.get("ClientRequestToken", "")
            digest = blake2b(json.dumps(handler.body["TransactItems"], default=bytes.hex).encode()).digest()
            known = self._known.get(token)
            if known is not None and known != digest:
                raise DynamodbException(
                    "IdempotentParameterMismatchException", "the token was used for other items"
                )
            if known is not None:
                return ActionResult({"ConsumedCapacity": [], "ItemCollectionMetrics": {}})
            result = original(handler)
            if token:
                self._known[token] = digest
                self._ages.append((now_ns + _TOKEN_NS, token))
            return result

        return transact_write_items


# MEND-4


def _deduplicate(original: Any) -> Any:
    def add_message(queue: Queue, message: Message) -> None:
        if queue.fifo_queue and message.deduplication_id:
            sent: Any = message.sent_timestamp
            seen: dict[tuple[str | None, str], int] = queue.__dict__.setdefault("_mend_seen", {})
            while seen and sent - next(iter(seen.values())) >= _DEDUP_MS:
                del seen[next(iter(seen))]
            group = message.group_id if queue.attributes["DeduplicationScope"] == "messageGroup" else ""
            if (group, message.deduplication_id) in seen:
                return
            seen[group, message.deduplication_id] = sent
        original(queue, message)

    return add_message


# MEND-5


def _visible(message: Message) -> bool:
    return bool(moto.core.utils.unix_time_millis() >= message.visible_at)


def _free_overdue(original: Any) -> Any:
    def receive_message(backend: SQSBackend, queue_name: str, *how: Any, **named: Any) -> Any:
        pending = backend.get_queue(queue_name).pending_messages
        pending.difference_update([message for message in pending if message.visible])
        return original(backend, queue_name, *how, **named)

    return receive_message


# MEND-6


def _has_receipt_handle(message: Message, receipt_handle: str) -> bool:
    return message.receipt_handle == receipt_handle


def _is_overdue(queue: Queue, receipt_handle: str) -> bool:
    held = queue._messages  # noqa: SLF001  moto has no other way to what is in flight
    return queue.fifo_queue and any(each.visible for each in held if each.receipt_handle == receipt_handle)


def _refuse_overdue(original: Any) -> Any:
    def delete_message(queue: Queue, receipt_handle: str) -> None:
        if not _is_overdue(queue, receipt_handle):
            original(queue, receipt_handle)

    return delete_message


def _refuse_overdue_change(original: Any) -> Any:
    def change_message_visibility(
        backend: SQSBackend, queue_name: str, receipt_handle: str, visibility_timeout: int
    ) -> None:
        if not _is_overdue(backend.get_queue(queue_name), receipt_handle):
            original(backend, queue_name, receipt_handle, visibility_timeout)

    return change_message_visibility


# MEND-7


def _pass_scalars(original: Any) -> Any:
    def _serialize_type_structure(
        serializer: BaseJSONSerializer, serialized: Any, value: Any, shape: Any, key: str
    ) -> None:
        if shape.name == "AttributeValue" and type(value) is dict and len(value) == 1:
            [(kind, held)] = value.items()
            if _SCALARS.get(kind) is type(held):
                serialized[key] = value
                return
        original(serializer, serialized, value, shape, key)

    return _serialize_type_structure


_SCALARS = {"S": str, "N": str, "BOOL": bool, "NULL": bool}


# MEND-8


def _remember_nodes(original: Any) -> Any:
    def nodes_to_be_processed(traverser: Any) -> Any:
        known = traverser.__dict__.get("_mend_nodes")
        if known is None:
            known = traverser.__dict__["_mend_nodes"] = original(traverser)
        return known

    return nodes_to_be_processed


def _count_at_the_root(original: Any) -> Any:
    def verify_action_counts(validator: ActionCountValidator, node: Any) -> Any:
        # the root's search covers every clause below it
        return original(validator, node) if node.parent is None else node

    return verify_action_counts
