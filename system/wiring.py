"""The only place where rooms meet ports: what each function of the template is made of."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache, cached_property
from typing import Any

import msgspec

from system.api.door import open_door
from system.api.http import Response, Router
from system.api.ingress import DirectIngress
from system.api.ws import WebSocketRoutes
from system.config import Config, config_from_environment
from system.feed.fan_out import FanOut
from system.jobs.archive import Archive
from system.jobs.daily_rollup import DailyRollup
from system.jobs.expiry import Expiry
from system.jobs.funding_tick import FundingTick
from system.jobs.liquidation_scan import LiquidationScan
from system.jobs.market_minute import MarketMinute
from system.jobs.oracle_fetch import OracleFetch
from system.matcher.handler import Matcher
from system.model.market import MarketKind
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
        ports = self.ports
        direct = self.config.ingress == "direct"
        store = DirectIngress(ports.store, ports.queue) if direct else ports.store
        return open_door(store, ports.clock, ports.ids, self.config)

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
        return OracleFetch(ports.store, ports.oracle, ports.queue, ports.clock, self.config)

    @cached_property
    def _funding_tick(self) -> FundingTick:
        return FundingTick(self.ports.store, self.ports.clock)

    @cached_property
    def _option_expiry(self) -> Expiry:
        return Expiry(MarketKind.OPTION, self.ports.store, self.ports.clock)

    @cached_property
    def _future_expiry(self) -> Expiry:
        return Expiry(MarketKind.FUTURE, self.ports.store, self.ports.clock)

    @cached_property
    def _liquidation_scan(self) -> LiquidationScan:
        ports = self.ports
        return LiquidationScan(ports.store, ports.queue, ports.clock)

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
        """$connect, $disconnect, subscribe, unsubscribe, ping."""
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

    def funding_tick(self, event: dict[str, Any], context: Any) -> None:
        """Every minute: one command per boundary of a perpetual with funding."""
        self._funding_tick.handle(event, context)

    def option_expiry(self, event: dict[str, Any], context: Any) -> None:
        """Every minute: options whose time has come."""
        self._option_expiry.handle(event, context)

    def future_expiry(self, event: dict[str, Any], context: Any) -> None:
        """Every minute: futures whose time has come."""
        self._future_expiry.handle(event, context)

    def liquidation_scan(self, event: dict[str, Any], context: Any) -> None:
        """Every minute: liquidations that wait."""
        self._liquidation_scan.handle(event, context)

    def market_minute(self, event: dict[str, Any], context: Any) -> None:
        """Every minute: one command per market."""
        self._market_minute.handle(event, context)


@cache
def system() -> System:
    """Return the System of this Lambda instance, as the DEX_* variables describe its stack.

    Raises:
        ConfigError: a variable is missing or has the wrong shape; it names the variable.
    """
    config = config_from_environment(os.environ)
    return System(_ports(os.environ), config)


def _ports(environ: Mapping[str, str]) -> Ports:
    """Choose the adapters that ship.

    They are imported here: a simulation, which makes its own Ports, never loads boto3 through this
    module. Where AWS is, boto3 finds out itself (AWS_ENDPOINT_URL, region, credentials).
    """
    from system.adapters.aws.clock import WallClock
    from system.adapters.aws.ids import RandomIds
    from system.adapters.aws.lake import S3Lake
    from system.adapters.aws.queue import SqsQueue
    from system.adapters.aws.secret import read_secret
    from system.adapters.aws.session import Clients, names_from_environment
    from system.adapters.aws.sockets import ApiGatewaySockets
    from system.adapters.aws.store import DynamoStore
    from system.adapters.aws.topic import SnsTopic
    from system.adapters.evm.chain import EvmChain
    from system.adapters.evm.chainlink import ChainlinkOracle
    from system.adapters.evm.pyth import PythOracle, Sources
    from system.adapters.evm.rpc import JsonRpc
    from system.adapters.evm.settings import chain_from_environment, key_of

    names, chain = names_from_environment(environ), chain_from_environment(environ)
    clients, rpc, clock = Clients(), JsonRpc(chain.rpc_url), WallClock()

    def operator_key() -> bytes:
        # only the functions that settle sign, and only they may read it
        secret = read_secret(clients.secretsmanager, chain.operator_key_secret)
        return key_of(secret, "DEX_OPERATOR_KEY_SECRET")

    def keeper_key() -> bytes:
        return key_of(read_secret(clients.secretsmanager, chain.keeper_key_secret), "DEX_KEEPER_KEY_SECRET")

    return Ports(
        clock=clock,
        ids=RandomIds(clock),
        store=DynamoStore(clients.dynamodb, names.prefix),
        queue=SqsQueue(clients.sqs, names.commands_url),
        topic=SnsTopic(clients.sns, names.market_updates_arn),
        sockets=ApiGatewaySockets(clients.sockets(names.sockets_url)),
        lake=S3Lake(clients.s3, names.lake_bucket),
        oracle=Sources(PythOracle(rpc, chain.pyth, chain.pyth_feeds), ChainlinkOracle(rpc, chain.feeds)),
        chain=EvmChain(rpc, operator_key, keeper_key, chain.contracts),
    )
