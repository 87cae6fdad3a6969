"""Asks the exchange's door when the run is over: what the judges read beside the tables."""

from __future__ import annotations

from typing import Any

import orjson

from system.adapters.memory.ids import SeededIds
from system.api.door import open_door
from system.config import Config
from system.ports.clock import Clock
from system.ports.store import Store


class Visitor:
    """An API instance of its own, which only reads; nothing of it is in the history.

    Args:
        store: the tables.
        clock: stands at the instant that is judged.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._door = open_door(store, clock, SeededIds(clock, "judge"), Config(signatures="off"))

    def ask(self, route: str, **query: str) -> Any:
        """Return the body of an answer; raises RuntimeError when it is a refusal."""
        path = {"symbol": query.pop("symbol")} if "{symbol}" in route else {}
        said = self._door.handle(
            {
                "routeKey": route,
                "pathParameters": path,
                "queryStringParameters": query,
                "requestContext": {"http": {"sourceIp": "127.0.0.1"}},
            },
            None,
        )
        if said["statusCode"] != 200:
            raise RuntimeError(
                f"{route} {path or query}: expected 200, was {said['statusCode']} {said['body']}"
            )
        return orjson.loads(said["body"])
