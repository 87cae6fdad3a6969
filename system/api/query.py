"""The door's reads: orders, positions and statistics."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import orjson

from system.api.http import Request, Response, answer
from system.model import keys
from system.model.errors import Rejected, RejectReason
from system.model.keys import Item
from system.model.order import trader_of
from system.model.units import notional
from system.ports.store import Store, query_all

MAX_PAGE = 200
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
        limit = request.query.get("limit", "50")
        if not limit.isdecimal() or not 1 <= int(limit) <= MAX_PAGE:
            return Rejected(RejectReason.BAD_REQUEST, "limit", f"expected 1 to {MAX_PAGE}, was {limit!r}")
        after = _cursor(request.query.get("next", ""), keys.trader_pk(trader))
        if isinstance(after, Rejected):
            return after
        page = self.store.query(
            keys.ORDERS,
            keys.trader_pk(trader),
            index="trader",
            descending=True,
            limit=int(limit),
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
        pk = keys.market_pk(symbol)
        if self.store.get(keys.MARKETS, keys.Key(pk, keys.META)) is None:
            return Rejected(RejectReason.UNKNOWN_SYMBOL, "symbol", f"no market {symbol!r}")
        minutes = request.query.get("minutes", "60")
        if not minutes.isdecimal() or not 1 <= int(minutes) <= 1440:
            return Rejected(RejectReason.BAD_REQUEST, "minutes", f"expected 1 to 1440, was {minutes!r}")
        intraday = self.store.query(keys.STATS_INTRADAY, pk, descending=True, limit=int(minutes)).items
        daily = self.store.query(keys.STATS_DAILY, pk, descending=True, limit=30).items
        lifetime = self.store.get(keys.STATS_LIFETIME, keys.Key(keys.LIFETIME_PK, keys.META))
        return answer(
            200,
            {
                "intraday": [{"minute": row["SK"], **shown(row)} for row in intraday],
                "daily": [{"day": row["SK"], **shown(row)} for row in daily],
                "lifetime": shown(lifetime or {}),
            },
        )


def shown(item: Item) -> dict[str, Any]:
    """Return a row as JSON may carry it: integers as decimal strings, keys of the table left out."""
    return {name: _text(value) for name, value in item.items() if name not in _HIDDEN}


def _text(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _trader(request: Request) -> str | Rejected:
    if account := request.query.get("account"):
        return trader_of(account)
    if trader := request.query.get("trader"):
        return trader
    return Rejected(RejectReason.BAD_REQUEST, "trader", "expected ?trader=uuid or ?account=0x...")


def _cursor(text: str, trader_key: str) -> dict[str, Any] | Rejected | None:
    """Read a cursor back; one of another trader, or a forged one, is refused."""
    if not text:
        return None
    try:
        after = orjson.loads(base64.urlsafe_b64decode(text.encode()))
    except (binascii.Error, orjson.JSONDecodeError, UnicodeError, ValueError):
        after = None
    if not isinstance(after, dict) or after.get("trader_key") != trader_key:
        return Rejected(RejectReason.BAD_REQUEST, "next", "expected a cursor that this trader was given")
    return after
