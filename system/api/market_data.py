"""The door's market data: the book, the prints, and where a market stands.

The book is what the matcher kept in the transaction of its last commit, the very message that went
to `market.<symbol>`: its `seq` says which news is newer. So it is also the snapshot of who has just
subscribed, or has found a hole.
"""

from __future__ import annotations

from typing import Any

import orjson

from system.api.http import Request, Response, answer
from system.api.markets import market_row
from system.api.reading import MAX_PAGE, after_of, cursor_of, number, page_in, shown, unexpired
from system.metrics import queries
from system.metrics.buckets import minute_label
from system.model import keys, messages
from system.model.errors import Rejected
from system.model.funding import FUNDING
from system.model.keys import Item
from system.model.units import DAY_NS, MINUTE_NS
from system.ports.clock import Clock
from system.ports.store import Store, query_all

_OF_THE_TICKER = (
    *("symbol", "kind", "status", "mark_e6", "mark_ns", "index_e6", "index_ns", "settle_e6", "expiry_s"),
)
_OF_THE_DAY = ("volume", "volume_e8", "buy_volume", "trades", "open_e6", "high_e6", "low_e6", "close_e6")


class MarketData:
    """GET /markets/{symbol}/depth, /trades and /ticker, and GET /trades of a trader."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self.store = store
        self.clock = clock

    def depth(self, request: Request) -> Response | Rejected:
        """The top of the book with the sequence number of its channel. Rule: QURY-002."""
        market = market_row(self.store, request.path.get("symbol", ""))
        if isinstance(market, Rejected):
            return market
        lease = self.store.get(keys.MATCHER_LEASES, keys.Key(market["PK"], keys.LEASE)) or {}
        kept = lease.get("depth")
        empty = messages.depth(market["symbol"], lease.get("feed_seq", 0), market["created_ns"], [], [])
        return answer(200, orjson.loads(kept) if kept else empty)

    def trades(self, request: Request) -> Response | Rejected:
        """The newest prints of a market; funding ticks, which are rows of Trades too, among them."""
        market = market_row(self.store, request.path.get("symbol", ""))
        if isinstance(market, Rejected):
            return market
        limit = number(request, "limit", 50, MAX_PAGE)
        if isinstance(limit, Rejected):
            return limit
        after = after_of(request, "PK", market["PK"])
        if isinstance(after, Rejected):
            return after
        page = self.store.query(keys.TRADES, market["PK"], descending=True, limit=limit, after=after)
        return answer(200, {"trades": [_print(row) for row in page.items], "next": cursor_of(page.after)})

    def fills(self, request: Request) -> Response | Rejected:
        """A trader's fills, newest first: as maker and as taker, from the two indexes."""
        wanted = page_in(request, "trader_key")
        if isinstance(wanted, Rejected):
            return wanted
        trader, limit, after = wanted
        pk = keys.trader_pk(trader)
        until = after["SK"] if after else None
        found: dict[str, Item] = {}
        for index in ("maker", "taker"):
            # two more: the end of the last page is read again, and one tells that there is a next page
            page = self.store.query(
                keys.TRADES, pk, index=index, descending=True, limit=limit + 2, sk_to=until
            )
            found |= {row["SK"]: row for row in page.items if row["SK"] != until}
        newest = sorted(found, reverse=True)
        rows = [found[sk] for sk in newest[:limit]]
        last = {"PK": rows[-1]["PK"], "SK": rows[-1]["SK"], "trader_key": pk} if newest[limit:] else None
        return answer(200, {"fills": [_fill(row, trader) for row in rows], "next": cursor_of(last)})

    def ticker(self, request: Request) -> Response | Rejected:
        """Prices, the last 24 hours by their minutes, and funding: a market in one look."""
        market = market_row(self.store, request.path.get("symbol", ""))
        if isinstance(market, Rejected):
            return market
        pk, now_ns = market["PK"], self.clock.now_ns()
        since = minute_label(now_ns - DAY_NS + MINUTE_NS)
        minutes = query_all(self.store, keys.STATS_INTRADAY, pk, sk_from=since)
        day = queries.rolling(unexpired(minutes, now_ns))
        lease = self.store.get(keys.MATCHER_LEASES, keys.Key(pk, keys.LEASE)) or {}
        book = orjson.loads(lease["depth"])["data"] if "depth" in lease else {"bids": [], "asks": []}
        best = {
            "bid": book["bids"][0] if book["bids"] else None,
            "ask": book["asks"][0] if book["asks"] else None,
        }
        said: dict[str, Any] = {
            name: value for name, value in shown(market).items() if name in _OF_THE_TICKER
        }
        said |= {"best_" + side: level for side, level in best.items()}
        said["open_interest_e8"] = str(lease.get("open_interest_e8", 0))
        said["day"] = {name: value for name, value in day.items() if name in _OF_THE_DAY}
        return answer(200, said)


def _print(row: Item) -> dict[str, Any]:
    """A print tells nobody's name."""
    if row["tradeType"] == FUNDING:
        return shown(row)
    told = ("symbol", "trade_no", "price_e6", "qty_e8", "aggressor_side", "ts_ns", "tradeType")
    return {name: value for name, value in shown(row).items() if name in told}


def _fill(row: Item, trader: str) -> dict[str, Any]:
    """A fill as one of its two sides sees it."""
    role = "maker" if row.get("maker_key") == keys.trader_pk(trader) else "taker"
    other = "taker" if role == "maker" else "maker"
    mine = {name.removeprefix(role + "_"): value for name, value in shown(row).items()}
    return {"role": role, **{name: value for name, value in mine.items() if not name.startswith(other)}}
