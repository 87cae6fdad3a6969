"""Makes every STATE resource of the template on an endpoint, and proves each by asking for it again.

Emulators answer «created» for properties that they drop, so nothing is believed: what describe
calls say is compared with the template, resource by resource. Where the template has a function
subscribe to the topic, an endpoint without functions gets a queue instead, from which the harness
plays the function: `stand_in_name`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from sim.kernel.backend import Backend, QueueDef
from sim.kernel.template.stack import Sorting, Template
from sim.kernel.template.views import BucketView, QueueView, SubscriptionView, TableView, TopicView
from system.adapters.aws.session import Clients
from system.model.errors import ProvisionError
from system.ports.clock import Clock


class Proof(NamedTuple):
    """One resource and what was shown of it; `shown` is "" for what is not created."""

    logical_id: str
    type: str
    sorting: Sorting
    shown: str

    def __str__(self) -> str:
        return f"{self.sorting:<10} {self.type:<34} {self.logical_id:<28} {self.shown}"


def open_backend(name: str, template: Template, clock: Clock) -> Backend:
    """Return a fresh backend with every STATE resource of the template in it.

    Raises:
        ProvisionError: there is no such backend, or a resource did not come to be.
    """
    if name == "memory":
        return _memory(template, clock)
    if name == "moto":
        # costs a second to import: only those who ask for it pay
        from sim.world.moto_backend import MotoBackend

        return MotoBackend(template, clock)
    if name in ("localstack", "aws"):
        from sim.world.endpoint_backend import EndpointBackend

        return EndpointBackend(name, template, clock)
    raise ProvisionError(name, "backend", name, "expected memory, moto, localstack or aws")


def _memory(template: Template, clock: Clock) -> Backend:
    from sim.world.memory_backend import MemoryBackend
    from system.adapters.memory.tables import TableDef

    return MemoryBackend(
        clock,
        [
            TableDef(table.name, table.indexes, bool(table.stream_view), table.ttl_attribute)
            for table in template.tables()
        ],
        [
            QueueDef(queue.name, queue.fifo, queue.max_receive_count, queue.dead_letter)
            for queue in template.queues()
        ],
        commands=template.commands_queue,
        consumers=template.consumers(),
    )


def stand_in_name(subscription: SubscriptionView) -> str:
    """Return the name of the queue that stands in for a subscribed function."""
    return "played-" + subscription.function


def provision(template: Template, clients: Clients, backend: str) -> list[Proof]:
    """Create every STATE resource and return one proof per resource of the template, in its order.

    Raises:
        ProvisionError: a resource is not what the template says.
    """
    build = _Build(clients, backend, template)
    shown: dict[str, str] = {}
    for table in template.tables():
        shown[table.logical_id] = build.table(table)
    # dead letters first: a redrive policy may only name a queue that is there
    for queue in sorted(template.queues(), key=lambda queue: bool(queue.dead_letter)):
        shown[queue.logical_id] = build.queue(queue)
    for topic in template.topics():
        shown[topic.logical_id] = build.topic(topic)
    for subscription in template.subscriptions():
        shown[subscription.logical_id] = build.subscription(subscription)
    for bucket in template.buckets():
        shown[bucket.logical_id] = build.bucket(bucket)
    return [
        Proof(each.logical_id, each.type, each.sorting, shown.get(each.logical_id, ""))
        for each in template.resources()
    ]


class _Build:
    """Creates and proves; every method returns what it has proven, in words."""

    def __init__(self, clients: Clients, backend: str, template: Template) -> None:
        self._clients = clients
        self._backend = backend
        self._template = template
        self._topic_arns: dict[str, str] = {}

    def table(self, table: TableView) -> str:
        dynamodb = self._clients.dynamodb
        dynamodb.create_table(**table_request(table))
        dynamodb.get_waiter("table_exists").wait(
            TableName=table.name, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
        )
        if table.ttl_attribute:
            dynamodb.update_time_to_live(
                TableName=table.name,
                TimeToLiveSpecification={"Enabled": True, "AttributeName": table.ttl_attribute},
            )
        if table.recovery:
            dynamodb.update_continuous_backups(
                TableName=table.name, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
            )
        said = dynamodb.describe_table(TableName=table.name)["Table"]
        ttl = dynamodb.describe_time_to_live(TableName=table.name)["TimeToLiveDescription"]
        backups = dynamodb.describe_continuous_backups(TableName=table.name)["ContinuousBackupsDescription"]
        recovery = backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"
        indexes = {index["IndexName"]: _keys(index) for index in said.get("GlobalSecondaryIndexes", ())}
        stream = said.get("StreamSpecification", {})
        prove = self._prover(table.logical_id, "AWS::DynamoDB::Table")
        prove("keys", ("PK", "SK"), _keys(said))
        prove("billing", "PAY_PER_REQUEST", said.get("BillingModeSummary", {}).get("BillingMode"))
        prove("indexes", dict(table.indexes), indexes)
        prove("stream", table.stream_view, stream.get("StreamViewType", ""))
        prove("stream", bool(table.stream_view), bool(said.get("LatestStreamArn")))
        prove("TTL", table.ttl_attribute, ttl.get("AttributeName", ""))
        prove("TTL", bool(table.ttl_attribute), ttl["TimeToLiveStatus"] in ("ENABLED", "ENABLING"))
        prove("point-in-time recovery", table.recovery, recovery)
        words = [f"{table.keys[0]} | {table.keys[1]}"]
        words += [f"GSI {name}" for name in table.indexes]
        words += ["stream"] * bool(table.stream_view) + ["TTL"] * bool(table.ttl_attribute)
        return ", ".join(words)

    def queue(self, queue: QueueView) -> str:
        wanted = dict(queue.attributes)
        if queue.dead_letter:
            # the template's ARN has the local account in it; the endpoint may have another
            redrive = {
                "deadLetterTargetArn": self._queue_arn(queue.dead_letter),
                "maxReceiveCount": str(queue.max_receive_count),
            }
            wanted["RedrivePolicy"] = json.dumps(redrive)
        self._clients.sqs.create_queue(QueueName=queue.name, Attributes=wanted)
        said = self._attributes(queue.name)
        prove = self._prover(queue.logical_id, "AWS::SQS::Queue")
        for name, expected in wanted.items():
            if name == "RedrivePolicy":
                prove(name, _redrive(expected), _redrive(said.get(name, "{}")))
            else:
                prove(name, expected, said.get(name))
        words = "FIFO" if queue.fifo else "standard"
        return words + (
            f", {queue.max_receive_count} times then {queue.dead_letter}" if queue.dead_letter else ""
        )

    def topic(self, topic: TopicView) -> str:
        arn = self._clients.sns.create_topic(Name=topic.name)["TopicArn"]
        said = self._clients.sns.get_topic_attributes(TopicArn=arn)["Attributes"]
        self._prover(topic.logical_id, "AWS::SNS::Topic")("arn", arn, said.get("TopicArn"))
        self._topic_arns[topic.logical_id] = arn
        return topic.name

    def subscription(self, subscription: SubscriptionView) -> str:
        kind = "AWS::SNS::Subscription"
        if subscription.protocol != "lambda":
            problem = f"expected a function as endpoint, was {subscription.protocol}"
            raise ProvisionError(subscription.logical_id, kind, self._backend, problem)
        name = stand_in_name(subscription)
        self._clients.sqs.create_queue(QueueName=name)
        wanted = {"TopicArn": self._topic_arns[subscription.topic], "Protocol": "sqs"}
        wanted["Endpoint"] = self._queue_arn(name)
        arn = self._clients.sns.subscribe(
            **wanted, Attributes={"RawMessageDelivery": "true"}, ReturnSubscriptionArn=True
        )["SubscriptionArn"]
        said = self._clients.sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
        prove = self._prover(subscription.logical_id, kind)
        for attribute, expected in wanted.items():
            prove(attribute, expected, said.get(attribute))
        prove("RawMessageDelivery", "true", str(said.get("RawMessageDelivery")).lower())
        return f"{name} stands in for {subscription.function}"

    def bucket(self, bucket: BucketView) -> str:
        s3, name = self._clients.s3, bucket.name
        s3.create_bucket(Bucket=name)
        s3.put_bucket_encryption(
            Bucket=name,
            ServerSideEncryptionConfiguration={
                "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": bucket.encryption}}]
            },
        )
        s3.put_public_access_block(
            Bucket=name,
            PublicAccessBlockConfiguration=dict.fromkeys(_BLOCKS, bucket.public_access_blocked),
        )
        s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": _rules(bucket)})
        prove = self._prover(bucket.logical_id, "AWS::S3::Bucket")
        lifecycle = {
            rule.get("Filter", {}).get("Prefix", rule.get("Prefix")): (move["StorageClass"], move["Days"])
            for rule in s3.get_bucket_lifecycle_configuration(Bucket=name)["Rules"]
            if rule["Status"] == "Enabled"
            for move in rule["Transitions"]
        }
        prove("lifecycle", dict(bucket.lifecycle), lifecycle)
        encryption = s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]["Rules"]
        used = [rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] for rule in encryption]
        prove("encryption", [bucket.encryption], used)
        blocked = s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"]
        prove("public access block", bucket.public_access_blocked, all(blocked.get(each) for each in _BLOCKS))
        return name + ", " + ", ".join(f"{prefix} to {move[0]}" for prefix, move in bucket.lifecycle.items())

    def _prover(self, logical_id: str, kind: str) -> Callable[[str, Any, Any], None]:
        def prove(what: str, expected: Any, was: Any) -> None:
            if expected != was:
                problem = f"{what}: expected {expected}, was {was}"
                raise ProvisionError(logical_id, kind, self._backend, problem)

        return prove

    def _attributes(self, queue: str) -> Mapping[str, str]:
        url = self._clients.sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        said: Mapping[str, str] = self._clients.sqs.get_queue_attributes(
            QueueUrl=url, AttributeNames=["All"]
        )["Attributes"]
        return said

    def _queue_arn(self, queue: str) -> str:
        return self._attributes(queue)["QueueArn"]


_BLOCKS = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")


def table_request(table: TableView) -> dict[str, Any]:
    """Return the CreateTable request of a table."""
    attributes = dict.fromkeys(["PK", "SK", *(name for pair in table.indexes.values() for name in pair)])
    request: dict[str, Any] = {
        "TableName": table.name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in attributes],
        "KeySchema": _schema("PK", "SK"),
    }
    if table.indexes:
        request["GlobalSecondaryIndexes"] = [
            {"IndexName": name, "KeySchema": _schema(*pair), "Projection": {"ProjectionType": "ALL"}}
            for name, pair in table.indexes.items()
        ]
    if table.stream_view:
        request["StreamSpecification"] = {"StreamEnabled": True, "StreamViewType": table.stream_view}
    return request


def _schema(partition: str, sort: str) -> list[dict[str, str]]:
    return [
        {"AttributeName": partition, "KeyType": "HASH"},
        {"AttributeName": sort, "KeyType": "RANGE"},
    ]


def _keys(described: Mapping[str, Any]) -> tuple[str, ...]:
    by_role = {key["KeyType"]: key["AttributeName"] for key in described["KeySchema"]}
    return tuple(by_role[role] for role in ("HASH", "RANGE") if role in by_role)


def _redrive(text: str) -> tuple[str, int]:
    policy = json.loads(text)
    return policy.get("deadLetterTargetArn", ""), int(policy.get("maxReceiveCount", 0))


def _rules(bucket: BucketView) -> list[dict[str, Any]]:
    return [
        {
            "ID": prefix.strip("/") + "-to-" + storage.lower(),
            "Status": "Enabled",
            "Filter": {"Prefix": prefix},
            "Transitions": [{"StorageClass": storage, "Days": days}],
        }
        for prefix, (storage, days) in bucket.lifecycle.items()
    ]
