"""From one message of the topic to the sockets of its subscribers."""

from __future__ import annotations

import json

import pytest

from system.api.ws import WebSocketRoutes
from system.feed.fan_out import FanOut
from system.model.errors import Unavailable
from system.model.units import NS
from tests.rules import rule
from tests.unit.floor import Floor

BTC = {"channel": "market.BTC-PERP", "seq": 1, "kind": "trade", "ts_ns": 5, "data": {}}
SPOT = {"channel": "market.sBTC-USDC", "seq": 1, "kind": "depth", "ts_ns": 5, "data": {}}


class Hall:
    """Sockets with people behind them, and the function between."""

    def __init__(self) -> None:
        self.floor = floor = Floor()
        self.routes = WebSocketRoutes(floor.store, floor.clock)
        self.fan_out = FanOut(floor.store, floor.sockets, floor.clock, NS)
        self.heard: dict[str, list[dict[str, object]]] = {}

    def join(self, name: str, *channels: str) -> None:
        heard = self.heard[name] = []
        self.floor.sockets.connect(name, lambda data: heard.append(json.loads(data)))
        self.say(name, "$connect")
        self.say(name, "subscribe", json.dumps({"channels": channels}))

    def say(self, name: str, route: str, body: str = "") -> None:
        context = {"requestContext": {"routeKey": route, "connectionId": name}, "body": body}
        assert self.routes.handle(context, None)["statusCode"] == 200

    def publish(self, *messages: dict[str, object]) -> None:
        self.fan_out.handle({"Records": [{"Sns": {"Message": json.dumps(messages)}}]}, None)


@pytest.fixture
def hall() -> Hall:
    return Hall()


@rule("FANO-001")
def test_who_subscribed_hears_it_in_order(hall):
    hall.join("a", "market.BTC-PERP")
    hall.join("b", "market.BTC-PERP", "market.sBTC-USDC")
    hall.join("c", "market.sBTC-USDC")
    later = {**BTC, "seq": 2}

    hall.publish(BTC, SPOT, later)

    assert hall.heard == {"a": [BTC, later], "b": [BTC, SPOT, later], "c": [SPOT]}


@rule("FANO-002")
def test_who_is_gone_is_forgotten(hall):
    for name in ("a", "b", "c"):
        hall.join(name, "market.BTC-PERP", "market.sBTC-USDC")
    hall.floor.sockets.disconnect("b")

    hall.publish(BTC)
    hall.publish(BTC, SPOT)

    assert [len(hall.heard[name]) for name in "abc"] == [3, 0, 3]
    assert {row["PK"] for row in hall.floor.store.scan("WSConnections")} == {"WS#a", "WS#c"}


@rule("FANO-002")
def test_all_of_them_gone(hall):
    for name in ("a", "b"):
        hall.join(name, "market.BTC-PERP")
        hall.floor.sockets.disconnect(name)
    hall.publish(BTC, BTC)
    assert hall.floor.store.scan("WSConnections") == []


@rule("FANO-003")
def test_subscribers_are_read_once_a_while(hall):
    hall.join("a", "market.BTC-PERP")
    hall.publish(BTC)
    hall.join("b", "market.BTC-PERP")
    hall.floor.clock.advance(NS - 1)
    hall.publish(BTC)
    assert [len(hall.heard[name]) for name in "ab"] == [2, 0]
    hall.floor.clock.advance(1)
    hall.publish(BTC)
    assert [len(hall.heard[name]) for name in "ab"] == [3, 1]


def test_nobody_listens(hall):
    hall.publish(BTC, SPOT)
    hall.publish()


def test_a_store_that_does_not_answer_fails_the_invocation(hall):
    class Away:
        def query(self, *_args, **_how):
            raise Unavailable("store.query: not answered")

    hall.fan_out.store = Away()
    with pytest.raises(Unavailable):
        hall.publish(BTC)
