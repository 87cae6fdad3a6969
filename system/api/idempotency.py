"""The idempotency-key header: a request that is sent again gets its first answer again.

The answer is stored in the same transaction as its effect, so there is never one without the
other. Only answers with an effect are stored: what was refused may be tried again.
"""

from __future__ import annotations

import hashlib
import re
from typing import NamedTuple

from system.api.http import JSON_HEADERS, Request, Response
from system.model import keys
from system.model.errors import Rejected, RejectReason
from system.model.keys import Key
from system.model.units import NS
from system.ports.store import NOT_EXISTS, Clause, Put, Store

HEADER = "idempotency-key"
TTL_S = 86_400
_SHAPE = re.compile(r"[\x21-\x7e]{1,128}")


class IdempotencyKey(NamedTuple):
    """One request under its key. Rules: IDEM-001 to IDEM-003."""

    key: Key
    fingerprint: str  # of the body, which carries the signature

    def put(self, said: Response, now_ns: int, *, expired: bool = False) -> Put:
        """Return the write that stores an answer; with `expired`, in the place of one past its time."""
        now_s = now_ns // NS
        row = {
            "PK": self.key.pk,
            "SK": self.key.sk,
            "request": self.fingerprint,
            "status": said["statusCode"],
            "body": said["body"],
            "ttl": now_s + TTL_S,
        }
        return Put(keys.IDEMPOTENCY, row, (Clause("ttl", "<=", now_s),) if expired else NOT_EXISTS)

    def first_answer(self, store: Store, now_ns: int) -> Response | Rejected | None:
        """Return what was said to this key before; None when nothing was, or too long ago.

        A row past its time may still be there: TTL deletes when it finds the time.
        """
        stored = store.get(keys.IDEMPOTENCY, self.key)
        if stored is None or stored["ttl"] * NS <= now_ns:
            return None
        if stored["request"] != self.fingerprint:
            detail = "this key was used with another body; use a new key for a new request"
            return Rejected(RejectReason.IDEMPOTENCY_CONFLICT, HEADER, detail)
        return {"statusCode": stored["status"], "headers": JSON_HEADERS, "body": stored["body"]}


def key_of(request: Request, trader: str) -> IdempotencyKey | Rejected | None:
    """Return the request's key, None when it brings none."""
    header = request.headers.get(HEADER)
    if not header:
        return None
    if not _SHAPE.fullmatch(header):
        detail = f"expected 1 to 128 visible ASCII characters, was {header[:80]!r}"
        return Rejected(RejectReason.BAD_REQUEST, HEADER, detail)
    key = Key(keys.trader_pk(trader), "KEY#" + header)
    return IdempotencyKey(key, hashlib.sha256(request.body).hexdigest())


def said_before(
    refused: Rejected, key: IdempotencyKey | None, store: Store, now_ns: int
) -> Response | Rejected:
    """Return the stored answer where a repeated request is refused now, else the refusal.

    The first request changed the world: its nonce is used, its order may be done, the market may
    be paused since. None of that may turn the answer of the second into a refusal.
    """
    if key is None:
        return refused
    before = key.first_answer(store, now_ns)
    return refused if before is None or isinstance(before, Rejected) else before
