"""The door as an OpenAPI 3.1 document: bodies from the very types that decode them, routes from one table.

`tests/unit/api/test_openapi.py` holds the table against the routes that are served. Printed by
`dexsim openapi`.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import msgspec

from system.api.bodies import Body, CancelManyBody, CancelOneBody
from system.api.collateral import CollateralBody
from system.api.markets import Change, CreateMarket
from system.api.query import ORDER_STATES, TIERS
from system.api.reading import MAX_PAGE
from system.api.withdraw import WithdrawBody

Json = dict[str, Any]


class Problem(msgspec.Struct):
    """RFC 9457 problem+json: `reason` is for programs, `detail` says what was expected and what was there."""

    type: str
    title: str
    status: int
    detail: str
    reason: str
    field: str


class Parameter(NamedTuple):
    """A query parameter; integers have a highest value, words are one of `words`."""

    name: str
    most: int = 0
    words: tuple[str, ...] = ()


class Described(NamedTuple):
    """One route: what it does, what it takes, what it answers."""

    about: str
    status: int
    answers: tuple[str, ...]  # keys that every answer has
    query: tuple[Parameter, ...] = ()
    body: Any = None
    of_admins: bool = False


_WHO = (Parameter("account"), Parameter("trader"))
_PAGE = (Parameter("limit", MAX_PAGE), Parameter("next"))
ROUTES: dict[str, Described] = {
    "POST /orders": Described("Create an order.", 201, ("order_id", "status", "hold"), (), Body),
    "DELETE /orders/{id}": Described("Cancel one order.", 202, ("order_id", "status"), (), CancelOneBody),
    "DELETE /orders": Described(
        "Cancel a market's orders below a nonce.",
        202,
        ("symbol", "status"),
        (Parameter("symbol"),),
        CancelManyBody,
    ),
    "GET /orders": Described(
        "A trader's orders, newest first.",
        200,
        ("orders", "next"),
        (*_WHO, *_PAGE, Parameter("symbol"), Parameter("status", words=ORDER_STATES)),
    ),
    "GET /trades": Described("A trader's fills, newest first.", 200, ("fills", "next"), (*_WHO, *_PAGE)),
    "GET /positions": Described(
        "Positions with unrealised PnL, and balances.", 200, ("positions", "balances"), _WHO
    ),
    "GET /markets": Described("Every market.", 200, ("markets",)),
    "GET /markets/{symbol}/depth": Described(
        "The book as last published.", 200, ("channel", "seq", "kind", "ts_ns", "data")
    ),
    "GET /markets/{symbol}/trades": Described("Prints, newest first.", 200, ("trades", "next"), _PAGE),
    "GET /markets/{symbol}/ticker": Described(
        "Prices and the last 24 hours.", 200, ("symbol", "status", "best_bid", "best_ask", "day")
    ),
    "GET /stats/{symbol}": Described(
        "Statistics by tier.",
        200,
        (),
        (Parameter("minutes", 1440), Parameter("days", 366), Parameter("tier", words=TIERS)),
    ),
    "POST /collateral": Described(
        "Move margin, or pay into an insurance fund.", 202, ("command_id", "status"), (), CollateralBody
    ),
    "POST /vault/withdraw": Described(
        "Withdraw free USDC, as USDC or as CXPT.", 202, ("withdrawal_id", "status"), (), WithdrawBody
    ),
    "GET /vault/withdrawals": Described(
        "A trader's withdrawals, newest first.", 200, ("withdrawals", "next"), (*_WHO, *_PAGE)
    ),
    "POST /admin/markets": Described(
        "List a market or change its state.", 0, ("symbol",), (), CreateMarket | Change, of_admins=True
    ),
}
"""Status 0: 201 for what is created, 202 for what is requested."""

_UNAUTHORIZED: Json = {
    "description": "No valid token: API Gateway's own answer.",
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["message"],
                "properties": {"message": {"type": "string"}},
            }
        }
    },
}
_IN_PATH = re.compile(r"\{(\w+)\}")


def document() -> Json:
    """Return the whole document."""
    bodies = [each.body for each in ROUTES.values() if each.body is not None]
    schemas, components = msgspec.json.schema_components(
        [*bodies, Problem], ref_template="#/components/schemas/{name}"
    )
    by_route = iter(schemas)
    paths: dict[str, Json] = {}
    for key, described in ROUTES.items():
        method, path = key.split(" ")
        body = next(by_route) if described.body is not None else None
        paths.setdefault(path, {})[method.lower()] = _operation(key, described, body)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "dexsim",
            "version": "1",
            "description": "Amounts are integers: uUSDC, 1e-6 USDC per base, 1e-8 base. Bodies take them as "
            "JSON numbers or decimal strings; answers give decimal strings.",
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "cognito": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
            },
        },
    }


def _operation(key: str, described: Described, body: Json | None) -> Json:
    method, path = key.split(" ")
    statuses = (described.status,) if described.status else (201, 202)
    problem = {"schema": {"$ref": "#/components/schemas/Problem"}}
    answered: Json = {
        "type": "object",
        "required": list(described.answers),
        "properties": {name: {} for name in described.answers},
    }
    operation: Json = {
        "operationId": re.sub(r"\W+", "_", f"{method.lower()}{path}").strip("_"),
        "summary": described.about,
        "parameters": [
            *(
                {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
                for name in _IN_PATH.findall(path)
            ),
            *(_parameter(each) for each in described.query),
        ],
        "responses": {
            **{
                str(status): {
                    "description": "Done." if status == 200 else "Taken.",
                    "content": {"application/json": {"schema": answered}},
                }
                for status in statuses
            },
            "default": {"description": "Refused.", "content": {"application/problem+json": problem}},
        },
    }
    if method in ("POST", "DELETE") and path.startswith("/orders"):
        operation["parameters"].append(
            {"name": "idempotency-key", "in": "header", "schema": {"type": "string", "maxLength": 128}}
        )
    if body is not None:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    if described.of_admins:
        operation["security"] = [{"cognito": []}]
        operation["responses"]["401"] = _UNAUTHORIZED
    return operation


def _parameter(parameter: Parameter) -> Json:
    schema: Json = {"type": "string"}
    if parameter.most:
        schema = {"type": "integer", "minimum": 1, "maximum": parameter.most}
    elif parameter.words:
        schema = {"enum": list(parameter.words)}
    return {"name": parameter.name, "in": "query", "schema": schema}
