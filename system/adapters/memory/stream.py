"""A table's change log, handed out in the shape of DynamoDB Streams.

Writing appends one tuple; the AWS-shaped record is built when a consumer first reads it and is
shared by all consumers after that, so it must not be changed by any of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from system.model.dynamo_json import marshal
from system.model.keys import Item
from system.model.units import NS

Record = dict[str, Any]
# Records are some forty objects each: dropped early, their memory is used again while it is still in
# the processor's cache. Kept for 32,768 changes, they took 140 MB; dropped 512 at a time, 4 % of a run.
_TRIM_AFTER = 32


Change = tuple[str, int, Item | None, Item | None, bool]
"""(event name, instant, old item, new item, whether TTL removed it); a tuple, as one is made per write."""


class Stream:
    """The log of one table and how far each consumer has read.

    A consumer starts at the oldest record (TRIM_HORIZON). Changes are kept for ever, unless the
    consumers are declared: then what all of them have passed is dropped.
    """

    __slots__ = ("_arn", "_base", "_consumers", "_cursors", "_read", "_table", "changes")

    def __init__(self, table: str) -> None:
        self._table = table
        self._arn = f"arn:aws:dynamodb:us-east-1:000000000000:table/{table}/stream/memory"
        self._base = 0  # how many changes have been dropped
        self.changes: list[Change | Record] = []
        self._consumers: tuple[str, ...] = ()
        self._cursors: dict[str, int] = {}
        self._read: dict[str, list[int]] = {}  # position after each record of the consumer's last read

    def declare(self, consumers: Sequence[str]) -> None:
        """Name all the consumers there will ever be, so that what they have passed can be dropped."""
        self._consumers = tuple(consumers)

    def read(self, consumer: str, limit: int, event_name: str = "") -> list[Record]:
        """Return the next records after the consumer's cursor, which does not move.

        With `event_name`, other records are passed over: it is the filter of a pipe or of an
        event source mapping.
        """
        position = self._cursors.get(consumer, 0)
        assert position >= self._base, f"{consumer} reads {self._table} without having been declared"
        changes, base = self.changes, self._base
        records: list[Record] = []
        ends: list[int] = []
        while len(records) < limit and position - base < len(changes):
            change = changes[position - base]
            position += 1
            if isinstance(change, tuple):
                if event_name and change[0] != event_name:
                    continue
                change = changes[position - base - 1] = self._build(position, change)
            elif event_name and change["eventName"] != event_name:
                continue
            records.append(change)
            ends.append(position)
        self._read[consumer] = ends
        if not records:
            self._move(consumer, position)
        return records

    def advance(self, consumer: str, count: int) -> None:
        """Move the cursor behind the first `count` records of the consumer's last read."""
        ends = self._read.get(consumer, [])
        if count > len(ends):
            raise ValueError(
                f"advance {consumer} on {self._table}: expected at most {len(ends)}, was {count}"
            )
        if count:
            self._move(consumer, ends[count - 1])
            del ends[:count]

    def _move(self, consumer: str, position: int) -> None:
        cursors = self._cursors
        cursors[consumer] = position
        if not self._consumers or position - self._base < _TRIM_AFTER:
            return
        passed = min(cursors.get(name, 0) for name in self._consumers) - self._base
        if passed >= _TRIM_AFTER:
            del self.changes[:passed]
            self._base += passed

    def _build(self, number: int, change: Change) -> Record:
        name, at_ns, old, new, expired = change
        item = new if new is not None else old
        assert item is not None
        body: Record = {
            "ApproximateCreationDateTime": at_ns // NS,
            "Keys": {"PK": {"S": item["PK"]}, "SK": {"S": item["SK"]}},
            "SequenceNumber": f"{number:021d}",
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        }
        if new is not None:
            body["NewImage"] = marshal(new)
        if old is not None:
            body["OldImage"] = marshal(old)
        record: Record = {
            "eventID": f"{number:032x}",
            "eventName": name,
            "eventVersion": "1.1",
            "eventSource": "aws:dynamodb",
            "awsRegion": "us-east-1",
            "eventSourceARN": self._arn,
            "dynamodb": body,
        }
        if expired:
            record["userIdentity"] = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
        return record
