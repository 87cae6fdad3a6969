"""The door's routes: which verb serves which, made of the same ports everywhere."""

from __future__ import annotations

from system.api.cancel_orders import CancelOrders
from system.api.collateral import Collateral
from system.api.http import Router, Verb
from system.api.market_data import MarketData
from system.api.markets import AdminMarkets, MarketCache, list_markets
from system.api.query import Queries
from system.api.rate_limit import EdgeLimit, RateLimit
from system.api.submit_order import SubmitOrder
from system.api.withdraw import Withdraw
from system.config import Config
from system.ports.clock import Clock
from system.ports.ids import Ids
from system.ports.store import Store


def open_door(store: Store, clock: Clock, ids: Ids, config: Config) -> Router:
    """Return one API instance: its routes are those of system/template.yaml."""
    markets = MarketCache(store, clock, config.market_cache_ns)
    limit = RateLimit(config.rate_per_s, config.rate_burst)
    cancel = CancelOrders(store, clock, ids, config)
    withdraw = Withdraw(store, clock, ids, config)
    queries, data = Queries(store, clock), MarketData(store, clock)
    verbs: dict[str, Verb] = {
        "POST /orders": SubmitOrder(store, clock, ids, markets, limit, config),
        "DELETE /orders/{id}": cancel.one,
        "DELETE /orders": cancel.many,
        "GET /orders": queries.orders,
        "GET /trades": data.fills,
        "GET /positions": queries.positions,
        "GET /markets": lambda _request: list_markets(store),
        "GET /markets/{symbol}/depth": data.depth,
        "GET /markets/{symbol}/trades": data.trades,
        "GET /markets/{symbol}/ticker": data.ticker,
        "GET /stats/{symbol}": queries.stats,
        "POST /collateral": Collateral(store, clock, ids, config),
        "POST /vault/withdraw": withdraw.post,
        "GET /vault/withdrawals": withdraw.listed,
        "POST /admin/markets": AdminMarkets(store, clock, ids),
    }
    edge = EdgeLimit(config.edge_rate_per_s, config.edge_burst) if config.edge_rate_per_s else None
    return Router(verbs, clock.now_ns, edge)
