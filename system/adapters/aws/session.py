"""One session and its clients: where AWS is, how long to wait for it, and how our resources are called."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import boto3
import msgspec
from botocore.config import Config as ClientConfig

from system.model.errors import ConfigError

CONNECT_TIMEOUT_S = 2
READ_TIMEOUT_S = 8
RETRIES = 3


class Names(msgspec.Struct, frozen=True, kw_only=True):
    """What the stack's resources are called: the DEX_* variables that the template gives to each function.

    `prefix` stands before table names; the stack that has none is the only one of its account.
    """

    prefix: str = ""
    commands_url: str
    market_updates_arn: str
    lake_bucket: str
    sockets_url: str


def names_from_environment(environ: Mapping[str, str]) -> Names:
    """Read the DEX_* variables.

    Raises:
        ConfigError: one is missing.
    """
    wanted = {name: environ.get("DEX_" + name.upper(), "") for name in Names.__struct_fields__}
    for name, value in wanted.items():
        if not value and name != "prefix":
            raise ConfigError("DEX_" + name.upper(), "expected the name of a resource, was missing")
    return Names(**wanted)


class Clients:
    """The clients of one boto3 session, each made when first used.

    `endpoint_url` "" means AWS itself. Credentials come from where boto3 looks for them, unless
    `key_id` is given, for emulators that want any.
    """

    def __init__(self, endpoint_url: str = "", region: str = "", key_id: str = "", secret: str = "") -> None:
        self._endpoint_url = endpoint_url
        self._session: Any = boto3.Session(
            aws_access_key_id=key_id or None,
            aws_secret_access_key=secret or None,
            region_name=region or None,
        )

    @cached_property
    def dynamodb(self) -> Any:
        """DynamoDB without retries: a second try of a conditional write whose first answer was lost would
        report as refused what has happened. The room decides, it knows its tokens.
        """
        return self._client("dynamodb", attempts=1)

    @cached_property
    def dynamodbstreams(self) -> Any:
        return self._client("dynamodbstreams")

    @cached_property
    def sqs(self) -> Any:
        return self._client("sqs")

    @cached_property
    def sns(self) -> Any:
        return self._client("sns")

    @cached_property
    def s3(self) -> Any:
        return self._client("s3")

    @cached_property
    def secretsmanager(self) -> Any:
        return self._client("secretsmanager")

    def sockets(self, sockets_url: str) -> Any:
        """Return the client that posts to the connections of one WebSocket API's stage."""
        return self._client("apigatewaymanagementapi", endpoint_url=sockets_url)

    def _client(self, service: str, attempts: int = RETRIES, endpoint_url: str = "") -> Any:
        config = ClientConfig(
            connect_timeout=CONNECT_TIMEOUT_S,
            read_timeout=READ_TIMEOUT_S,
            retries={"mode": "standard", "total_max_attempts": attempts},
            # our requests are built by code that is tested against the real shapes
            parameter_validation=False,
            # emulators have neither account ids nor bucket names in their host names
            account_id_endpoint_mode="disabled",
            s3={"addressing_style": "path" if self._endpoint_url else "auto"},
        )
        url = endpoint_url or self._endpoint_url or None
        return self._session.client(service, endpoint_url=url, config=config)
