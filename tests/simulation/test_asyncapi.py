"""The AsyncAPI document: valid, committed, of the routes that are served, and true of what is said."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from jsonschema import Draft7Validator, Draft202012Validator

from sim.invariants import Judge
from sim.kernel.template.stack import load_template
from sim.run import LOOK_EVERY_NS, Timings, _play
from sim.scenario.schema import Scenario
from system.api.asyncapi import ANSWERS, FAMILIES, FRAMES, document
from system.api.ws import WebSocketRoutes
from tests.house import ROOT
from tests.rules import rule
from tests.simulation.scenes import opened
from tests.test_inventory import MIDNIGHT
from tests.unit.floor import Floor

DOCUMENT = document()
SCHEMA = ROOT / "contracts/node_modules/@asyncapi/specs/schemas/3.0.0.json"
ME = "ws-reader"
SCENARIOS = {
    "eight-o-clock": Scenario.load(ROOT / "scenarios/eight-o-clock.yaml"),
    "midnight": Scenario.parse(MIDNIGHT, "midnight.yaml"),
}
WANTED = {"eight-o-clock": {"liquidationAlert", "stateChange"}, "midnight": {"fundingRate"}}


def validator(name: str) -> Draft202012Validator:
    schema = {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}
    return Draft202012Validator(schema)


BY_WORD = {said["name"]: validator(name) for name, said in DOCUMENT["components"]["messages"].items()}


def test_the_document_is_valid():
    check = Draft7Validator(json.loads(SCHEMA.read_text()))
    assert [error.message for error in check.iter_errors(DOCUMENT)] == []
    spoiled = {**DOCUMENT, "channels": {"market": {"adress": "market.{symbol}"}}}
    assert not check.is_valid(spoiled)


@rule("SOCK-004")
def test_the_committed_document_is_this_one():
    remedy = "run: dexsim asyncapi > docs/asyncapi.json"
    assert orjson.loads((ROOT / "docs/asyncapi.json").read_bytes()) == DOCUMENT, remedy


@rule("SOCK-004")
def test_its_frames_are_the_routes():
    frames = {DOCUMENT["components"]["messages"][each.__name__]["name"] for each in FRAMES}
    assert frames == {route.key for route in load_template().ws_routes() if not route.key.startswith("$")}


@rule("SOCK-004")
@pytest.mark.parametrize("name", ["eight-o-clock", "midnight"])
def test_what_a_run_says_is_as_it_says(name):
    heard = heard_in(SCENARIOS[name])
    for message in heard:
        BY_WORD[message["kind"]].validate(message)
        family = message.get("channel", "").partition(".")[0]
        if family:
            assert message["kind"] in words_of(family)
    told = {message["kind"] for message in heard}
    assert told >= {"subscribed", "depth", "trade", "markPrice", "orderUpdate", "positionUpdate", "pong"}
    assert told >= WANTED[name]


def test_every_kind_of_news_is_wanted_of_some_run():
    kinds = {word for family in FAMILIES for word in words_of(family)}
    always = {"depth", "trade", "markPrice", "orderUpdate", "positionUpdate"}
    assert kinds == always.union(*WANTED.values())


@rule("SOCK-004")
@pytest.mark.parametrize(
    "frame",
    [
        {"action": "subscribe", "channels": ["market.BTC-PERP", "admin.BTC-PERP"]},
        {"action": "unsubscribe", "channels": ["market.BTC-PERP"]},
        {"action": "ping"},
        {"action": "subscribe", "channels": []},
        {"action": "sing"},
    ],
)
def test_what_the_routes_answer_is_as_it_says(frame):
    floor = Floor()
    event = {
        "requestContext": {"routeKey": frame["action"], "connectionId": "c"},
        "body": json.dumps(frame),
    }
    said: dict[str, Any] = WebSocketRoutes(floor.store, floor.clock).handle(event, None)
    answer = json.loads(said["body"])
    BY_WORD[answer["kind"]].validate(answer)
    refused = frame["action"] not in BY_WORD or not BY_WORD[frame["action"]].is_valid(frame)
    assert (answer["kind"] == "refused") == refused == (said["statusCode"] == 400)
    assert answer["kind"] in {DOCUMENT["components"]["messages"][each.__name__]["name"] for each in ANSWERS}


def words_of(family: str) -> set[str]:
    return {DOCUMENT["components"]["messages"][kind.__name__]["name"] for kind in FAMILIES[family].kinds}


def heard_in(scenario: Scenario) -> list[dict[str, Any]]:
    """Play a scenario with one more reader, who listens to everything."""
    heard: list[dict[str, Any]] = []
    with opened(scenario) as world:
        channels = [f"{family}.{symbol}" for symbol in world.specs for family in ("market", "admin")]
        channels += [f"trader.{purse.trader}" for purse in world.purses.values()]
        world.door.connect(ME, lambda raw: heard.append(orjson.loads(raw)))
        for start in range(0, len(channels), 50):
            frame = {"action": "subscribe", "channels": channels[start : start + 50]}
            BY_WORD["subscribe"].validate(frame)
            world.door.say(ME, orjson.dumps(frame).decode())
        world.timeline.after(30 * 10**9, world.door.say, ME, '{"action":"ping"}')
        _play(world, Judge(()), None, LOOK_EVERY_NS, Timings())
    return heard
