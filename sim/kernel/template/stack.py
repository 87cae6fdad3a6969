"""system/template.yaml as the harness reads it: sorted, resolved, and viewed resource by resource.

Every type of the template is sorted: STATE is created on every backend and proven there, PLAYED
is what the harness does itself in virtual time, CLOUD_ONLY has no meaning on one machine. Emulators
say that they created what they do not know, so an unsorted type stops the run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from sim.kernel.template.cfn import Resolver, read, target
from sim.kernel.template.schedule_expression import next_fire
from sim.kernel.template.views import (
    BucketView,
    FunctionView,
    HttpRouteView,
    MappingView,
    PipeView,
    QueueView,
    ScheduleView,
    SubscriptionView,
    TableView,
    TopicView,
    WsRouteView,
)
from system.model.errors import ProvisionError

TEMPLATE = Path(__file__).parents[3] / "system" / "template.yaml"
LOCAL_ACCOUNT = "000000000000"
LOCAL_REGION = "us-east-1"


class Sorting(StrEnum):
    STATE = "STATE"
    PLAYED = "PLAYED"
    CLOUD_ONLY = "CLOUD_ONLY"


STATE = frozenset(
    {
        "AWS::DynamoDB::Table",
        "AWS::S3::Bucket",
        "AWS::SNS::Subscription",
        "AWS::SNS::Topic",
        "AWS::SQS::Queue",
    }
)
PLAYED = frozenset(
    {
        "AWS::ApiGatewayV2::Api",
        "AWS::ApiGatewayV2::Authorizer",
        "AWS::ApiGatewayV2::Integration",
        "AWS::ApiGatewayV2::Route",
        "AWS::ApiGatewayV2::RouteResponse",
        "AWS::Events::Rule",
        "AWS::Lambda::EventSourceMapping",
        "AWS::Lambda::Function",
        "AWS::Pipes::Pipe",
    }
)
CLOUD_ONLY = frozenset(
    {
        "AWS::ApiGatewayV2::Stage",
        "AWS::CloudFront::Distribution",
        "AWS::Cognito::UserPool",
        "AWS::Cognito::UserPoolClient",
        "AWS::Cognito::UserPoolGroup",
        "AWS::IAM::Role",
        "AWS::Lambda::Permission",
        "AWS::Logs::LogGroup",
        "AWS::SQS::QueuePolicy",
        "AWS::WAFv2::WebACL",
    }
)
_SORTINGS = ((STATE, Sorting.STATE), (PLAYED, Sorting.PLAYED), (CLOUD_ONLY, Sorting.CLOUD_ONLY))


class Resource(NamedTuple):
    """A resource: `raw` properties still point at others by logical id, `properties` are resolved."""

    logical_id: str
    type: str
    sorting: Sorting
    raw: Mapping[str, Any]
    properties: Mapping[str, Any]
    metadata: Mapping[str, Any]


class Template:
    """The one definition of infrastructure. Views are in the template's own order."""

    def __init__(self, document: Mapping[str, Any], resolver: Resolver) -> None:
        self._resources = {
            logical_id: _resource(logical_id, resource, resolver)
            for logical_id, resource in document["Resources"].items()
            if "Condition" not in resource or resolver.holds(resource["Condition"])
        }
        self.region = resolver.region
        self.account = resolver.account

    def resources(self) -> list[Resource]:
        """Return every resource whose condition holds."""
        return list(self._resources.values())

    def tables(self) -> list[TableView]:
        return [_table(resource) for resource in self._of("AWS::DynamoDB::Table")]

    def queues(self) -> list[QueueView]:
        return [self._queue(resource) for resource in self._of("AWS::SQS::Queue")]

    def queue(self, name: str) -> QueueView:
        """Return the queue of that name."""
        return next(queue for queue in self.queues() if queue.name == name)

    def topics(self) -> list[TopicView]:
        kind = "AWS::SNS::Topic"
        return [
            TopicView(each.logical_id, name, f"arn:aws:sns:{self.region}:{self.account}:{name}")
            for each in self._of(kind)
            for name in [each.properties["TopicName"]]
        ]

    @property
    def topic(self) -> str:
        """The ARN of MarketUpdates, the only topic."""
        [topic] = self.topics()
        return topic.arn

    def subscriptions(self) -> list[SubscriptionView]:
        return [
            SubscriptionView(
                each.logical_id,
                target(each.raw["TopicArn"]),
                each.properties["Protocol"],
                self._function(each, "Endpoint"),
                self._dead_letter(each.raw.get("RedrivePolicy", {}).get("deadLetterTargetArn")),
            )
            for each in self._of("AWS::SNS::Subscription")
        ]

    def buckets(self) -> list[BucketView]:
        return [_bucket(resource) for resource in self._of("AWS::S3::Bucket")]

    def pipes(self) -> list[PipeView]:
        return [self._pipe(resource) for resource in self._of("AWS::Pipes::Pipe")]

    @property
    def commands_queue(self) -> str:
        """The name of the FIFO queue behind the Queue port: where the pipe carries orders."""
        [pipe] = self.pipes()
        return pipe.target_queue

    def functions(self) -> list[FunctionView]:
        return [
            FunctionView(
                each.logical_id,
                each.properties["Handler"],
                each.properties["Handler"].rpartition(".")[2],
                each.properties["Timeout"],
                each.properties["MemorySize"],
                each.properties["Environment"]["Variables"],
            )
            for each in self._of("AWS::Lambda::Function")
        ]

    def event_source_mappings(self) -> list[MappingView]:
        return [self._mapping(resource) for resource in self._of("AWS::Lambda::EventSourceMapping")]

    def consumers(self) -> dict[str, tuple[str, ...]]:
        """Return by table who reads its stream: logical ids of pipes and mappings, sorted."""
        readers: dict[str, list[str]] = {}
        sources = [(pipe.source_table, pipe.logical_id) for pipe in self.pipes()]
        sources += [(each.source_table, each.logical_id) for each in self.event_source_mappings()]
        for table, logical_id in sources:
            if table:
                readers.setdefault(table, []).append(logical_id)
        return {table: tuple(sorted(names)) for table, names in readers.items()}

    def schedules(self) -> list[ScheduleView]:
        """Return one view per rule and target."""
        return [
            self._schedule(rule, rule.raw["Targets"][place])
            for rule in self._of("AWS::Events::Rule")
            for place in range(len(rule.raw["Targets"]))
        ]

    def http_routes(self) -> list[HttpRouteView]:
        return [
            HttpRouteView(
                route.logical_id,
                route.properties["RouteKey"],
                self._integrated(route),
                route.properties.get("AuthorizationType") == "JWT",
            )
            for route in self._routes("HTTP")
        ]

    def ws_routes(self) -> list[WsRouteView]:
        answers = self._of("AWS::ApiGatewayV2::RouteResponse")
        answered = {self._pointed(answer, answer.raw["RouteId"]).logical_id for answer in answers}
        return [
            WsRouteView(
                route.logical_id,
                route.properties["RouteKey"],
                self._integrated(route),
                route.logical_id in answered,
            )
            for route in self._routes("WEBSOCKET")
        ]

    # how resources point at each other

    def _of(self, kind: str) -> list[Resource]:
        return [resource for resource in self._resources.values() if resource.type == kind]

    def _pointed(self, source: Resource, raw: Any) -> Resource:
        found = self._resources.get(target(raw))
        if found is None:
            raise ProvisionError(source.logical_id, source.type, "template", f"points at nothing: {raw}")
        return found

    def _function(self, source: Resource, name: str) -> str:
        pointed = self._pointed(source, source.raw[name])
        if pointed.type != "AWS::Lambda::Function":
            problem = f"{name}: expected a function, was {pointed.type}"
            raise ProvisionError(source.logical_id, source.type, "template", problem)
        return pointed.logical_id

    def _dead_letter(self, raw: Any) -> str:
        return str(self._resources[target(raw)].properties["QueueName"]) if raw else ""

    def _queue(self, resource: Resource) -> QueueView:
        properties = resource.properties
        redrive = properties.get("RedrivePolicy", {})
        return QueueView(
            resource.logical_id,
            properties["QueueName"],
            properties.get("FifoQueue", False),
            properties.get("DelaySeconds", 0),
            properties.get("VisibilityTimeout", 30),
            redrive.get("maxReceiveCount", 0),
            self._dead_letter(resource.raw.get("RedrivePolicy", {}).get("deadLetterTargetArn")),
            {name: _attribute(value) for name, value in properties.items() if name != "QueueName"},
        )

    def _pipe(self, resource: Resource) -> PipeView:
        properties = resource.properties
        sqs = properties["TargetParameters"]["SqsQueueParameters"]
        return PipeView(
            resource.logical_id,
            self._pointed(resource, resource.raw["Source"]).properties["TableName"],
            _event_name(resource, properties["SourceParameters"]),
            properties["SourceParameters"]["DynamoDBStreamParameters"]["BatchSize"],
            self._pointed(resource, resource.raw["Target"]).properties["QueueName"],
            sqs["MessageGroupId"],
            sqs["MessageDeduplicationId"],
        )

    def _mapping(self, resource: Resource) -> MappingView:
        properties = resource.properties
        source = self._pointed(resource, resource.raw["EventSourceArn"])
        is_queue = source.type == "AWS::SQS::Queue"
        on_failure = resource.raw.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
        return MappingView(
            resource.logical_id,
            self._function(resource, "FunctionName"),
            "" if is_queue else source.properties["TableName"],
            source.properties["QueueName"] if is_queue else "",
            properties["BatchSize"],
            properties.get("MaximumBatchingWindowInSeconds", 0),
            _event_name(resource, properties),
            "ReportBatchItemFailures" in properties.get("FunctionResponseTypes", ()),
            properties.get("BisectBatchOnFunctionError", False),
            properties.get("MaximumRetryAttempts", -1),
            source.properties.get("VisibilityTimeout", 30) if is_queue else 0,
            self._dead_letter(on_failure),
        )

    def _schedule(self, rule: Resource, raw_target: Mapping[str, Any]) -> ScheduleView:
        pointed = self._pointed(rule, raw_target["Arn"])
        expression = rule.properties["ScheduleExpression"]
        next_fire(expression)  # refuses what EventBridge would refuse, before anything runs
        if pointed.type == "AWS::Lambda::Function":
            return ScheduleView(rule.logical_id, expression, pointed.logical_id, "")
        if pointed.type == "AWS::SQS::Queue":
            return ScheduleView(rule.logical_id, expression, "", pointed.properties["QueueName"])
        raise ProvisionError(rule.logical_id, rule.type, "template", f"nobody plays a target {pointed.type}")

    def _routes(self, protocol: str) -> list[Resource]:
        return [
            route
            for route in self._of("AWS::ApiGatewayV2::Route")
            if self._pointed(route, route.raw["ApiId"]).properties["ProtocolType"] == protocol
        ]

    def _integrated(self, route: Resource) -> str:
        return self._function(self._pointed(route, route.raw["Target"]), "IntegrationUri")


