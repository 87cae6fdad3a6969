"""Reads CloudFormation as it is written: YAML with short tags, parameters, mappings, conditions.

Only the functions that system/template.yaml uses are known; another one is an error and not a
guess. Identifiers that AWS would mint (ARNs, queue addresses) are made here from names, so that
the same template always resolves to the same text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from system.model.errors import ProvisionError

Value = Any
_LONG_NAMES = {"!Ref": "Ref", "!Condition": "Condition"}
_SHORT_TAGS = ("!Ref", "!Condition", "!GetAtt", "!Sub", "!FindInMap", "!Equals", "!If")
_PLACE = re.compile(r"\$\{([^}]+)\}")


def _node_value(constructor: Any, node: Any) -> Value:
    if node.id == "scalar":
        return constructor.construct_scalar(node)
    if node.id == "sequence":
        return constructor.construct_sequence(node, deep=True)
    return constructor.construct_mapping(node, deep=True)


def _tag(tag: str) -> Callable[[Any, Any], Value]:
    name = _LONG_NAMES.get(tag, "Fn::" + tag[1:])

    def construct(constructor: Any, node: Any) -> Value:
        value = _node_value(constructor, node)
        if name == "Fn::GetAtt" and isinstance(value, str):
            value = value.split(".", 1)
        return {name: value}

    return construct


def read(path: Path) -> dict[str, Value]:
    """Read a template with its functions in their long form; repeated keys are refused.

    Raises:
        ProvisionError: it is no YAML, or uses a tag that is not known here.
    """
    yaml = YAML(typ="safe")
    for tag in _SHORT_TAGS:
        yaml.constructor.add_constructor(tag, _tag(tag))
    try:
        document: dict[str, Value] = yaml.load(path)
    except YAMLError as error:
        raise ProvisionError("template", str(path), "cfn", str(error)) from None
    return document


class Resolver:
    """Turns the functions of one template into values."""

    def __init__(
        self, document: Mapping[str, Value], parameters: Mapping[str, str], region: str, account: str
    ) -> None:
        self._document = document
        self._resources: Mapping[str, Value] = document["Resources"]
        self.region = region
        self.account = account
        self._values: dict[str, Value] = {
            "AWS::Region": region,
            "AWS::AccountId": account,
            "AWS::Partition": "aws",
            "AWS::URLSuffix": "amazonaws.com",
        }
        declared = document.get("Parameters", {})
        for name in parameters:
            if name not in declared:
                raise ProvisionError(name, "Parameter", "cfn", "the template has no such parameter")
        for name, parameter in declared.items():
            if name not in parameters and "Default" not in parameter:
                raise ProvisionError(name, "Parameter", "cfn", "no value and no default")
            self._values[name] = str(parameters.get(name, parameter.get("Default")))

    def resolve(self, value: Value) -> Value:
        """Return the value with every function in it worked out."""
        if isinstance(value, dict):
            if len(value) == 1:
                [(name, argument)] = value.items()
                if name in ("Ref", "Condition") or name.startswith("Fn::"):
                    return self._call(name, argument)
            return {key: self.resolve(each) for key, each in value.items()}
        if isinstance(value, list):
            return [self.resolve(each) for each in value]
        return value

    def holds(self, condition: str) -> bool:
        """Return whether a condition of the template is true."""
        return bool(self.resolve(self._document["Conditions"][condition]))

    def _call(self, name: str, argument: Value) -> Value:
        if name == "Ref":
            return self._ref(argument)
        if name == "Fn::GetAtt":
            return self._attribute(*argument)
        if name == "Fn::Sub":
            return _PLACE.sub(lambda found: str(self._named(found.group(1))), argument)
        if name == "Fn::FindInMap":
            table, row, column = self.resolve(argument)
            return self._document["Mappings"][table][row][column]
        if name == "Fn::If":
            condition, one, other = argument
            return self.resolve(one if self.holds(condition) else other)
        if name == "Fn::Equals":
            one, other = self.resolve(argument)
            return one == other
        raise ProvisionError(name, "function", "cfn", f"expected one of {', '.join(_SHORT_TAGS)}")

    def _named(self, text: str) -> Value:
        logical_id, dot, attribute = text.partition(".")
        return self._attribute(logical_id, attribute) if dot else self._ref(text)

    def _resource(self, logical_id: str) -> tuple[str, Mapping[str, Value]]:
        if logical_id not in self._resources:
            raise ProvisionError(logical_id, "reference", "cfn", "the template has no such resource")
        resource = self._resources[logical_id]
        return resource["Type"], resource.get("Properties", {})

    def _ref(self, name: str) -> Value:
        """Return what Ref gives: an address for queues, an ARN for topics, else a name."""
        if name in self._values:
            return self._values[name]
        kind, properties = self._resource(name)
        if kind == "AWS::SQS::Queue":
            return f"https://sqs.{self.region}.amazonaws.com/{self.account}/{self.resolve(properties['QueueName'])}"
        if kind == "AWS::SNS::Topic":
            return self._arn("sns", self.resolve(properties["TopicName"]))
        if kind in _NAME_PROPERTY:
            return self.resolve(properties[_NAME_PROPERTY[kind]])
        return name

    def _attribute(self, logical_id: str, attribute: str) -> str:
        kind, _ = self._resource(logical_id)
        name = self._ref(logical_id)
        if kind == "AWS::SQS::Queue":
            name = name.rpartition("/")[2]
        known = {
            ("AWS::DynamoDB::Table", "Arn"): self._arn("dynamodb", f"table/{name}"),
            ("AWS::DynamoDB::Table", "StreamArn"): self._arn("dynamodb", f"table/{name}/stream/local"),
            ("AWS::SQS::Queue", "Arn"): self._arn("sqs", name),
            ("AWS::S3::Bucket", "Arn"): f"arn:aws:s3:::{name}",
            ("AWS::Lambda::Function", "Arn"): self._arn("lambda", f"function:{name}"),
            ("AWS::Events::Rule", "Arn"): self._arn("events", f"rule/{name}"),
            ("AWS::IAM::Role", "Arn"): f"arn:aws:iam::{self.account}:role/{name}",
            ("AWS::WAFv2::WebACL", "Arn"): self._arn("wafv2", f"global/webacl/{name}"),
            (
                "AWS::ApiGatewayV2::Api",
                "ApiEndpoint",
            ): f"https://{name}.execute-api.{self.region}.amazonaws.com",
            ("AWS::CloudFront::Distribution", "DomainName"): f"{name}.cloudfront.net",
        }
        if (kind, attribute) not in known:
            raise ProvisionError(
                logical_id, kind, "cfn", f"attribute {attribute}: nobody has said what it is"
            )
        return known[kind, attribute]

    def _arn(self, service: str, rest: str) -> str:
        return f"arn:aws:{service}:{self.region}:{self.account}:{rest}"


_NAME_PROPERTY = {"AWS::DynamoDB::Table": "TableName", "AWS::S3::Bucket": "BucketName"}


def target(value: Value) -> str:
    """Return the logical id that a property points at, "" when it points at none.

    >>> target({"Fn::GetAtt": ["OrdersTable", "StreamArn"]}), target({"Ref": "HttpApi"}), target("x")
    ('OrdersTable', 'HttpApi', '')
    """
    if isinstance(value, dict) and len(value) == 1:
        [(name, argument)] = value.items()
        if name == "Ref":
            return str(argument)
        if name == "Fn::GetAtt":
            return str(argument[0])
        if name == "Fn::Sub":
            names = (place.partition(".")[0] for place in _PLACE.findall(argument))
            return next((each for each in names if not each.startswith("AWS::")), "")
    return ""
