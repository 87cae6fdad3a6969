"""Dead letters come back, on SQS's own API (moto), and what they ask for happens once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import boto3
import pytest
from moto import mock_aws

from sim.stack.redrive import redrive
from system.matcher.handler import Matcher
from tests.rules import rule
from tests.unit.floor import Floor


class Queues(NamedTuple):
    sqs: Any
    commands: str
    dead: str

    def receive(self) -> list[dict[str, Any]]:
        said = self.sqs.receive_message(
            QueueUrl=self.commands, AttributeNames=["All"], MaxNumberOfMessages=10, VisibilityTimeout=0
        )
        found: list[dict[str, Any]] = said.get("Messages", [])
        return found

    def serve(self, matcher: Matcher) -> None:
        """Play one poll of the event source mapping."""
        messages = self.receive()
        records = [
            {"messageId": each["MessageId"], "body": each["Body"], "attributes": each["Attributes"]}
            for each in messages
        ]
        assert matcher.handle({"Records": records}, None) == {"batchItemFailures": []}
        for each in messages:
            self.sqs.delete_message(QueueUrl=self.commands, ReceiptHandle=each["ReceiptHandle"])

    def waiting(self, url: str) -> int:
        said = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
        return int(said["Attributes"]["ApproximateNumberOfMessages"])


@pytest.fixture
def queues() -> Iterator[Queues]:
    """The commands queue gives up after two deliveries."""
    with mock_aws():
        sqs = boto3.client("sqs", region_name="us-east-1")
        fifo = {"FifoQueue": "true"}
        dead = sqs.create_queue(QueueName="dead.fifo", Attributes=fifo)["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 2})
        commands = sqs.create_queue(QueueName="commands.fifo", Attributes={**fifo, "RedrivePolicy": policy})
        yield Queues(sqs, commands["QueueUrl"], dead)


@rule("REDR-001")
def test_a_dead_command_comes_again_and_is_applied_once(queues: Queues) -> None:
    floor = Floor()
    for name in ("ann", "bob"):
        floor.fund(name)
    floor.order("ann", "SELL", 2, 60_000)
    floor.order("bob", "BUY", 1, 60_000)
    floor.order("bob", "BUY", 1, 60_000)
    floor.carry()
    for record in floor.fifo.receive(10, 1):
        queues.sqs.send_message(
            QueueUrl=queues.commands,
            MessageBody=record["body"],
            MessageGroupId=record["attributes"]["MessageGroupId"],
            MessageDeduplicationId=record["attributes"]["MessageDeduplicationId"],
        )
    for _ in range(12):
        queues.receive()  # and nobody serves it
    assert (queues.waiting(queues.commands), queues.waiting(queues.dead)) == (0, 3)

    assert redrive(queues.sqs, queues.dead, queues.commands) == 3
    assert (queues.waiting(queues.commands), queues.waiting(queues.dead)) == (3, 0)
    queues.serve(floor.matcher)

    trades = floor.store.scan("Trades")
    assert [row["trade_no"] for row in trades] == [1, 2]
    assert {row["status"] for row in floor.store.scan("Orders")} == {"FILLED"}
    floor.audit()
    assert redrive(queues.sqs, queues.dead, queues.commands) == 0


@rule("REDR-001")
def test_a_command_that_was_applied_before_it_died_does_nothing_again(queues: Queues) -> None:
    floor = Floor()
    floor.fund("ann")
    order_id = floor.order("ann", "SELL", 2, 60_000)
    floor.carry()
    [record] = floor.fifo.receive(10, 1)
    floor.matcher.handle({"Records": [record]}, None)
    before = floor.scan()
    queues.sqs.send_message(
        QueueUrl=queues.dead,
        MessageBody=record["body"],
        MessageGroupId="BTC-PERP",
        MessageDeduplicationId=order_id,
    )

    assert redrive(queues.sqs, queues.dead, queues.commands) == 1
    queues.serve(floor.matcher)

    assert floor.scan() == before