def sorting_of(logical_id: str, kind: str) -> Sorting:
    """Return how a type is dealt with.

    Raises:
        ProvisionError: nobody has sorted it.
    """
    for kinds, sorting in _SORTINGS:
        if kind in kinds:
            return sorting
    problem = "expected a type sorted in sim/kernel/template/stack.py (STATE, PLAYED or CLOUD_ONLY), was not"
    raise ProvisionError(logical_id, kind, "template", problem)


def parse_template(
    document: Mapping[str, Any],
    parameters: Mapping[str, str] | None = None,
    *,
    region: str = LOCAL_REGION,
    account: str = LOCAL_ACCOUNT,
) -> Template:
    """Sort and resolve a template that has been read."""
    return Template(document, Resolver(document, parameters or {}, region, account))


@lru_cache(maxsize=1)
def load_template() -> Template:
    """Return system/template.yaml with its defaults, as every local backend uses it; read once a process."""
    return parse_template(read(TEMPLATE))


def _resource(logical_id: str, resource: Mapping[str, Any], resolver: Resolver) -> Resource:
    raw = resource.get("Properties", {})
    sorting = sorting_of(logical_id, resource["Type"])
    return Resource(
        logical_id, resource["Type"], sorting, raw, resolver.resolve(raw), resource.get("Metadata", {})
    )


