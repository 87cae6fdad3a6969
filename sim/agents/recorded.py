"""Traders that do again what others did: how a failing run is kept when it is made small."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from sim.agents.base import Agent, Life
from sim.scenario.part import Part
from sim.scenario.units import Duration
from system.api.idempotency import HEADER
from system.model.units import NS

if TYPE_CHECKING:
    from sim.client import Desk


class Command(Part):
    """One request, as it was sent."""

    at: Duration
    """When, since the start."""
    member: Annotated[int, Field(strict=True, ge=0)] = 0
    """Which member of the group sends it."""
    method: Literal["POST", "DELETE"] = "POST"
    """HTTP method."""
    path: str = "/orders"
    """Path."""
    symbol: str = ""
    """Of a cancel of all orders: in which market."""
    body: str
    """Body, with its signature."""
    key: str = ""
    """Its idempotency key."""


class Recorded(Agent):
    """Sends requests that were recorded in another run, at their times, and hears no answer."""

    kind: Literal["recorded"]
    commands: tuple[Command, ...] = ()
    """What it sends, in order of time."""

    def live(self, desk: Desk) -> Life:
        member, began_ns = int(desk.name.rpartition("-")[2]), desk.now_ns
        mine = [command for command in self.commands if command.member == member]
        for number, command in enumerate(mine, start=1):
            yield desk.sleep(command.at - (desk.now_ns - began_ns))
            if (command.method, command.path) == ("POST", "/orders"):
                desk.sent += 1
            desk.door.request(_event(command, f"{desk.name}-{number}", desk.now_ns), None)


def _event(command: Command, request_id: str, now_ns: int) -> dict[str, Any]:
    """Return the event that API Gateway makes of a request."""
    order_id = command.path.removeprefix("/orders/") if command.path != "/orders" else ""
    route_key = f"{command.method} /orders/{{id}}" if order_id else f"{command.method} {command.path}"
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": route_key,
        "rawPath": command.path,
        "rawQueryString": f"symbol={command.symbol}" if command.symbol else "",
        "headers": {"content-type": "application/json"},
        "requestContext": {
            "http": {
                "method": command.method,
                "path": command.path,
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": "dexsim",
            },
            "requestId": request_id,
            "routeKey": route_key,
            "stage": "$default",
            "timeEpoch": now_ns * 1_000 // NS,
        },
        "isBase64Encoded": False,
        "body": command.body,
    }
    if command.key:
        event["headers"] = {**event["headers"], HEADER: command.key}
    if order_id:
        event["pathParameters"] = {"id": order_id}
    if command.symbol:
        event["queryStringParameters"] = {"symbol": command.symbol}
    return event
