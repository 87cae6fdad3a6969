"""The WebSocket routes."""

from __future__ import annotations

import json

import pytest

from system.api.ws import WebSocketRoutes
from system.model import keys
from system.model.units import NS
from tests.rules import rule
from tests.unit.floor import START_NS, Floor, trader


def say(floor: Floor, route: str, body: object = "", connection: str = "c1"):
    event = {
        "requestContext": {"routeKey": route, "connectionId": connection},
        "body": body if isinstance(body, str) else json.dumps(body),
    }
    return WebSocketRoutes(floor.store, floor.clock).handle(event, None)


def rows(floor: Floor) -> list[tuple[str, str]]:
    return [(row["PK"], row["SK"]) for row in floor.store.scan("WSConnections")]


@rule("SOCK-001")
def test_from_connect_to_disconnect():
    floor = Floor()
    channels = ["market.BTC-PERP", "trader." + trader("ann"), "admin.BTC-PERP"]
    assert say(floor, "$connect") == {"statusCode": 200}
    said = say(floor, "subscribe", {"action": "subscribe", "channels": channels})
    told = {"kind": "subscribed", "channels": dict.fromkeys(channels, 0)}
    assert (said["statusCode"], json.loads(said["body"])) == (200, told)
    say(floor, "$connect", connection="c2")

    assert rows(floor) == [
        ("WS#c1", "META"),
        *(("WS#c1", f"SUB#{name}") for name in sorted(channels)),
        ("WS#c2", "META"),
    ]
    assert {row["ttl"] for row in floor.store.scan("WSConnections")} == {START_NS // NS + 900}

    left = ["admin.BTC-PERP", "market.BTC-PERP"]
    said = say(floor, "unsubscribe", {"channels": left})
    assert json.loads(said["body"]) == {"kind": "unsubscribed", "channels": left}
    assert rows(floor)[1] == ("WS#c1", "SUB#trader." + trader("ann"))
    assert say(floor, "$disconnect") == {"statusCode": 200}
    assert rows(floor) == [("WS#c2", "META")]
    assert say(floor, "$disconnect") == {"statusCode": 200}


@rule("SOCK-001")
@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "null",
        "[]",
        "7",
        "\ud800",
        {},
        {"channels": "market.BTC-PERP"},
        {"channels": []},
        {"channels": ["market.BTC-PERP"] * 51},
        {"channels": [7]},
        {"channels": ["market."]},
        {"channels": ["market.BTC PERP"]},
        {"channels": ["market.BTC-PERP\n"]},
        {"channels": ["market.BTC-PERP", "trader.ann"]},
        {"channels": ["TRADER#x"]},
        {"channels": ["market." + "B" * 41]},
    ],
)
@pytest.mark.parametrize("route", ["subscribe", "unsubscribe"])
def test_what_is_no_subscription(body, route):
    floor = Floor()
    before = floor.scan()
    said = say(floor, route, body)
    assert said["statusCode"] == 400
    assert json.loads(said["body"])["detail"]
    assert floor.scan() == before


@rule("SOCK-002")
def test_who_subscribes_is_told_how_far_market_and_admins_are():
    floor = Floor()
    floor.fund("ann")
    floor.order("ann", "BUY", 1, 59_000)
    floor.run()
    floor.admin("pause")
    floor.run()
    said = say(floor, "subscribe", {"channels": ["market.BTC-PERP", "admin.BTC-PERP", "admin.sBTC-USDC"]})
    lease = floor.lease()
    assert (lease["feed_seq"], lease["admin_seq"]) == (2, 1)
    assert json.loads(said["body"])["channels"] == {
        "market.BTC-PERP": 2,
        "admin.BTC-PERP": 1,
        "admin.sBTC-USDC": 0,
    }


@rule("SOCK-003")
def test_a_ping_renews_everything_and_tells_the_numbers():
    floor = Floor()
    mine = "trader." + trader("ann")
    say(floor, "$connect")
    say(floor, "subscribe", {"channels": ["market.BTC-PERP", mine]})
    floor.store.count("WSConnections", "seq", {keys.channel_key(mine): 7})
    floor.clock.advance(600 * NS)
    said = say(floor, "ping")
    told = {"kind": "pong", "channels": {"market.BTC-PERP": 0, mine: 7}}
    assert (said["statusCode"], json.loads(said["body"])) == (200, told)
    held = [row for row in floor.store.scan("WSConnections") if row["PK"] == "WS#c1"]
    assert [row["ttl"] for row in held] == [START_NS // NS + 1_500] * 3


@rule("SOCK-003")
def test_a_ping_of_a_connection_that_was_forgotten_brings_nothing_back():
    floor = Floor()
    assert json.loads(say(floor, "ping")["body"]) == {"kind": "pong", "channels": {}}
    assert rows(floor) == []


def test_an_unknown_action():
    floor = Floor()
    said = say(floor, "$default", {"channels": ["market.BTC-PERP"]})
    assert said["statusCode"] == 400
    assert rows(floor) == []