def _table(resource: Resource) -> TableView:
    properties = resource.properties
    formats = resource.metadata.get("Keys", {})
    keys = {key["KeyType"]: key["AttributeName"] for key in properties["KeySchema"]}
    if keys != {"HASH": "PK", "RANGE": "SK"}:
        problem = f"expected the keys PK and SK, was {keys}"
        raise ProvisionError(resource.logical_id, resource.type, "template", problem)
    indexes: dict[str, tuple[str, str]] = {}
    for index in properties.get("GlobalSecondaryIndexes", ()):
        by_role = {key["KeyType"]: key["AttributeName"] for key in index["KeySchema"]}
        indexes[index["IndexName"]] = (by_role["HASH"], by_role["RANGE"])
    return TableView(
        resource.logical_id,
        properties["TableName"],
        indexes,
        properties.get("StreamSpecification", {}).get("StreamViewType", ""),
        properties.get("TimeToLiveSpecification", {}).get("AttributeName", ""),
        properties.get("PointInTimeRecoverySpecification", {}).get("PointInTimeRecoveryEnabled", False),
        (formats.get("PK", ""), formats.get("SK", "")),
    )


def _bucket(resource: Resource) -> BucketView:
    properties = resource.properties
    rules = properties["LifecycleConfiguration"]["Rules"]
    [encryption] = properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    return BucketView(
        resource.logical_id,
        properties["BucketName"],
        {
            rule["Prefix"]: (move["StorageClass"], move["TransitionInDays"])
            for rule in rules
            for move in rule["Transitions"]
        },
        encryption["ServerSideEncryptionByDefault"]["SSEAlgorithm"],
        all(properties["PublicAccessBlockConfiguration"].values()),
    )


def _event_name(resource: Resource, holder: Mapping[str, Any]) -> str:
    """Return the one eventName that a filter lets through, "" without a filter."""
    filters = holder.get("FilterCriteria", {}).get("Filters", ())
    if not filters:
        return ""
    patterns = [json.loads(each["Pattern"]) for each in filters]
    match patterns:
        case [{"eventName": [str(name)], **rest}] if not rest:
            return name
    problem = f"filter: nobody plays more than one eventName, was {patterns}"
    raise ProvisionError(resource.logical_id, resource.type, "template", problem)


def _attribute(value: Any) -> str:
    """Return a queue attribute as SQS wants it: text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, sort_keys=True) if isinstance(value, dict) else str(value)
