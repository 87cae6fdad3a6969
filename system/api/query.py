"""The door's reads: orders, positions and statistics."""

from __future__ import annotations

import base64
import re
from typing import Any

import orjson

from system.api.auth import account_of
from system.api.http import Request, Response, answer
from system.api.markets import market_row
from system.metrics import queries
from system.model import keys
from system.model.errors import Rejected, RejectReason
from system.model.keys import Item
from system.model.order import trader_of
from system.model.units import notional
from system.ports.store import Store, query_all

MAX_PAGE = 200
MAX_CURSOR_PART = 100
_TRADER = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_HIDDEN = ("PK", "SK", "trader_key", "signature", "ttl")


class Queries:
    """GET /orders, /positions and /stats/{symbol}."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def orders(self, request: Request) -> Response | Rejected:
        """Newest first, `limit` a page; `next` is an opaque cursor."""
        trader = _trader(request)
        if isinstance(trader, Rejected):
            return trader
        limit = _number(request, "limit", 50, MAX_PAGE)
        if isinstance(limit, Rejected):
            return limit
        after = _cursor(request.query.get("next", ""), keys.trader_pk(trader))
        if isinstance(after, Rejected):
            return after
        page = self.store.query(
            keys.ORDERS,
            keys.trader_pk(trader),
            index="trader",
            descending=True,
            limit=limit,
            after=after,
        )
        cursor = base64.urlsafe_b64encode(orjson.dumps(dict(page.after))).decode() if page.after else None
        found = [shown(item) for item in page.items if item["orderType"] in ("LIMIT", "MARKET")]
        return answer(200, {"orders": found, "next": cursor})

    def positions(self, request: Request) -> Response | Rejected:
        """Every position with its unrealised PnL at the present mark."""
        trader = _trader(request)
        if isinstance(trader, Rejected):
            return trader
        rows = query_all(self.store, keys.POSITIONS, keys.trader_pk(trader))
        balances = query_all(self.store, keys.BALANCES, keys.trader_pk(trader))
        return answer(
            200,
            {
                "positions": [self._with_pnl(row) for row in rows],
                "balances": [{"asset": row["SK"].removeprefix("ASSET#"), **shown(row)} for row in balances],
            },
        )

    def _with_pnl(self, row: Item) -> dict[str, Any]:
        market = self.store.get(keys.MARKETS, keys.Key(keys.market_pk(row["symbol"]), keys.META)) or {}
        mark_e6 = market.get("mark_e6", 0)
        said = shown(row)
        if mark_e6 and market.get("kind") == "PERP":
            said["mark_e6"] = str(mark_e6)
            said["unrealised"] = str(notional(mark_e6, row["size_e8"]) - row["cost"])
        return said

    def stats(self, request: Request) -> Response | Rejected:
        """The newest minute rows (`minutes`, default 60), the newest days, and the lifetime row."""
        symbol = request.path.get("symbol", "")
        market = market_row(self.store, symbol)
        if isinstance(market, Rejected):
            return market
        minutes = _number(request, "minutes", 60, 1440)
        if isinstance(minutes, Rejected):
            return minutes
        pk = market["PK"]
        intraday = self.store.query(keys.STATS_INTRADAY, pk, descending=True, limit=minutes).items
        daily = self.store.query(keys.STATS_DAILY, pk, descending=True, limit=30).items
        lifetime = self.store.get(keys.STATS_LIFETIME, keys.Key(keys.LIFETIME_PK, keys.META))
        return answer(
            200,
            {
                "intraday": queries.intraday(intraday),
                "daily": queries.daily(daily),
                "lifetime": queries.lifetime(lifetime, symbol),
            },
        )


def shown(item: Item) -> dict[str, Any]:
    """Return a row as JSON may carry it: integers as decimal strings, keys of the table left out."""
    return {name: _text(value) for name, value in item.items() if name not in _HIDDEN}


def _text(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _number(request: Request, name: str, default: int, most: int) -> int | Rejected:
    text = request.query.get(name)
    if text is None:
        return default
    # the length first: int() refuses thousands of digits with an exception
    if len(text) <= 4 and text.isascii() and text.isdecimal() and 1 <= int(text) <= most:
        return int(text)
    return Rejected(RejectReason.BAD_REQUEST, name, f"expected 1 to {most}, was {text[:20]!r}")


def _trader(request: Request) -> str | Rejected:
    if account := request.query.get("account"):
        known = account_of(account)
        return known if isinstance(known, Rejected) else trader_of(known)
    trader = request.query.get("trader", "")
    if _TRADER.fullmatch(trader):
        return trader
    detail = f"expected ?trader=uuid or ?account=0x..., was {trader[:80]!r}"
    return Rejected(RejectReason.BAD_REQUEST, "trader", detail)


def _cursor(text: str, trader_key: str) -> dict[str, str] | Rejected | None:
    """Read a cursor back; one of another trader, or a forged one, is refused."""
    if not text:
        return None
    try:
        after = orjson.loads(base64.b64decode(text.encode(), altchars=b"-_", validate=True))
    except ValueError:  # not base64, not JSON or not text
        after = None
    if (
        isinstance(after, dict)
        and after.keys() == {"PK", "SK", "trader_key"}
        and all(isinstance(value, str) and len(value) <= MAX_CURSOR_PART for value in after.values())
        and after["trader_key"] == trader_key
        and after["PK"].startswith("MARKET#")
        and after["SK"].startswith("TS#")
    ):
        return after
    return Rejected(RejectReason.BAD_REQUEST, "next", "expected a cursor that this trader was given")
