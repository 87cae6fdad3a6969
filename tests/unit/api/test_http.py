"""From API Gateway's event to a verb and back."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from system.api.http import Request, Router, answer
from system.model.errors import Rejected, RejectReason, Throttled
from tests.rules import rule
from tests.unit.floor import Floor, account_of

ROUTES = ("POST /orders", "DELETE /orders/{id}", "DELETE /orders", "POST /admin/markets")


def router(verb) -> Router:
    return Router({"POST /x": verb}, lambda: 42)


def echo(request: Request):
    return answer(
        200, {"body": request.body.decode(), "groups": list(request.groups), "ns": request.received_ns}
    )


def test_an_unknown_route_names_the_known_ones():
    for event in ({}, {"routeKey": "GET /x"}, {"routeKey": "\ud800"}):
        said = router(echo).handle(event, None)
        problem = json.loads(said["body"])
        assert (said["statusCode"], problem["reason"], problem["field"]) == (404, "UNKNOWN_ROUTE", "routeKey")
        assert "POST /x" in problem["detail"]


def test_the_least_of_an_event_will_do():
    said = router(echo).handle({"routeKey": "POST /x"}, None)
    assert said["statusCode"] == 200
    assert json.loads(said["body"]) == {"body": "", "groups": [], "ns": 42}


@rule("HTTP-001")
def test_a_body_in_base64():
    event = {
        "routeKey": "POST /x",
        "isBase64Encoded": True,
        "body": base64.b64encode("grüß".encode()).decode(),
    }
    assert json.loads(router(echo).handle(event, None)["body"])["body"] == "grüß"
    for wrong in ("a", "=", "grüß", "!!!!"):
        said = router(echo).handle({**event, "body": wrong}, None)
        assert (said["statusCode"], json.loads(said["body"])["field"]) == (400, "body")


@rule("HTTP-001")
def test_a_body_is_as_long_in_base64_as_it_is():
    body = base64.b64encode(b"x" * 16_384).decode()
    event = {"routeKey": "POST /x", "isBase64Encoded": True, "body": body}
    assert router(echo).handle(event, None)["statusCode"] == 200
    event["body"] = base64.b64encode(b"x" * 16_385).decode()
    assert router(echo).handle(event, None)["statusCode"] == 400


@pytest.mark.parametrize(
    ("claim", "groups"),
    [
        (["admin", "ops"], ["admin", "ops"]),
        ("[admin ops]", ["admin", "ops"]),
        ("admin,ops", ["admin", "ops"]),
        ("[administrators]", ["administrators"]),
        ("", []),
    ],
)
def test_groups_of_a_caller(claim, groups):
    authorizer = {"jwt": {"claims": {"cognito:groups": claim}}}
    event = {"routeKey": "POST /x", "requestContext": {"authorizer": authorizer}}
    assert json.loads(router(echo).handle(event, None)["body"])["groups"] == groups
    for empty in ({"jwt": None}, {"jwt": {"claims": None}}, {"lambda": {}}):
        event = {"routeKey": "POST /x", "requestContext": {"authorizer": empty}}
        assert json.loads(router(echo).handle(event, None)["body"])["groups"] == []


def test_refusals_are_problems():
    said = router(lambda _request: Rejected(RejectReason.PRICE_BAND, "price", "expected less")).handle(
        {"routeKey": "POST /x"}, None
    )
    assert said["statusCode"] == 422
    assert said["headers"]["content-type"] == "application/problem+json"
    assert json.loads(said["body"]) == {
        "type": "about:blank",
        "title": "Price band",
        "status": 422,
        "detail": "expected less",
        "reason": "PRICE_BAND",
        "field": "price",
    }


def test_every_reason_has_a_status_and_a_title():
    for reason in RejectReason:
        said = router(lambda _request, reason=reason: Rejected(reason)).handle({"routeKey": "POST /x"}, None)
        assert 400 <= said["statusCode"] < 500
        assert json.loads(said["body"])["reason"] == reason.value


@rule("HTTP-002")
def test_a_port_that_fails_is_said_and_may_be_retried():
    def fail(_request):
        raise Throttled("store.transact: TransactionConflict")

    said = router(fail).handle({"routeKey": "POST /x"}, None)
    assert (said["statusCode"], said["headers"]["retry-after"]) == (503, "1")
    detail = json.loads(said["body"])["detail"]
    assert detail.startswith("Throttled: send the same request again")


def test_a_defect_is_no_answer():
    def fail(_request):
        raise AssertionError("impossible")

    with pytest.raises(AssertionError):
        router(fail).handle({"routeKey": "POST /x"}, None)


TEXT = st.text(max_size=60)
SCALAR = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT
NAMES = st.sampled_from(
    [
        *("type", "symbol", "side", "qty_e8", "limit_price_e6", "account", "nonce", "signature", "tif"),
        *("expire_s", "deadline", "min_nonce", "action", "kind", "base", "tick_e6", "lot_e8", "replaces"),
    ]
)
GOOD = {
    "type": "limit",
    "symbol": "BTC-PERP",
    "side": "BUY",
    "qty_e8": 10**6,
    "limit_price_e6": 60_000 * 10**6,
    "account": account_of("ann"),
    "nonce": 1,
}
BODIES = st.one_of(
    TEXT,
    st.binary(max_size=60).map(lambda raw: raw.decode("utf-8", "surrogateescape")),
    st.dictionaries(NAMES | TEXT, SCALAR | st.lists(SCALAR, max_size=3), max_size=8).map(
        lambda some: json.dumps({**GOOD, **some})
    ),
)


@rule("HTTP-001")
@given(
    route=st.sampled_from(ROUTES),
    body=BODIES,
    path=st.dictionaries(st.just("id"), TEXT | st.just("BTC-PERP:x")),
    query=st.dictionaries(st.just("symbol"), TEXT | st.just("BTC-PERP")),
    key=st.none() | TEXT,
    in_base64=st.booleans(),
)
def test_whatever_comes_is_answered_and_what_is_refused_changes_nothing(
    route, body, path, query, key, in_base64
):
    floor = Floor(signatures="real")
    before = floor.scan()
    event = {
        "routeKey": route,
        "body": body,
        "isBase64Encoded": in_base64,
        "pathParameters": path,
        "queryStringParameters": query,
        "headers": {"idempotency-key": key} if key is not None else {},
        "requestContext": {},
    }
    said = floor.router.handle(event, None)

    assert 400 <= said["statusCode"] < 500
    problem = json.loads(said["body"])
    assert problem["status"] == said["statusCode"]
    assert problem["detail"]
    assert floor.scan() == before


@given(
    query=st.dictionaries(st.sampled_from(["trader", "account", "limit", "next", "minutes"]), TEXT),
    symbol=TEXT,
)
def test_whatever_is_asked_is_answered(query, symbol):
    floor = Floor()
    for route in ("GET /orders", "GET /positions", "GET /markets", "GET /stats/{symbol}"):
        event = {"routeKey": route, "pathParameters": {"symbol": symbol}, "queryStringParameters": query}
        assert floor.router.handle(event, None)["statusCode"] in (200, 400, 404)
