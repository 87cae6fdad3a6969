"""The only place where rooms meet ports: what each function of the template is made of."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import msgspec

from system.api.cancel_orders import CancelOrders
from system.api.http import Response, Router
from system.api.markets import AdminMarkets, MarketCache, list_markets
from system.api.query import Queries
from system.api.rate_limit import RateLimit
from system.api.submit_order import SubmitOrder
from system.api.ws import WebSocketRoutes
from system.config import Config
from system.feed.fan_out import FanOut
from system.jobs.archive import Archive
from system.jobs.daily_rollup import DailyRollup
from system.jobs.market_minute import MarketMinute
from system.jobs.oracle_fetch import OracleFetch
from system.matcher.handler import Matcher
from system.ports.chain import Chain
from system.ports.clock import Clock
from system.ports.ids import Ids
from system.ports.lake import Lake
from system.ports.oracle import Oracle
from system.ports.queue import Queue, Sockets, Topic
from system.ports.store import Store
from system.settlement.submit import Settle
from system.settlement.watch import Watch


class Ports(msgspec.Struct, frozen=True, kw_only=True):
    """Every way out of the system."""

    clock: Clock
    ids: Ids
    store: Store
    queue: Queue
    topic: Topic
    sockets: Sockets
    lake: Lake
    oracle: Oracle
    chain: Chain


class System:
    """The functions of one Lambda instance; each is built when first called and keeps its memory.

    The method names are the `Handler` names of system/template.yaml.
    """

    def __init__(self, ports: Ports, config: Config) -> None:
        self.ports = ports
        self.config = config

    @cached_property
    def _router(self) -> Router:
        ports, config = self.ports, self.config
        markets = MarketCache(ports.store, ports.clock, config.market_cache_ns)
        limit = RateLimit(config.rate_per_s, config.rate_burst)
        cancel = CancelOrders(ports.store, ports.clock, ports.ids, config)
        queries = Queries(ports.store)
        verbs = {
            "POST /orders": SubmitOrder(ports.store, ports.clock, ports.ids, markets, limit, config),
            "DELETE /orders/{id}": cancel.one,
            "DELETE /orders": cancel.many,
            "GET /orders": queries.orders,
            "GET /positions": queries.positions,
            "GET /markets": lambda _request: list_markets(ports.store),
            "GET /stats/{symbol}": queries.stats,
            "POST /admin/markets": AdminMarkets(ports.store, ports.clock, ports.ids),
        }
        return Router(verbs, ports.clock.now_ns)

    @cached_property
    def _websocket(self) -> WebSocketRoutes:
        return WebSocketRoutes(self.ports.store, self.ports.clock)

    @cached_property
    def _matcher(self) -> Matcher:
        ports = self.ports
        return Matcher(ports.store, ports.topic, ports.clock, ports.ids, self.config)

    @cached_property
    def _fan_out(self) -> FanOut:
        ports = self.ports
        return FanOut(ports.store, ports.sockets, ports.clock, self.config.subscribers_cache_ns)

    @cached_property
    def _archive(self) -> Archive:
        return Archive(self.ports.lake)

    @cached_property
    def _settle(self) -> Settle:
        ports = self.ports
        return Settle(ports.store, ports.chain, ports.clock, self.config)

    @cached_property
    def _settle_watch(self) -> Watch:
        ports = self.ports
        return Watch(ports.store, ports.chain, ports.clock, self.config)

    @cached_property
    def _oracle_fetch(self) -> OracleFetch:
        ports = self.ports
        return OracleFetch(ports.store, ports.oracle, ports.topic, ports.clock)

    @cached_property
    def _daily_rollup(self) -> DailyRollup:
        ports = self.ports
        return DailyRollup(ports.store, ports.lake, ports.clock)

    @cached_property
    def _market_minute(self) -> MarketMinute:
        ports = self.ports
        return MarketMinute(ports.store, ports.queue, ports.clock)

    def api(self, event: dict[str, Any], context: Any) -> Response:
        """Steps 2 to 4: HTTP in, HTTP out."""
        return self._router.handle(event, context)

    def websocket(self, event: dict[str, Any], context: Any) -> dict[str, Any]:
        """$connect, $disconnect, subscribe, unsubscribe."""
        return self._websocket.handle(event, context)

    def matcher(self, event: dict[str, Any], context: Any) -> dict[str, Any]:
        """Step 6: a batch of the FIFO queue."""
        return self._matcher.handle(event, context)

    def fan_out(self, event: dict[str, Any], context: Any) -> None:
        """Step 7: a message of the topic."""
        self._fan_out.handle(event, context)

    def archive(self, event: dict[str, Any], context: Any) -> None:
        """Step 8: a batch of the Trades stream."""
        self._archive.handle(event, context)

    def settle(self, event: dict[str, Any], context: Any) -> None:
        """Step 9: a batch of the Trades stream, again."""
        self._settle.handle(event, context)

    def settle_watch(self, event: dict[str, Any], context: Any) -> None:
        """Step 10: every minute."""
        self._settle_watch.handle(event, context)

    def oracle_fetch(self, event: dict[str, Any], context: Any) -> None:
        """Every 30 s."""
        self._oracle_fetch.handle(event, context)

    def daily_rollup(self, event: dict[str, Any], context: Any) -> None:
        """Step 11: every midnight."""
        self._daily_rollup.handle(event, context)

    def market_minute(self, event: dict[str, Any], context: Any) -> None:
        """Every minute: one command per market."""
        self._market_minute.handle(event, context)
