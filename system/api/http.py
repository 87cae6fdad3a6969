"""Step 2 of the walk: an API Gateway event becomes a request, an answer becomes a response.

Source: API Gateway HTTP API, payload format 2.0; errors as RFC 9457 problem+json.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

import msgspec
import orjson

from system.api.rate_limit import EdgeLimit
from system.model.errors import PortError, Rejected, RejectReason

JSON_HEADERS = {"content-type": "application/json"}
PROBLEM_HEADERS = {"content-type": "application/problem+json"}
MAX_BODY_BYTES = 16 * 1024

_STATUS = {
    RejectReason.BAD_REQUEST: 400,
    RejectReason.BAD_SIGNATURE: 401,
    RejectReason.FORBIDDEN: 403,
    RejectReason.NOT_OWNER: 403,
    RejectReason.UNKNOWN_SYMBOL: 404,
    RejectReason.UNKNOWN_ORDER: 404,
    RejectReason.DUPLICATE_ORDER: 409,
    RejectReason.TOO_LATE_TO_CANCEL: 409,
    RejectReason.IDEMPOTENCY_CONFLICT: 409,
    RejectReason.EXCHANGE_CLOSED: 409,
    RejectReason.RATE_LIMITED: 429,
}
"""HTTP status by reason; every other reason is a well-formed order that the rules refuse: 422."""


class Request(NamedTuple):
    """What a verb needs of an HTTP event."""

    body: bytes
    path: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    groups: tuple[str, ...]  # Cognito groups of the caller, as the JWT authorizer verified them
    received_ns: int


Response = dict[str, Any]
Shape = TypeVar("Shape")
Verb = Callable[[Request], Response | Rejected]


def answer(status: int, body: Any) -> Response:
    """Return a JSON response."""
    return {"statusCode": status, "headers": JSON_HEADERS, "body": orjson.dumps(body).decode()}


def refuse(rejected: Rejected) -> Response:
    """Return a refusal as problem+json: what, where, expected and was, in `detail`."""
    reason = rejected.reason
    title = reason.value.replace("_", " ").capitalize()
    said = _problem(_STATUS.get(reason, 422), title, rejected.detail, reason.value, rejected.field)
    if reason is RejectReason.RATE_LIMITED:
        said["headers"] = {**PROBLEM_HEADERS, "retry-after": "1"}
    return said


def decode(request: Request, decoder: msgspec.json.Decoder[Shape]) -> Shape | Rejected:
    """Read the body; a decoder that is not strict takes amounts as JSON numbers or decimal strings."""
    try:
        return decoder.decode(request.body)
    except msgspec.ValidationError as error:
        message = str(error)
        named = _NAMED_FIELD.search(message)
        return Rejected(RejectReason.BAD_REQUEST, named[1] if named else "body", message)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return Rejected(RejectReason.BAD_REQUEST, "body", f"expected JSON in UTF-8: {error}")


_NAMED_FIELD = re.compile(r"(?:field |at )`(?:\$\.)?([^`]+)`")


class Router:
    """Finds the verb of a route and turns what it says into a response."""

    def __init__(
        self, verbs: Mapping[str, Verb], now_ns: Callable[[], int], edge: EdgeLimit | None = None
    ) -> None:
        self.verbs = verbs
        self.now_ns = now_ns
        self.edge = edge

    def handle(self, event: dict[str, Any], _context: Any) -> Response:
        """Serve one API Gateway event."""
        verb = self.verbs.get(event.get("routeKey", ""))
        if verb is None:
            known = ", ".join(self.verbs)
            return refuse_route(f"expected one of {known}, was {event.get('routeKey')!r}")
        if self.edge is not None and (refused := self.edge.refuse(event, self.now_ns())):
            return refuse(refused)
        request = self._request(event)
        try:
            said = request if isinstance(request, Rejected) else verb(request)
        except PortError as error:
            return unavailable(error)
        return refuse(said) if isinstance(said, Rejected) else said

    def _request(self, event: dict[str, Any]) -> Request | Rejected:
        get = event.get
        body = get("body") or ""
        if get("isBase64Encoded"):
            try:
                raw = base64.b64decode(body, validate=True)
            except ValueError:
                return Rejected(RejectReason.BAD_REQUEST, "body", "expected base64, was something else")
        else:
            raw = body.encode("utf-8", "surrogatepass")  # half a surrogate is no UTF-8: decode says so
        if len(raw) > MAX_BODY_BYTES:
            detail = f"expected at most {MAX_BODY_BYTES} bytes, was {len(raw)}"
            return Rejected(RejectReason.BAD_REQUEST, "body", detail)
        context = get("requestContext")
        authorizer = context.get("authorizer") if context else None
        return Request(
            raw,
            get("pathParameters") or {},
            get("queryStringParameters") or {},
            get("headers") or {},
            _groups(authorizer) if authorizer else (),
            self.now_ns(),
        )


def _groups(authorizer: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the Cognito groups of a verified JWT; API Gateway hands a list over as "[a b]"."""
    claims = (authorizer.get("jwt") or {}).get("claims") or {}
    groups = claims.get("cognito:groups", "")
    return (
        tuple(groups)
        if isinstance(groups, list)
        else tuple(str(groups).strip("[]").replace(",", " ").split())
    )


def refuse_route(detail: str) -> Response:
    """Return the 404 of an unknown route."""
    return _problem(404, "Not found", detail, "UNKNOWN_ROUTE", "routeKey")


def unavailable(error: PortError) -> Response:
    """Return the 503 of a request during which the store failed.

    Whether it had an effect is not known. To send it again is safe: an order is known by its
    nonce, and a cancel changes nothing the second time.
    """
    detail = f"{type(error).__name__}: send the same request again, with the same nonce and idempotency-key"
    said = _problem(503, "Service unavailable", detail, "UNAVAILABLE", "")
    said["headers"] = {**PROBLEM_HEADERS, "retry-after": "1"}
    return said


def _problem(status: int, title: str, detail: str, reason: str, field: str) -> Response:
    body = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": detail,
        "reason": reason,
        "field": field,
    }
    return {"statusCode": status, "headers": PROBLEM_HEADERS, "body": orjson.dumps(body).decode()}
