"""The public door of the exchange, with the internet in between: API Gateway's HTTP and WebSocket, played."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import orjson

from sim.kernel.cloud import Cloud, OnMessage, unheard
from sim.kernel.plumbing import Event, Failed, Finish
from system.api.idempotency import HEADER

OnResponse = Callable[[dict[str, Any]], None]


class Door:
    """The public door as agents reach it: HTTP and WebSocket, with the internet in between."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        # the clock's own methods: agents call them at every beat
        self.now_ns = cloud.timeline.now_ns
        self.sleep = cloud.timeline.sleep
        self.signal = cloud.timeline.env.event
        by_handler = {function.name: function.logical_id for function in cloud.template.functions()}
        self._api = cloud.functions[by_handler["api"]]
        self._websocket = cloud.functions[by_handler["websocket"]]
        self._there = cloud.links["client -> api"]
        self._back = cloud.links["api -> client"]
        self._answers = {route.key: route.answers for route in cloud.template.ws_routes()}

    def request(self, event: Event, on_response: OnResponse | None) -> None:
        """Send an HTTP event; the answer comes later. The request's id tells who sent it."""
        cloud = self.cloud
        who = event["requestContext"]["requestId"]
        http = event["requestContext"]["http"]
        asked = {
            "t": cloud.timeline.elapsed_ns,
            "e": "request",
            "who": who,
            "m": http["method"],
            "p": http["path"],
            "b": event.get("body") or "",
        }
        if key := event["headers"].get(HEADER):
            asked["k"] = key
        cloud.history.add(asked)
        cloud.in_flight += 1
        delay_ns = self._there.draw() + self._api.delay.draw()
        cloud.timeline.after(delay_ns, self._serve, event, on_response, who, delay_ns)

    def _serve(self, event: Event, on_response: OnResponse | None, who: str, took_ns: int) -> None:
        self.cloud.in_flight -= 1
        self._answer(on_response, who, took_ns, self.cloud.run_handler(self._api, event))

    def _answer(self, on_response: OnResponse | None, who: str, took_ns: int, said: Any) -> None:
        cloud = self.cloud
        response = {"statusCode": 503, "headers": {}, "body": ""} if isinstance(said, Failed) else said
        cloud.history.add(
            {
                "t": cloud.timeline.elapsed_ns,
                "e": "response",
                "who": who,
                "s": response["statusCode"],
                "b": response["body"],
            }
        )
        if on_response is not None:
            back_ns = self._back.draw()
            cloud.meter.note("order_to_response", took_ns + back_ns)
            cloud.timeline.after(back_ns, on_response, response)

    def connect(self, connection_id: str, on_message: OnMessage) -> None:
        """Open a WebSocket: the $connect route."""
        self.cloud.sockets[connection_id] = on_message
        self._socket_event(connection_id, "$connect", "")

    def disconnect(self, connection_id: str) -> None:
        """Close a WebSocket: the $disconnect route."""
        self.cloud.sockets.pop(connection_id, None)
        self._socket_event(connection_id, "$disconnect", "")

    def say(self, connection_id: str, body: str) -> None:
        """Send a frame; the route is the message's `action`, where there is such a route."""
        try:
            route = str(orjson.loads(body)["action"])
        except (orjson.JSONDecodeError, KeyError, TypeError):
            route = "$default"
        self._socket_event(connection_id, route if route in self._answers else "$default", body)

    def hole(self, who: str, channel: str, numbers: list[int], new: bool) -> None:
        """Take note that a reader has missed messages of a channel."""
        event = {"e": "hole", "who": who, "ch": channel, "n": numbers, "new": new}
        self.cloud.history.add({"t": self.cloud.timeline.elapsed_ns, **event})

    def healed(self, who: str, channel: str) -> None:
        """Take note that a reader knows the state again."""
        event = {"t": self.cloud.timeline.elapsed_ns, "e": "healed", "who": who, "ch": channel}
        self.cloud.history.add(event)

    def _socket_event(self, connection_id: str, route: str, body: str) -> None:
        event = {
            "requestContext": {
                "routeKey": route,
                "connectionId": connection_id,
                "eventType": {"$connect": "CONNECT", "$disconnect": "DISCONNECT"}.get(route, "MESSAGE"),
            },
            "body": body,
        }
        on_message = self.cloud.sockets.get(connection_id)
        finish: Finish = unheard
        if on_message is not None and self._answers[route]:
            finish = partial(self._answer_socket, on_message)
        self.cloud.invoke(self._websocket, event, finish)

    def _answer_socket(self, on_message: OnMessage, said: Any) -> None:
        """Send back what a route answered; it is lost with an invocation that failed."""
        if not isinstance(said, Failed):
            self.cloud.timeline.after(self._back.draw(), on_message, said["body"].encode())
