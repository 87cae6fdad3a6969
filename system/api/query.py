"""The door's reads: orders, positions and statistics."""

from __future__ import annotations

from typing import Any

from system.api.http import Request, Response, answer
from system.api.markets import market_row
from system.api.reading import (
    cursor_of,
    number,
    one_of,
    page_in,
    shown,
    trader_in,
    unexpired,
)
from system.metrics import queries
from system.model import keys
from system.model.errors import Rejected
from system.model.keys import Item
from system.model.market import MarketKind
from system.model.order import TERMINAL
from system.model.units import notional
from system.ports.clock import Clock
from system.ports.store import Store, query_all

ORDER_STATES = ("live", "done")
TIERS = ("intraday", "fine", "daily", "lifetime")
_MARKED = (MarketKind.PERP.value, MarketKind.FUTURE.value)


class Queries:
    """GET /orders, /positions and /stats/{symbol}."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self.store = store
        self.clock = clock

    def orders(self, request: Request) -> Response | Rejected:
        """Newest first, at most `limit` a page; `next` is an opaque cursor.

        `symbol` and `status` (live or done) pass over what does not fit, so that a page may be
        shorter than its limit and have one after it: it is over when `next` is null.
        """
        wanted = page_in(request, "trader_key")
        if isinstance(wanted, Rejected):
            return wanted
        status = one_of(request, "status", ORDER_STATES)
        if isinstance(status, Rejected):
            return status
        page = self.store.query(
            keys.ORDERS,
            keys.trader_pk(wanted.trader),
            index="trader",
            descending=True,
            limit=wanted.limit,
            after=wanted.after,
        )
        symbol = request.query.get("symbol", "")
        found = [shown(item) for item in page.items if _fits(item, symbol, status)]
        return answer(200, {"orders": found, "next": cursor_of(page.after)})

    def positions(self, request: Request) -> Response | Rejected:
        """Every position with its unrealised PnL at the present mark."""
        trader = trader_in(request)
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
        if mark_e6 and market.get("kind") in _MARKED:
            said["mark_e6"] = str(mark_e6)
            said["unrealised"] = str(notional(mark_e6, row["size_e8"]) - row["cost"])
        return said

    def stats(self, request: Request) -> Response | Rejected:
        """The newest minutes, the newest days, and all time; `tier` asks for one of them alone."""
        symbol = request.path.get("symbol", "")
        market = market_row(self.store, symbol)
        if isinstance(market, Rejected):
            return market
        minutes = number(request, "minutes", 60, 1440)
        if isinstance(minutes, Rejected):
            return minutes
        days = number(request, "days", 30, 366)
        if isinstance(days, Rejected):
            return days
        tier = one_of(request, "tier", TIERS)
        if isinstance(tier, Rejected):
            return tier
        said: dict[str, Any] = {}
        pk = market["PK"]
        if tier in ("", "intraday"):
            rows = self.store.query(keys.STATS_INTRADAY, pk, descending=True, limit=minutes).items
            said["intraday"] = queries.intraday(unexpired(rows, self.clock.now_ns()))
        if tier == "fine":
            rows = self.store.query(
                keys.STATS_INTRADAY, keys.fine_pk(symbol), descending=True, limit=minutes
            ).items
            said["fine"] = queries.intraday(unexpired(rows, self.clock.now_ns()))
        if tier in ("", "daily"):
            rows = self.store.query(keys.STATS_DAILY, pk, descending=True, limit=days).items
            said["daily"] = queries.daily(rows)
        if tier in ("", "lifetime"):
            shards = query_all(self.store, keys.STATS_LIFETIME, keys.LIFETIME_PK)
            said["lifetime"] = queries.lifetime(shards, symbol)
        return answer(200, said)


def _fits(row: Item, symbol: str, status: str) -> bool:
    """Tell whether a row of Orders is an order, of this market, in this state."""
    if row["orderType"] not in ("LIMIT", "MARKET") or (symbol and row["symbol"] != symbol):
        return False
    return not status or (row["status"] in TERMINAL) == (status == "done")
