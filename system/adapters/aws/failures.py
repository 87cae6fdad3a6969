"""What AWS says when it fails, in the words of system/model/errors.py."""

from __future__ import annotations

from types import TracebackType

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    ReadTimeoutError,
)

from system.model.errors import PortError, Throttled, TimedOut, Unavailable

_THROTTLED = frozenset(
    {
        "LimitExceededException",
        "ProvisionedThroughputExceeded",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "SlowDown",
        "Throttled",
        "ThrottledException",
        "Throttling",
        "ThrottlingError",
        "ThrottlingException",
        "TooManyRequestsException",
        # another transaction is at the same item: later it may pass
        "TransactionConflict",
        "TransactionConflictException",
        "TransactionInProgressException",
    }
)
_UNAVAILABLE = frozenset(
    {
        "InternalError",
        "InternalFailure",
        "InternalServerError",
        "InternalServiceErrorException",
        "ServiceUnavailable",
        "ServiceUnavailableException",
    }
)
_DEFECTS = frozenset(
    {
        "IdempotentParameterMismatchException",
        "InvalidMessageContents",
        "InvalidParameterValue",
        "ValidationError",
        "ValidationException",
    }
)


def is_throttle(code: str) -> bool:
    """Return whether an AWS error code asks for a later retry."""
    return code in _THROTTLED


def failure_of(error: ClientError | BotoCoreError, where: str) -> Exception:
    """Return what the port raises for an error of boto3; ValueError for a request that is itself wrong."""
    if isinstance(error, ClientError):
        said = error.response.get("Error", {})
        code = said.get("Code", "")
        message = f"{where}: {code}: {said.get('Message', '')}"
        if code in _THROTTLED:
            return Throttled(message)
        if code in _UNAVAILABLE:
            return Unavailable(message)
        if code in _DEFECTS:
            return ValueError(message)
        return PortError(message)
    # The request was sent and no answer came: it may have had its effect.
    if isinstance(error, ReadTimeoutError | ConnectionClosedError):
        return TimedOut(f"{where}: {error}")
    return Unavailable(f"{where}: {error}")


class Asking:
    """`with Asking("lake.put trades/x"):` turns errors of boto3 into those of the ports."""

    __slots__ = ("_where",)

    def __init__(self, where: str) -> None:
        self._where = where

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, ClientError | BotoCoreError):
            raise failure_of(error, self._where) from error
