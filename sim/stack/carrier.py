"""The pipe on an emulator, played through boto3: stream records into the FIFO queue, in their order.

No emulator moves a pipe's records, whatever state it shows (docs/decisions/0013). On AWS the pipe is
AWS's own.
"""

from __future__ import annotations

import base64
from typing import Any

import orjson

from sim.kernel.plumbing import at_path
from sim.kernel.template.stack import Template


class Carrier:
    """Reads a table's stream from its beginning, and sends what the template's pipe would send."""

    def __init__(self, template: Template, streams: Any, dynamodb: Any, sqs: Any, queue_url: str) -> None:
        [self._pipe] = template.pipes()
        self._streams = streams
        self._sqs = sqs
        self._url = queue_url
        table = dynamodb.describe_table(TableName=self._pipe.source_table)["Table"]
        self._arn = table["LatestStreamArn"]
        self._iterators: dict[str, str | None] = {}

    def carry(self) -> int:
        """Carry what is new; returns how many records."""
        shards = self._streams.describe_stream(StreamArn=self._arn)["StreamDescription"]["Shards"]
        return sum(self._carry_shard(shard["ShardId"]) for shard in shards)

    def _carry_shard(self, shard: str) -> int:
        if shard not in self._iterators:
            said = self._streams.get_shard_iterator(
                StreamArn=self._arn, ShardId=shard, ShardIteratorType="TRIM_HORIZON"
            )
            self._iterators[shard] = said["ShardIterator"]
        carried = 0
        while iterator := self._iterators[shard]:
            page = self._streams.get_records(ShardIterator=iterator, Limit=100)
            for record in page["Records"]:
                if record["eventName"] == self._pipe.event_name:
                    self._send(record)
                    carried += 1
            self._iterators[shard] = page.get("NextShardIterator")
            if not page["Records"]:
                break
        return carried

    def _send(self, record: dict[str, Any]) -> None:
        group, dedup = at_path(record, self._pipe.group_path), at_path(record, self._pipe.dedup_path)
        body = orjson.dumps(record, default=_plain).decode()
        self._sqs.send_message(
            QueueUrl=self._url, MessageBody=body, MessageGroupId=group, MessageDeduplicationId=dedup
        )


def _plain(value: Any) -> Any:
    """A stream record as the pipe writes it: bytes as base64, time as seconds."""
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value.timestamp()
