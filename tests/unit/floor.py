"""A trading floor for tests of rooms: the real memory backend around the real door and matcher.

What the harness plays in virtual time (stream, pipe, queue) is carried by hand here, so that a
test can stop between any two hops. Amounts in the helpers are ticks and lots.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from system.adapters.memory.clock import ManualClock
from system.adapters.memory.ids import SeededIds
from system.adapters.memory.lake import MemoryLake
from system.adapters.memory.queue import MemoryFifo
from system.adapters.memory.sockets import MemorySockets
from system.adapters.memory.store import MemoryStore
from system.adapters.memory.tables import TableDef
from system.adapters.memory.topic import MemoryTopic
from system.api.door import open_door
from system.api.http import Router
from system.config import Config
from system.matcher.handler import Matcher
from system.model import keys, typed_data
from system.model.keys import Item
from system.model.market import MarketKind, MarketSpec, MarketState
from system.model.order import LIVE, order_from_item, trader_of
from system.model.position import position_from_item
from system.model.units import NS
from system.ports.store import Put, Store

E6, E8 = 10**6, 10**8
START_NS = 1_746_315_000 * NS + 7
MARK = 60_000 * E6
TOMORROW_S = START_NS // NS + 86_400
SETTLEMENT = "0x" + "5e" * 20

BTC = MarketSpec(
    symbol="BTC-PERP", kind=MarketKind.PERP, base="BTC", underlying="BTC", tick_e6=E6, lot_e8=E8 // 100
)
SPOT = MarketSpec(
    symbol="sBTC-USDC", kind=MarketKind.SPOT, base="sBTC", underlying="BTC", tick_e6=E6, lot_e8=E8 // 100
)

TABLES = (
    TableDef("Orders", {"trader": ("trader_key", "SK")}, stream=True),
    TableDef("Trades", {"maker": ("maker_key", "SK"), "taker": ("taker_key", "SK")}, stream=True),
    TableDef("Positions", {"market": ("SK", "PK")}),
    TableDef("Markets", {"status": ("status", "PK")}),
    TableDef("Prices", ttl_attribute="ttl"),
    TableDef("StatsIntraday", ttl_attribute="ttl"),
    TableDef("StatsDaily"),
    TableDef("StatsLifetime"),
    TableDef("WSConnections", {"channel": ("channel", "PK")}, ttl_attribute="ttl"),
    TableDef("Balances"),
    TableDef("Idempotency", ttl_attribute="ttl"),
    TableDef("Settlements"),
    TableDef("MatcherLeases"),
)

Scan = dict[str, list[Item]]
Answer = tuple[int, dict[str, Any]]


def key_of(name: str) -> bytes:
    """Return a trader's private key."""
    return name.encode().rjust(32, b"\1")


def account_of(name: str) -> str:
    return typed_data.address_of(key_of(name))


def trader(name: str) -> str:
    return trader_of(account_of(name))


