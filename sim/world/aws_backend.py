"""State that is reached through boto3: what the backends on moto, on an emulator and on AWS have in common.

The system's ports are the adapters that ship; the rest is the harness's own way to streams, queues and
whole tables.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from sim.kernel.backend import Record
from sim.kernel.template.stack import Template
from sim.world.provision import Proof, provision, stand_in_name
from system.adapters.aws.lake import S3Lake
from system.adapters.aws.queue import SqsQueue
from system.adapters.aws.session import Clients
from system.adapters.aws.store import DynamoStore
from system.adapters.aws.topic import SnsTopic
from system.adapters.aws.wire import from_wire
from system.model.errors import ProvisionError
from system.model.keys import Item, Key
from system.model.units import NS
from system.ports.lake import Lake
from system.ports.queue import Queue, Topic
from system.ports.store import Delete, Store

MAX_RECEIVE_BATCH = 10
_STREAM_PAGE = 25
_VOID_HANDLE = ("ReceiptHandleIsInvalid", "InvalidParameterValue", "MessageNotInflight")
_FIFO_ATTRIBUTES = ("SequenceNumber", "MessageGroupId", "MessageDeduplicationId")


class _Cursor:
    """How far a consumer has read a stream: `after` a sequence number, "" for nothing yet."""

    __slots__ = ("after", "ends")

    def __init__(self) -> None:
        self.after = ""
        self.ends: list[str] = []  # sequence numbers of the last read


class AwsBackend:
    """`sim.kernel.backend.Backend` over AWS's own API, wherever the clients lead; a subclass closes it."""

    name = "aws"

    def __init__(self, template: Template, clients: Clients) -> None:
        self.clients = clients
        self.proofs: list[Proof] = provision(template, clients, self.name)
        self._wire(template)

    def _wire(self, template: Template) -> None:
        sqs = self.clients.sqs
        stand_ins = [stand_in_name(subscription) for subscription in template.subscriptions()]
        names = [queue.name for queue in template.queues()] + stand_ins
        self._urls = {name: sqs.get_queue_url(QueueName=name)["QueueUrl"] for name in names}
        self._fifo = {queue.name for queue in template.queues() if queue.fifo}
        [self._news] = stand_ins
        [bucket] = template.buckets()
        [topic] = template.topics()
        # answers with the one that is there
        self._topic_arn: str = self.clients.sns.create_topic(Name=topic.name)["TopicArn"]
        self.store: Store = DynamoStore(self.clients.dynamodb)
        self.queue: Queue = SqsQueue(sqs, self._urls[template.commands_queue])
        self.topic: Topic = SnsTopic(self.clients.sns, self._topic_arn)
        self.lake: Lake = S3Lake(self.clients.s3, bucket.name)
        self._ttl = {table.name: table.ttl_attribute for table in template.tables() if table.ttl_attribute}
        self._tables = [table.name for table in template.tables()]
        self._streams = {
            table.name: _shard(self.clients, table.name) for table in template.tables() if table.stream_view
        }
        self._cursors: dict[tuple[str, str], _Cursor] = {}

    # streams

    def read_stream(self, table: str, consumer: str, limit: int, event_name: str = "") -> list[Record]:
        """Return the next AWS-shaped records after the consumer's cursor, which does not move."""
        arn, shard = self._streams[table]
        cursor = self._cursors.setdefault((table, consumer), _Cursor())
        how: dict[str, str] = {"ShardIteratorType": "TRIM_HORIZON"}
        if cursor.after:
            how = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": cursor.after}
        streams = self.clients.dynamodbstreams
        iterator = streams.get_shard_iterator(StreamArn=arn, ShardId=shard, **how)["ShardIterator"]
        records: list[Record] = []
        position = cursor.after
        while len(records) < limit:
            page = streams.get_records(ShardIterator=iterator, Limit=max(limit, _STREAM_PAGE))
            if not page["Records"]:
                break
            for said in page["Records"]:
                position = said["dynamodb"]["SequenceNumber"]
                if not event_name or said["eventName"] == event_name:
                    records.append(_stream_record(said, arn))
                    if len(records) == limit:
                        break
            iterator = page["NextShardIterator"]
        cursor.ends = [record["dynamodb"]["SequenceNumber"] for record in records]
        if not records:
            cursor.after = position
        return records

    def advance_stream(self, table: str, consumer: str, count: int) -> None:
        """Move the cursor behind the first `count` records of the consumer's last read."""
        cursor = self._cursors.setdefault((table, consumer), _Cursor())
        if count > len(cursor.ends):
            raise ValueError(
                f"advance {consumer} on {table}: expected at most {len(cursor.ends)}, was {count}"
            )
        if count:
            cursor.after = cursor.ends[count - 1]
            del cursor.ends[:count]

    # queues

    def send(self, queue: str, body: str) -> None:
        """Put a message into a standard queue, to be seen at once; the harness plays DelaySeconds."""
        if queue in self._fifo:
            raise ValueError(f"{queue}: expected a standard queue")
        self.clients.sqs.send_message(QueueUrl=self._urls[queue], MessageBody=body, DelaySeconds=0)

    def receive(self, queue: str, limit: int, visibility_ns: int) -> list[Record]:
        """Return up to 10 Lambda-shaped messages, oldest first; FIFO groups in flight are skipped."""
        seconds, rest_ns = divmod(visibility_ns, NS)
        if rest_ns:
            raise ValueError(f"receive {queue}: expected whole seconds of visibility, was {visibility_ns} ns")
        said = self.clients.sqs.receive_message(
            QueueUrl=self._urls[queue],
            MaxNumberOfMessages=min(limit, MAX_RECEIVE_BATCH),
            VisibilityTimeout=seconds,
            MessageSystemAttributeNames=["All"],
        )
        return [_message(queue, message) for message in said.get("Messages", ())]

    def delete(self, queue: str, receipt_handle: str) -> None:
        """Acknowledge a message; a handle that is void does nothing."""
        try:
            self.clients.sqs.delete_message(QueueUrl=self._urls[queue], ReceiptHandle=receipt_handle)
        except ClientError as error:
            _refuse_other_than_void(error)

    def release(self, queue: str, receipt_handle: str) -> None:
        """Give a message back at once (visibility 0); a handle that is void does nothing."""
        try:
            self.clients.sqs.change_message_visibility(
                QueueUrl=self._urls[queue], ReceiptHandle=receipt_handle, VisibilityTimeout=0
            )
        except ClientError as error:
            _refuse_other_than_void(error)

    def published(self) -> list[str]:
        """Return and forget the topic's messages since the last call, in order of publication."""
        sqs, url = self.clients.sqs, self._urls[self._news]
        messages: list[str] = []
        while True:
            batch = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=MAX_RECEIVE_BATCH).get(
                "Messages", []
            )
            messages += [message["Body"] for message in batch]
            if batch:
                entries = [
                    {"Id": str(place), "ReceiptHandle": message["ReceiptHandle"]}
                    for place, message in enumerate(batch)
                ]
                sqs.delete_message_batch(QueueUrl=url, Entries=entries)
            if len(batch) < MAX_RECEIVE_BATCH:
                return messages

    # tables

    def tables(self) -> list[str]:
        """Return the names of all tables."""
        return list(self._tables)

    def scan(self, table: str) -> list[Item]:
        """Return every item, sorted by (PK, SK)."""
        pages = self.clients.dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
        items = [from_wire(image) for page in pages for image in page["Items"]]
        return sorted(items, key=lambda item: (item["PK"], item["SK"]))

    def sweep(self, now_ns: int) -> int:
        """Remove items whose TTL has passed, with stream records, and return how many."""
        removed = 0
        for table, attribute in self._ttl.items():
            for item in self.scan(table):
                if attribute in item and item[attribute] * NS <= now_ns:
                    self.store.write(Delete(table, Key(item["PK"], item["SK"])))
                    removed += 1
        return removed


