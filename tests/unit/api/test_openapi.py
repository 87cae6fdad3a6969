"""The OpenAPI document: valid, of the routes that are served, and true of what they answer."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from system.api.openapi import ROUTES, document
from tests.rules import rule
from tests.unit.floor import TOMORROW_S, Floor, account_of

DOCUMENT = document()
ANYTHING = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.lists(st.integers(), max_size=3)
)
NAMES = ["account", "symbol", "limit", "next", "status", "tier", "minutes", "days", "trader"]


def validator(schema: dict[str, Any]) -> Draft202012Validator:
    return Draft202012Validator({**schema, "components": DOCUMENT["components"]})


def operation(key: str) -> dict[str, Any]:
    method, path = key.split(" ")
    found: dict[str, Any] = DOCUMENT["paths"][path][method.lower()]
    return found


def conforms(key: str, status: int, said: Any) -> None:
    """Hold an answer against what the document says of its status."""
    responses = operation(key)["responses"]
    response = responses.get(str(status), responses["default"])
    assert status < 500, (key, said)
    assert str(status) in responses or status >= 400, (key, status)
    [content] = response["content"].values()
    validator(content["schema"]).validate(said)


def test_the_document_is_valid():
    OpenAPIV31SpecValidator(DOCUMENT).validate()


@rule("HTTP-003")
def test_it_has_the_routes_that_are_served():
    assert sorted(ROUTES) == sorted(Floor().router.verbs)


@rule("HTTP-003")
def test_real_answers_are_as_it_says():
    floor = Floor()
    for name in ("ann", "bob"):
        floor.fund(name)
    draft = floor.draft("ann", "SELL", 2, 60_000)
    validator(operation("POST /orders")["requestBody"]["content"]["application/json"]["schema"]).validate(
        draft
    )
    conforms("POST /orders", *floor.http("POST /orders", draft))
    conforms("POST /orders", *floor.http("POST /orders", draft))
    floor.order("bob", "BUY", 1, 60_000, tif="IOC")
    floor.run()
    many = {"account": account_of("ann"), "min_nonce": 9, "deadline": TOMORROW_S}
    conforms("DELETE /orders", *floor.http("DELETE /orders", many, query={"symbol": "BTC-PERP"}))
    for action in ("pause", "resume"):
        body = {"action": action, "symbol": "BTC-PERP"}
        conforms("POST /admin/markets", *floor.http("POST /admin/markets", body, groups=["admin"]))
    for key in ROUTES:
        if key.startswith("GET"):
            status, said = floor.http(key, path={"symbol": "BTC-PERP"}, query={"account": account_of("ann")})
            assert status == 200, (key, said)
            conforms(key, status, said)


@rule("HTTP-003")
@given(st.data())
@pytest.mark.parametrize("key", list(ROUTES))
def test_whatever_is_sent_the_answer_is_as_it_says(key, data):
    floor = Floor()
    schema = operation(key).get("requestBody")
    body = data.draw(st.dictionaries(st.sampled_from(_fields()), ANYTHING, max_size=8)) if schema else ""
    query = data.draw(st.dictionaries(st.sampled_from(NAMES), st.text(max_size=50), max_size=4))
    path = {
        "symbol": data.draw(st.sampled_from(["BTC-PERP", "x", ""])),
        "id": data.draw(st.text(max_size=90)),
    }

    conforms(key, *floor.http(key, body, path=path, query=query, groups=["admin"]))


def _fields() -> list[str]:
    schemas = DOCUMENT["components"]["schemas"].values()
    return sorted({name for schema in schemas for name in schema.get("properties", ())})
