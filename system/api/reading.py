"""What the door's reads have in common: query parameters, opaque cursors, and how a row is shown."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from system.api.auth import account_of
from system.api.http import Request
from system.model import keys
from system.model.errors import Rejected, RejectReason
from system.model.keys import Item
from system.model.order import trader_of
from system.model.units import NS

MAX_PAGE = 200
MAX_CURSOR_PART = 100
_TRADER = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_HIDDEN = ("PK", "SK", "trader_key", "maker_key", "taker_key", "signature", "ttl")


def shown(item: Item) -> dict[str, Any]:
    """Return a row as JSON may carry it: integers as decimal strings, keys of the table left out."""
    return {name: _text(value) for name, value in item.items() if name not in _HIDDEN}


def _text(value: Any) -> Any:
    """A JavaScript number loses digits beyond 2**53."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def unexpired(rows: list[Item], now_ns: int) -> list[Item]:
    """Leave out rows past their time: TTL deletes within days, not at the second. Rule: QURY-003."""
    return [row for row in rows if row.get("ttl", now_ns) * NS > now_ns]


def number(request: Request, name: str, default: int, most: int) -> int | Rejected:
    """Read a parameter between 1 and `most`."""
    text = request.query.get(name)
    if text is None:
        return default
    # the length first: int() refuses thousands of digits with an exception
    if len(text) <= 4 and text.isascii() and text.isdecimal() and 1 <= int(text) <= most:
        return int(text)
    return Rejected(RejectReason.BAD_REQUEST, name, f"expected 1 to {most}, was {text[:20]!r}")


def one_of(request: Request, name: str, known: tuple[str, ...]) -> str | Rejected:
    """Read a parameter that is one of `known`; "" when it is not given."""
    text = request.query.get(name, "")
    if not text or text in known:
        return text
    return Rejected(RejectReason.BAD_REQUEST, name, f"expected one of {', '.join(known)}, was {text[:20]!r}")


def trader_in(request: Request) -> str | Rejected:
    """Read who is asked about: ?trader=uuid or ?account=0x..."""
    if account := request.query.get("account"):
        known = account_of(account)
        return known if isinstance(known, Rejected) else trader_of(known)
    trader = request.query.get("trader", "")
    if _TRADER.fullmatch(trader):
        return trader
    detail = f"expected ?trader=uuid or ?account=0x..., was {trader[:80]!r}"
    return Rejected(RejectReason.BAD_REQUEST, "trader", detail)


class Page(NamedTuple):
    """A page of what belongs to one trader: whose, how many at most, after which row."""

    trader: str
    limit: int
    after: dict[str, str] | None


def page_in(request: Request, attribute: str) -> Page | Rejected:
    """Read whose rows are asked for and which page of them; `attribute` as in `after_of`."""
    trader = trader_in(request)
    if isinstance(trader, Rejected):
        return trader
    limit = number(request, "limit", 50, MAX_PAGE)
    if isinstance(limit, Rejected):
        return limit
    after = after_of(request, attribute, keys.trader_pk(trader))
    return after if isinstance(after, Rejected) else Page(trader, limit, after)


def cursor_of(after: Mapping[str, Any] | None) -> str | None:
    """Return a page's end as a word that only goes back into `next`."""
    return base64.urlsafe_b64encode(orjson.dumps(dict(after))).decode() if after else None


def after_of(request: Request, attribute: str, owner: str) -> dict[str, str] | Rejected | None:
    """Read a cursor back; one of another owner, or a forged one, is refused. Rule: QURY-001.

    `attribute` holds the owner in every key of the page: `trader_key` of an index, or PK.
    """
    text = request.query.get("next", "")
    if not text:
        return None
    try:
        after = orjson.loads(base64.b64decode(text.encode(), altchars=b"-_", validate=True))
    except ValueError:  # not base64, not JSON or not text
        after = None
    if (
        isinstance(after, dict)
        and after.keys() == {"PK", "SK", attribute}
        and all(isinstance(value, str) and len(value) <= MAX_CURSOR_PART for value in after.values())
        and after[attribute] == owner
        and (attribute == "PK" or after["PK"].startswith(keys.market_pk("")))
        and after["SK"].startswith(keys.event_sk(""))
    ):
        return after
    return Rejected(RejectReason.BAD_REQUEST, "next", "expected a cursor that was given to this very query")
