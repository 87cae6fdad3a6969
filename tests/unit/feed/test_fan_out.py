"""From one message of the topic to the sockets of its subscribers."""

from __future__ import annotations

import json

import pytest

from system.api.ws import WebSocketRoutes
from system.feed.fan_out import FanOut
from system.model.errors import Unavailable
from system.model.units import NS
from tests.rules import rule
from tests.unit.floor import Floor, trader

BTC = {"channel": "market.BTC-PERP", "seq": 1, "kind": "trade", "ts_ns": 5, "data": {}}
ANN = "trader." + trader("ann")
MINE = {"channel": ANN, "kind": "orderUpdate", "ts_ns": 5, "data": {"order_id": "x"}}
SPOT = {"channel": "market.sBTC-USDC", "seq": 1, "kind": "depth", "ts_ns": 5, "data": {}}


class Hall:
    """Sockets with people behind them, and the function between."""

    def __init__(self) -> None:
        self.floor = floor = Floor()
        self.routes = WebSocketRoutes(floor.store, floor.clock)
        self.fan_out = self.instance()
        self.heard: dict[str, list[dict[str, object]]] = {}

    def instance(self) -> FanOut:
        """Return an instance that remembers nothing."""
        return FanOut(self.floor.store, self.floor.sockets, self.floor.clock, NS)

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


@rule("SOCK-003")
def test_who_is_silent_for_too_long_hears_nothing_more(hall):
    hall.join("a", "market.BTC-PERP")
    hall.join("b", "market.BTC-PERP")
    hall.floor.clock.advance(899 * NS)
    hall.say("b", "ping")
    hall.publish(BTC)
    hall.floor.clock.advance(NS)
    hall.publish(BTC)
    assert [len(hall.heard[name]) for name in "ab"] == [1, 2]


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


@rule("FANO-004")
def test_a_trader_s_messages_are_numbered_on_by_whatever_instance(hall):
    hall.join("a", ANN)
    hall.join("b", ANN, "market.BTC-PERP")
    for times in (1, 3, 2):
        hall.publish(*[MINE, BTC][:times], *[MINE] * (times - 2))
        hall.fan_out = hall.instance()

    assert [message["seq"] for message in hall.heard["a"]] == [1, 2, 3, 4]
    assert [message for message in hall.heard["b"] if message["channel"] == ANN] == hall.heard["a"]
    assert hall.heard["a"][0] == {"seq": 1, **MINE}
    counters = [row for row in hall.floor.store.scan("WSConnections") if row["PK"].startswith("CHANNEL#")]
    assert counters == [{"PK": "CHANNEL#" + ANN, "SK": "META", "seq": 4}]


@rule("FANO-004")
def test_a_publication_that_comes_again_has_later_numbers_and_the_same_words(hall):
    hall.join("a", ANN, "market.BTC-PERP")
    hall.publish(MINE, BTC)
    hall.publish(MINE, BTC)
    mine = [message for message in hall.heard["a"] if message["channel"] == ANN]
    assert [message.pop("seq") for message in mine] == [1, 2]
    assert mine == [MINE, MINE]
    assert [message for message in hall.heard["a"] if message["channel"] != ANN] == [BTC, BTC]


@rule("FANO-004")
def test_an_instance_that_dies_before_it_has_posted_leaves_a_hole(hall):
    hall.join("a", ANN)
    hall.publish(MINE)
    post = hall.floor.sockets.post

    def away(*_args: object) -> bool:
        raise Unavailable("sockets.post: not answered")

    hall.floor.sockets.post = away
    with pytest.raises(Unavailable):
        hall.publish(MINE)
    hall.floor.sockets.post = post
    hall.fan_out = hall.instance()
    hall.publish(MINE)
    assert [message["seq"] for message in hall.heard["a"]] == [1, 3]


@rule("FANO-004", "SOCK-002")
def test_who_subscribes_is_told_the_last_number(hall):
    hall.join("a", ANN)
    hall.publish(MINE, MINE)
    body = json.dumps({"channels": [ANN, "trader." + trader("bob"), "market.BTC-PERP"]})
    event = {"requestContext": {"routeKey": "subscribe", "connectionId": "a"}, "body": body}
    said = json.loads(hall.routes.handle(event, None)["body"])
    assert said["channels"] == {ANN: 2, "trader." + trader("bob"): 0, "market.BTC-PERP": 0}


@rule("FANO-004")
def test_a_channel_without_listeners_costs_no_write(hall):
    hall.publish(MINE, BTC)
    assert hall.floor.store.scan("WSConnections") == []


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
