"""Each mend of sim/world/moto_mend.py: the fault in moto as it comes, and its absence once mended.

When a test of a fault fails here, upstream has mended it: take the mend out.
"""

import copy
import inspect
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import moto.dynamodb.models
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.core.serialize import BaseJSONSerializer
from moto.dynamodb.models.table import Table
from moto.dynamodb.parsing import ast_nodes
from moto.sqs.models import Message

from sim.world.moto_mend import Mends
from system.adapters.aws.session import Clients
from system.adapters.aws.store import DynamoStore
from system.adapters.memory.clock import ManualClock
from system.model.errors import ConditionFailed
from system.model.keys import Key
from system.model.units import NS
from system.ports.store import EXISTS, NOT_EXISTS, Put, Update

START_NS = 1_746_315_000 * NS
TABLE = "Orders"


class Bench:
    """A table with a stream and a FIFO queue on moto, mended or not."""

    def __init__(self) -> None:
        self.clock = ManualClock(START_NS)
        clients = Clients(region="us-east-1", key_id="local", secret="local")
        self.dynamodb, self.sqs, self.streams = clients.dynamodb, clients.sqs, clients.dynamodbstreams
        self.store = DynamoStore(self.dynamodb)
        schema = [("PK", "HASH"), ("SK", "RANGE")]
        self.dynamodb.create_table(
            TableName=TABLE,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name, _ in schema],
            KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in schema],
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )
        self.url = self.sqs.create_queue(QueueName="q.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]

    def send(self, body: str) -> None:
        self.sqs.send_message(
            QueueUrl=self.url, MessageBody=body, MessageGroupId="g", MessageDeduplicationId=body
        )

    def receive(self, limit: int = 10, visibility_s: int = 60) -> list[dict[str, Any]]:
        said = self.sqs.receive_message(
            QueueUrl=self.url,
            MaxNumberOfMessages=limit,
            VisibilityTimeout=visibility_s,
            MessageSystemAttributeNames=["All"],
        )
        messages: list[dict[str, Any]] = said.get("Messages", [])
        return messages

    def records(self) -> list[dict[str, Any]]:
        arn = self.dynamodb.describe_table(TableName=TABLE)["Table"]["LatestStreamArn"]
        [shard] = self.streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
        iterator = self.streams.get_shard_iterator(
            StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        records: list[dict[str, Any]] = self.streams.get_records(ShardIterator=iterator)["Records"]
        return records


@contextmanager
def bench(*, mended: bool) -> Iterator[Bench]:
    with mock_aws():
        made = Bench()
        mends = Mends(made.clock)
        if mended:
            mends.start()
        try:
            yield made
        finally:
            mends.stop()


def row(sk: str, **more: Any) -> dict[str, Any]:
    return {"PK": "MARKET#BTC-PERP", "SK": sk, **more}


# MEND-1


@pytest.mark.parametrize("mended", [False, True])
def test_tables_copied_by_one_transaction(mended: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    copied: list[str] = []
    real = copy.deepcopy

    def counting(table: Table, memo: dict[int, Any]) -> Any:
        copied.append(table.name)
        made: Any = Table.__new__(Table)
        made.__dict__ = {name: real(value, memo) for name, value in table.__dict__.items()}
        return made

    monkeypatch.setattr(Table, "__deepcopy__", counting, raising=False)
    with bench(mended=mended) as on:
        on.store.transact([Put(TABLE, row(str(number))) for number in range(3)])

    # unmended: once per action, and a copied stream copies its table once more
    assert len(copied) == 0 if mended else len(copied) >= 3


def test_a_refused_transaction_leaves_nothing() -> None:
    with bench(mended=True) as on:
        on.store.write(Put(TABLE, row("1", n=1, tags=["a"])))
        before = on.records()

        with pytest.raises(ConditionFailed) as caught:
            on.store.transact(
                [
                    Update(TABLE, Key("MARKET#BTC-PERP", "1"), put={"tags": ["b"]}, add={"n": 5}),
                    Put(TABLE, row("2")),
                    Put(TABLE, row("1x"), EXISTS),
                ]
            )

        assert caught.value.reasons == ("", "", "PK")
        assert on.store.query(TABLE, "MARKET#BTC-PERP").items == [row("1", n=1, tags=["a"])]
        assert on.records() == before
        on.store.transact([Put(TABLE, row("2"), NOT_EXISTS)])
        assert [record["eventName"] for record in on.records()] == ["INSERT", "INSERT"]


def test_moto_has_its_copy_back() -> None:
    with bench(mended=True) as on:
        on.store.transact([Put(TABLE, row("1"))])

    assert vars(moto.dynamodb.models)["copy"] is copy


# MEND-2


@pytest.mark.parametrize("mended", [False, True])
def test_time(mended: bool) -> None:
    with bench(mended=mended) as on:
        on.send("a")
        on.store.write(Put(TABLE, row("1")))
        [message], [record] = on.receive(), on.records()

    sent_s = int(message["Attributes"]["SentTimestamp"]) // 1_000
    written_s = int(record["dynamodb"]["ApproximateCreationDateTime"].timestamp())
    assert (sent_s == START_NS // NS) is mended
    assert (written_s == START_NS // NS) is mended


# MEND-3


@pytest.mark.parametrize("mended", [False, True])
def test_token_of_a_transaction(mended: bool) -> None:
    action = Update(TABLE, Key("MARKET#BTC-PERP", "1"), add={"n": 1})
    with bench(mended=mended) as on:
        for _ in range(2):
            on.store.transact([action], token="once")
        item = on.store.get(TABLE, action.key)

    assert item == row("1", n=1 if mended else 2)


def test_token_with_other_actions_is_a_defect() -> None:
    with bench(mended=True) as on:
        on.store.transact([Put(TABLE, row("1"))], token="once")
        with pytest.raises(ValueError, match="IdempotentParameterMismatch"):
            on.store.transact([Put(TABLE, row("2"))], token="once")

        on.clock.advance(600 * NS)
        on.store.transact([Put(TABLE, row("2"))], token="once")


# MEND-4


@pytest.mark.parametrize("mended", [False, True])
def test_deduplication_after_delete(mended: bool) -> None:
    with bench(mended=mended) as on:
        on.send("a")
        [message] = on.receive()
        on.sqs.delete_message(QueueUrl=on.url, ReceiptHandle=message["ReceiptHandle"])
        on.send("a")

        assert len(on.receive()) == (0 if mended else 1)
        if mended:
            on.clock.advance(300 * NS)
            on.send("a")
            assert len(on.receive()) == 1


# MEND-5


@pytest.mark.parametrize("mended", [False, True])
def test_order_of_a_group_that_comes_back(mended: bool) -> None:
    with bench(mended=mended) as on:
        for body in "abc":
            on.send(body)
        on.receive(visibility_s=1)
        on.clock.advance(NS)
        if not mended:
            time.sleep(1.1)  # moto as it comes knows no other clock

        bodies = [message["Body"] for message in on.receive()]

    assert bodies == (["a", "b", "c"] if mended else ["c"])


def test_moto_sees_a_message_only_after_the_instant() -> None:
    message = Message("1", "body")
    message.visible_at = float("inf")

    assert not message.visible
    assert "current_time > self.visible_at" in inspect.getsource(Message.visible.fget)  # type: ignore[attr-defined]


def test_a_released_message_is_there_at_once() -> None:
    with bench(mended=True) as on:
        on.send("a")
        [first] = on.receive()
        on.sqs.change_message_visibility(
            QueueUrl=on.url, ReceiptHandle=first["ReceiptHandle"], VisibilityTimeout=0
        )

        [second] = on.receive()

    assert second["Attributes"]["ApproximateReceiveCount"] == "2"


# MEND-6


@pytest.mark.parametrize("mended", [False, True])
def test_an_old_receipt_handle(mended: bool) -> None:
    with bench(mended=mended) as on:
        on.send("a")
        [first] = on.receive(visibility_s=1)
        on.clock.advance(NS)
        if not mended:
            time.sleep(1.1)
        on.receive(visibility_s=1)
        try:
            on.sqs.delete_message(QueueUrl=on.url, ReceiptHandle=first["ReceiptHandle"])
        except ClientError:
            deleted = False
        else:
            deleted = True

    assert deleted is not mended


def test_a_handle_whose_time_is_over_deletes_nothing() -> None:
    with bench(mended=True) as on:
        on.send("a")
        [first] = on.receive()
        on.clock.advance(60 * NS)
        on.sqs.delete_message(QueueUrl=on.url, ReceiptHandle=first["ReceiptHandle"])

        assert [message["Body"] for message in on.receive()] == ["a"]


# MEND-7


@pytest.mark.parametrize("mended", [False, True])
def test_members_looked_up_for_one_item(mended: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    looked_up: list[str] = []
    original = BaseJSONSerializer.get_value

    def counting(self: Any, value: Any, key: str, shape: Any) -> Any:
        looked_up.append(key)
        return original(self, value, key, shape)

    monkeypatch.setattr(BaseJSONSerializer, "get_value", counting)
    item = row("1", n=-7, ok=True, nothing=None, raw=b"\0\xff", tags=["a", 1], more={"b": b"x"})
    with bench(mended=mended) as on:
        on.store.write(Put(TABLE, item))
        looked_up.clear()
        assert on.store.get(TABLE, Key(item["PK"], item["SK"])) == item

    assert (looked_up.count("NULL") < len(item)) is mended


# MEND-8


@pytest.mark.parametrize("mended", [False, True])
def test_searches_of_one_update_expression(mended: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    searched: list[str] = []
    nodes: Any = ast_nodes
    original = nodes.Node.find_clauses

    def counting(self: Any, kinds: Any) -> Any:
        if nodes.UpdateExpressionSetClause in kinds:
            searched.append(self.type)
        return original(self, kinds)

    monkeypatch.setattr(nodes.Node, "find_clauses", counting)
    change = {f"a{number}": number for number in range(10)}
    with bench(mended=mended) as on:
        on.store.write(Put(TABLE, row("1")))
        on.store.write(Update(TABLE, Key("MARKET#BTC-PERP", "1"), put=change))
        assert on.store.get(TABLE, Key("MARKET#BTC-PERP", "1")) == row("1", **change)

    assert (len(searched) < 10) is mended