def _shard(clients: Clients, table: str) -> tuple[str, str]:
    """Return the ARN of a table's stream and its only shard."""
    arn = clients.dynamodb.describe_table(TableName=table)["Table"]["LatestStreamArn"]
    said = clients.dynamodbstreams.describe_stream(StreamArn=arn)["StreamDescription"]
    if len(said["Shards"]) != 1:
        raise ProvisionError(table, "stream", "moto", f"expected one shard, was {len(said['Shards'])}")
    return arn, said["Shards"][0]["ShardId"]


def _stream_record(said: Mapping[str, Any], arn: str) -> Record:
    """Return a record as a Lambda function gets it: JSON, so time as a number and bytes as base64."""
    body = dict(said["dynamodb"])
    body["ApproximateCreationDateTime"] = int(body["ApproximateCreationDateTime"].timestamp())
    body.pop("SizeBytes", None)
    for image in ("Keys", "NewImage", "OldImage"):
        if image in body:
            body[image] = {name: _json_value(value) for name, value in body[image].items()}
    return {
        "eventID": said["eventID"],
        "eventName": said["eventName"],
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": said["awsRegion"],
        "eventSourceARN": arn,
        "dynamodb": body,
    }


def _json_value(value: dict[str, Any]) -> dict[str, Any]:
    if "B" in value:
        return {"B": base64.b64encode(value["B"]).decode()}
    if "L" in value:
        return {"L": [_json_value(element) for element in value["L"]]}
    if "M" in value:
        return {"M": {name: _json_value(element) for name, element in value["M"].items()}}
    return value


def _message(queue: str, said: Mapping[str, Any]) -> Record:
    """Return a message as Lambda's event source mapping gives it."""
    held = said["Attributes"]
    attributes = {name: held[name] for name in ("ApproximateReceiveCount", "SentTimestamp")}
    attributes |= {name: held[name] for name in _FIFO_ATTRIBUTES if name in held}
    return {
        "messageId": said["MessageId"],
        "receiptHandle": said["ReceiptHandle"],
        "body": said["Body"],
        "attributes": attributes,
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:" + queue,
        "awsRegion": "us-east-1",
    }


def _refuse_other_than_void(error: ClientError) -> None:
    if not error.response["Error"]["Code"].rpartition(".")[2].startswith(_VOID_HANDLE):
        raise error
