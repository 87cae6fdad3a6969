"""JSON-RPC over HTTP: one kept connection, single calls and batches, failures as PortErrors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
import urllib3

from system.model.errors import PortError, Throttled, Unavailable

_HEADERS = {"content-type": "application/json"}
_TOO_MANY_REQUESTS = 429
_OK = 200


class RpcError(PortError):
    """The node answered with an error: (code, message, data)."""


class JsonRpc:
    """A client of one node.

    Args:
        url: where the node listens.
        timeout_s: how long to wait for an answer.
    """

    def __init__(self, url: str, timeout_s: int = 10) -> None:
        self.url = url
        timeout = urllib3.Timeout(connect=timeout_s, read=timeout_s)
        # Nothing is repeated here: only the caller knows whether a second sending is harmless.
        self._pool = urllib3.connection_from_url(url, timeout=timeout, retries=False, maxsize=2)
        self._path = urllib3.util.parse_url(url).request_uri

    def call(self, method: str, *params: Any) -> Any:
        """Return the result of one call.

        Raises:
            Unavailable: the node did not answer; whether it acted is unknown.
            Throttled: it asked to slow down.
            RpcError: it answered with an error.
        """
        return result_of(self._post({"jsonrpc": "2.0", "id": 0, "method": method, "params": params}))

    def batch(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        """Return the results of many calls in one request, in order. Raises what `call` does."""
        return [result_of(answer) for answer in self.answers(calls)]

    def answers(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[dict[str, Any]]:
        """Return the whole answers of many calls in one request, errors included, in order."""
        if not calls:
            return []
        body = [
            {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
            for number, (method, params) in enumerate(calls)
        ]
        answers = self._post(body)
        if not isinstance(answers, list) or len(answers) != len(calls):
            raise Unavailable(f"{self.url}: expected {len(calls)} answers to a batch, was {answers!r:.200}")
        answers.sort(key=lambda answer: int(answer["id"]))  # a node may answer in any order
        return answers

    def close(self) -> None:
        """Drop the connections."""
        self._pool.close()

    def _post(self, body: Any) -> Any:
        try:
            response = self._pool.urlopen("POST", self._path, body=orjson.dumps(body), headers=_HEADERS)
        except urllib3.exceptions.HTTPError as problem:
            raise Unavailable(f"{self.url}: {problem}") from None
        if response.status == _TOO_MANY_REQUESTS:
            raise Throttled(self.url)
        if response.status != _OK:
            raise Unavailable(f"{self.url}: HTTP {response.status} {response.data[:200]!r}")
        try:
            return orjson.loads(response.data)
        except orjson.JSONDecodeError:
            raise Unavailable(f"{self.url}: expected JSON, was {response.data[:200]!r}") from None


def result_of(answer: dict[str, Any]) -> Any:
    """Return the result within an answer, or raise its error."""
    if "error" in answer:
        error = answer["error"]
        raise RpcError(error.get("code", 0), error.get("message", ""), error.get("data"))
    return answer["result"]
