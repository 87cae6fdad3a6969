"""The served door, asked whatever its OpenAPI document allows and what it does not, by schemathesis."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from system.api import asyncapi
from system.api.openapi import ROUTES, document
from tests.e2e.served import TOKEN, Served, served
from tests.rules import rule

CASES = 2_000 if os.environ.get("DEXSIM_EXAMPLES") == "deep" else 130
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
schema = schemathesis.openapi.from_dict(document())


@pytest.fixture(scope="module")
def door() -> Iterator[Served]:
    with served() as here:
        yield here


@rule("HTTP-003")
@schema.parametrize()
@settings(
    max_examples=-(-CASES // len(ROUTES)),
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
def test_no_answer_is_a_server_error_or_breaks_the_document(case: schemathesis.Case, door: Served) -> None:
    case.call_and_validate(
        base_url=door.url, headers={"authorization": f"Bearer {TOKEN}"}, checks=CHECKS, timeout=20
    )


@rule("HTTP-003")
def test_the_document_is_served(door: Served) -> None:
    assert requests.get(door.url + "/openapi.json", timeout=20).json() == document()
    assert requests.get(door.url + "/asyncapi.json", timeout=20).json() == asyncapi.document()
    assert door.http("GET", "/nowhere") == (404, {"message": "Not Found"})
    assert door.http("POST", "/admin/markets", {}) == (401, {"message": "Unauthorized"})
