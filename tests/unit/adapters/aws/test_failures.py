"""Every way in which AWS fails, in the words of the ports."""

from typing import Any

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)

from system.adapters.aws.failures import Asking, failure_of
from system.model.errors import PortError, Throttled, TimedOut, Unavailable
from tests.unit.adapters.aws.fake import refused

URL = "http://aws"
CODES: list[tuple[str, type[Exception]]] = [
    ("ThrottlingException", Throttled),
    ("ProvisionedThroughputExceededException", Throttled),
    ("RequestLimitExceeded", Throttled),
    ("TransactionConflictException", Throttled),
    ("TransactionInProgressException", Throttled),
    ("SlowDown", Throttled),
    ("InternalServerError", Unavailable),
    ("ServiceUnavailable", Unavailable),
    ("ValidationException", ValueError),
    ("IdempotentParameterMismatchException", ValueError),
    ("AccessDeniedException", PortError),
    ("ResourceNotFoundException", PortError),
]


@pytest.mark.parametrize(("code", "kind"), CODES)
def test_code(code: str, kind: type[Exception]) -> None:
    failure = failure_of(refused(code), "store.get Orders")

    assert type(failure) is kind
    assert str(failure) == f"store.get Orders: {code}: because"


LOST: list[tuple[BotoCoreError, type[Exception]]] = [
    (ConnectTimeoutError(endpoint_url=URL), Unavailable),
    (EndpointConnectionError(endpoint_url=URL), Unavailable),
    (NoCredentialsError(), Unavailable),
    (ReadTimeoutError(endpoint_url=URL), TimedOut),
    (ConnectionClosedError(endpoint_url=URL), TimedOut),
]


@pytest.mark.parametrize(("error", "kind"), LOST)
def test_no_answer(error: BotoCoreError, kind: type[Exception]) -> None:
    with pytest.raises(kind) as caught, Asking("queue.send"):
        raise error

    assert type(caught.value) is kind
    assert caught.value.__cause__ is error


def test_a_defect_of_ours_passes_through() -> None:
    def ask() -> Any:
        with Asking("queue.send"):
            raise KeyError("no")

    with pytest.raises(KeyError):
        ask()