class Floor:
    """Store, queue, topic and clock of one exchange, with its markets listed and a mark known."""

    def __init__(
        self, specs: Sequence[MarketSpec] = (BTC, SPOT), seed: str = "floor", **settings: Any
    ) -> None:
        self.clock = ManualClock(START_NS)
        self.store = MemoryStore(self.clock, TABLES)
        self.fifo = MemoryFifo(self.clock, "commands")
        self.topic = MemoryTopic()
        self.lake = MemoryLake()
        self.sockets = MemorySockets()
        self.ids = SeededIds(self.clock, seed)
        self.config = Config(
            **{"signatures": "off", "settlement_address": SETTLEMENT, "rate_per_s": 10**6, **settings}
        )
        self.specs = {spec.symbol: spec for spec in specs}
        for spec in specs:
            row = {**spec.to_item(MarketState.ACTIVE, START_NS), "mark_e6": MARK, "index_e6": MARK}
            self.store.write(Put(keys.MARKETS, row))
        self.router = self.door(self.store)
        self.matcher = self.new_matcher()
        self.nonces: defaultdict[str, int] = defaultdict(int)
        self.deposited: defaultdict[str, int] = defaultdict(int)

    def door(self, store: Store) -> Router:
        """Return an API instance of its own, as wiring.py makes one."""
        return open_door(store, self.clock, self.ids, self.config)

    def new_matcher(self, store: Store | None = None, **settings: Any) -> Matcher:
        config = self.config if not settings else Config(**{**_fields(self.config), **settings})
        return Matcher(store or self.store, self.topic, self.clock, self.ids, config)

    def fund(self, name: str, asset: str = "USDC", amount: int = 10**13) -> None:
        """Deposit."""
        row = {
            "PK": keys.trader_pk(trader(name)),
            "SK": keys.asset_sk(asset),
            "available": amount,
            "reserved": 0,
            "backed": amount,
        }
        self.store.write(Put(keys.BALANCES, row))
        self.deposited[asset] += amount

    # the door

    def http(
        self,
        route: str,
        body: Any = None,
        *,
        path: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        groups: Sequence[str] = (),
    ) -> Answer:
        """Send a request through API Gateway; a body that is no text yet becomes JSON."""
        event: dict[str, Any] = {
            "routeKey": route,
            "pathParameters": path or {},
            "queryStringParameters": query or {},
            "headers": headers or {},
            "requestContext": {"http": {"sourceIp": "10.0.0.1"}},
            "body": body if isinstance(body, str) else json.dumps(body),
        }
        if groups:
            event["requestContext"]["authorizer"] = {"jwt": {"claims": {"cognito:groups": list(groups)}}}
        said = self.router.handle(event, None)
        return said["statusCode"], orjson.loads(said["body"])

    def draft(
        self, name: str, side: str, lots: int, ticks: int, symbol: str = "BTC-PERP", **terms: Any
    ) -> Item:
        """Return the body of an order, signed when the floor asks for signatures."""
        spec = self.specs[symbol]
        if "nonce" not in terms:
            self.nonces[name] += 1
        body = {
            "type": "limit",
            "symbol": symbol,
            "side": side,
            "qty_e8": lots * spec.lot_e8,
            "limit_price_e6": ticks * spec.tick_e6,
            "account": account_of(name),
            "nonce": self.nonces[name],
            **terms,
        }
        if self.config.signatures == "real" and "signature" not in body:
            body["signature"] = self.signed(name, body)
        return body

    def signed(self, name: str, body: Item) -> str:
        """Sign an order's body as its owner's wallet would."""
        market = "market" in (body["type"], body.get("execution"))
        spec = self.specs[body["symbol"]]
        separator = typed_data.domain_separator(typed_data.Domain(self.config.chain_id, SETTLEMENT))
        digest = typed_data.order_digest(
            separator,
            body["account"],
            body.get("subaccount", 0),
            typed_data.instrument_hash(
                list(MarketKind).index(spec.kind),
                spec.symbol,
                spec.expiry_s,
                spec.strike_e6,
                spec.option_type == "CALL",
            ),
            typed_data.SIDE_BUY if body["side"] == "BUY" else typed_data.SIDE_SELL,
            typed_data.tif_bits(
                body.get("tif", "GTC"), body.get("post_only", False), body.get("reduce_only", False), market
            ),
            body["qty_e8"],
            body["limit_price_e6"],
            body.get("expire_s", 0),
            body["nonce"],
            body.get("max_fee_bps", 50),
        )
        return "0x" + typed_data.sign(digest, key_of(name)).hex()

    def order(
        self, name: str, side: str, lots: int, ticks: int, symbol: str = "BTC-PERP", **terms: Any
    ) -> str:
        """Place an order that the door must accept; returns its id."""
        status, said = self.http("POST /orders", self.draft(name, side, lots, ticks, symbol, **terms))
        assert status == 201, said
        order_id: str = said["order_id"]
        return order_id

    def cancel(self, name: str, order_id: str, **more: Any) -> Answer:
        """Ask to cancel one order with a signature of this trader."""
        headers = more.pop("headers", {})
        nonce = (self.row(order_id) or {}).get("nonce", 0)
        body = {"account": account_of(name), "nonce": nonce, "deadline": TOMORROW_S, **more}
        body.setdefault("signature", self.signed_cancel(name, 0, body["nonce"], body["deadline"]))
        return self.http("DELETE /orders/{id}", body, path={"id": order_id}, headers=headers)

    def signed_cancel(self, name: str, min_nonce: int, nonce: int, deadline: int) -> str:
        separator = typed_data.domain_separator(typed_data.Domain(self.config.chain_id, SETTLEMENT))
        digest = typed_data.cancel_digest(separator, account_of(name), min_nonce, nonce, deadline)
        return "0x" + typed_data.sign(digest, key_of(name)).hex()

    def admin(self, action: str, symbol: str = "BTC-PERP") -> None:
        """Have an admin change a market's state."""
        status, said = self.http(
            "POST /admin/markets", {"action": action, "symbol": symbol}, groups=["admin"]
        )
        assert status == 202, said

    # the road

    def carry(self) -> int:
        """Play the pipe: new Orders rows into the queue."""
        stream = self.store.stream("Orders")
        records = stream.read("pipe", 10_000, "INSERT")
        for record in records:
            image = record["dynamodb"]["NewImage"]
            self.fifo.send(orjson.dumps(record).decode(), image["symbol"]["S"], image["uuid"]["S"])
        stream.advance("pipe", len(records))
        return len(records)

    def serve(self, matcher: Matcher | None = None, limit: int = 10) -> dict[str, int]:
        """Play one poll of the queue: a batch to the matcher, then deletes and releases."""
        records = self.fifo.receive(limit, 60 * NS)
        if not records:
            return {"received": 0, "failed": 0}
        said = (matcher or self.matcher).handle({"Records": records}, None)
        failed = {each["itemIdentifier"] for each in said["batchItemFailures"]}
        for record in records:
            if record["messageId"] in failed:
                self.fifo.release(record["receiptHandle"])
            else:
                self.fifo.delete(record["receiptHandle"])
        return {"received": len(records), "failed": len(failed)}

    def run(self, limit: int = 10) -> None:
        """Carry and match until nothing waits."""
        self.carry()
        while self.serve(limit=limit)["received"]:
            self.carry()

    def news(self, kind: str = "") -> list[dict[str, Any]]:
        """Take everything published so far, of one kind or of all."""
        messages = [message for text in self.topic.messages for message in orjson.loads(text)]
        return [message for message in messages if not kind or message["kind"] == kind]

    # what is there

    def scan(self) -> Scan:
        """Return the whole store."""
        return {table: [dict(row) for row in self.store.scan(table)] for table in keys.TABLES}

    def row(self, order_id: str) -> Item | None:
        key = keys.order_key(order_id)
        return self.store.get(keys.ORDERS, key) if key else None

    def status(self, order_id: str) -> str:
        row = self.row(order_id)
        assert row is not None
        status: str = row["status"]
        return status

    def balance(self, name: str, asset: str = "USDC") -> tuple[int, int]:
        """Return (available, reserved)."""
        row = self.store.get(keys.BALANCES, keys.Key(keys.trader_pk(trader(name)), keys.asset_sk(asset)))
        return (row["available"], row["reserved"]) if row else (0, 0)

    def position(self, name: str, symbol: str = "BTC-PERP") -> Item:
        row = self.store.get(keys.POSITIONS, keys.Key(keys.trader_pk(trader(name)), keys.market_pk(symbol)))
        return row or {}

    def lease(self, symbol: str = "BTC-PERP") -> Item:
        return self.store.get(keys.MATCHER_LEASES, keys.Key(keys.market_pk(symbol), "LEASE")) or {}

    def audit(self) -> None:
        """See that no money was made or lost, and that every hold belongs to a live order (I1 to I6)."""
        sums: defaultdict[str, int] = defaultdict(int)
        reserved: defaultdict[tuple[str, str], int] = defaultdict(int)
        for row in self.store.scan(keys.BALANCES):
            asset = row["SK"].removeprefix("ASSET#")
            for name in ("available", "reserved", "fees", "clearing", "insurance", "bad_debt"):
                sums[asset] += row.get(name, 0) * (-1 if name == "bad_debt" else 1)
                assert name == "clearing" or row.get(name, 0) >= 0, row
            reserved[row["PK"].removeprefix("TRADER#"), asset] += row.get("reserved", 0)
        sizes: defaultdict[str, int] = defaultdict(int)
        costs: defaultdict[str, int] = defaultdict(int)
        for row in self.store.scan(keys.POSITIONS):
            position = position_from_item(row)
            assert position.margin >= 0, row
            sums["USDC"] += position.margin
            sizes[position.symbol] += position.size_e8
            costs[position.symbol] += position.cost
            reserved[position.trader, "USDC"] += position.relief
        assert dict(sums) == dict(self.deposited), (dict(sums), dict(self.deposited))
        for symbol, spec in self.specs.items():
            account = keys.Key(keys.market_pk(symbol), "ASSET#USDC")
            clearing = (self.store.get(keys.BALANCES, account) or {}).get("clearing", 0)
            assert sizes[symbol] == 0, symbol
            assert clearing == (-costs[symbol] if spec.margined else 0), symbol
        for row in self.store.scan(keys.ORDERS):
            if row["orderType"] in ("LIMIT", "MARKET"):
                order = order_from_item(row)
                assert order.status in LIVE or not order.hold, row
                reserved[order.trader, order.hold_asset] -= order.hold
        assert not any(reserved.values()), dict(reserved)


def _fields(config: Config) -> dict[str, Any]:
    return {name: getattr(config, name) for name in Config.__struct_fields__}


def comparable(scan: Scan) -> Scan:
    """Return a scan without what a restart may change.

    The fencing token, the uuids of trades, and the count of commits that changed a position: a
    successor may cut elsewhere.
    """
    said = {table: [dict(row) for row in rows] for table, rows in scan.items()}
    for row in said[keys.MATCHER_LEASES]:
        del row["token"]
    for row in said[keys.POSITIONS]:
        del row["version"]
    for row in said[keys.TRADES]:
        del row["SK"], row["uuid"]
    said[keys.TRADES].sort(key=lambda row: (row["symbol"], row["trade_no"]))
    return said
