"""What settlement is tested with: a store, the model chain, and a matcher that only leaves rows."""

from collections.abc import Callable
from typing import Any

import msgspec
import orjson

from sim.world.chain_world import ChainWorld
from sim.world.purse import Purse
from system.adapters.aws.indexes import INDEXES
from system.adapters.memory.clock import ManualClock
from system.adapters.memory.ids import SeededIds
from system.adapters.memory.store import MemoryStore
from system.adapters.memory.tables import TableDef
from system.api.door import open_door
from system.config import Config
from system.model import keys
from system.model.dynamo_json import marshal
from system.model.keys import Item, Key
from system.model.market import MarketSpec, MarketState
from system.model.order import Order, order_from_item, trader_of
from system.model.signing import order_digest
from system.model.trade import Trade
from system.model.typed_data import domain_separator, sign
from system.model.units import NS, notional, ppm_ceil
from system.model.withdrawal import OPEN_PK, PAID, row_key
from system.ports.chain import Chain
from system.ports.store import Put, Store
from system.settlement.batching import CONFIRMED, HEAD_KEY, batch_key
from system.settlement.submit import Settle
from system.settlement.watch import Watch
from tests.contracts.traders import BLOCK_S, BTC_PRICE, CALL, COIN, PERP, SPOT, START_S, TRADERS, open_funded

CONFIG = Config(signatures="off", confirmations=2)
QTY = COIN // 1_000
TABLES = (
    TableDef(keys.ORDERS, stream=True),
    TableDef(keys.TRADES, INDEXES[keys.TRADES], stream=True),
    TableDef(keys.MARKETS, INDEXES[keys.MARKETS]),
    TableDef(keys.BALANCES),
    TableDef(keys.POSITIONS),
    TableDef(keys.SETTLEMENTS),
    TableDef(keys.IDEMPOTENCY),
)


class Exchange:
    """Trades come from `trade`, the rest is the real thing: memory store, model chain, both functions."""

    def __init__(self, *, signed: bool = False, config: Config = CONFIG) -> None:
        self.clock = ManualClock(START_S * NS)
        self.store: Store = MemoryStore(self.clock, TABLES)
        self.tables = self.store
        self.world: ChainWorld = open_funded("model", verify_signatures=signed)
        self.chain: Chain = self.world.chain()
        self.signed = signed
        self.config = config
        self.numbers = dict.fromkeys((PERP.symbol, SPOT.symbol, CALL.symbol), 0)
        self.nonces = 0
        self.withdrawals = 0
        self.asked: list[tuple[Item, Key]] = []  # withdrawals that must be paid
        for spec in (PERP, SPOT, CALL):
            self.store.write(Put(keys.MARKETS, spec.to_item(MarketState.ACTIVE, 0)))

    # the functions, with the ports as they are now

    def settle(self, event: dict[str, Any]) -> None:
        Settle(self.store, self.chain, self.clock, self.config).handle(event)

    def watch(self) -> None:
        Watch(self.store, self.chain, self.clock, self.config).handle({})

    def mine(self, blocks: int = 1) -> None:
        for _ in range(blocks):
            self.clock.advance(BLOCK_S * NS)
            self.world.mine(self.clock.now_ns() // NS)

    def drain(self, rounds: int = 20) -> None:
        """Watch and mine until everything is final."""
        for _ in range(rounds):
            self.watch()
            head = self.tables.get(keys.SETTLEMENTS, HEAD_KEY)
            if head is None or head["confirmed"] + 1 == head["next_batch"]:
                return
            self.mine()
        raise AssertionError(f"not drained: {self.tables.get(keys.SETTLEMENTS, HEAD_KEY)}")

    # what the matcher leaves

    def trade(self, spec: MarketSpec = PERP, qty: int = QTY, **terms: Any) -> Item:
        """Put two orders and their trade; `terms` replaces what the taker signed."""
        self.clock.advance(1_000_000)
        self.numbers[spec.symbol] += 1
        maker = self.order(spec, 0, "SELL", qty, "LIMIT", "GTC")
        taker = self.order(spec, 1, "BUY", qty, "LIMIT", "IOC", **terms)
        fee = ppm_ceil(notional(BTC_PRICE, qty), spec.fee_ppm)
        number = self.numbers[spec.symbol]
        item = Trade(
            symbol=spec.symbol,
            uuid=f"0196-{number:012d}",
            seq=number,
            trade_no=number,
            trade_type="TRADE",
            price_e6=BTC_PRICE,
            qty_e8=qty,
            notional=notional(BTC_PRICE, qty),
            aggressor_side="BUY",
            maker_order_id=maker.id,
            taker_order_id=taker.id,
            maker=maker.trader,
            taker=taker.trader,
            maker_fee=fee,
            taker_fee=fee,
            latency_ns=0,
            ts_ns=self.clock.now_ns(),
        ).to_item()
        self.tables.write(Put(keys.TRADES, item))
        return item

    def order(
        self, spec: MarketSpec, who: int, side: str, qty: int, kind: str, tif: str, **terms: Any
    ) -> Order:
        self.nonces += 1
        purse = TRADERS[who]
        order = Order(
            symbol=spec.symbol,
            uuid=f"0195-{self.nonces:012d}",
            trader=trader_of(purse.account),
            account=purse.account,
            subaccount=0,
            order_type=kind,  # type: ignore[arg-type]
            side=side,  # type: ignore[arg-type]
            tif=tif,  # type: ignore[arg-type]
            post_only=False,
            reduce_only=False,
            qty_e8=qty,
            limit_price_e6=BTC_PRICE,
            expire_ns=0,
            nonce=self.nonces,
            max_fee_bps=50,
            signature="",
        )
        if self.signed:
            digest = order_digest(order, spec, domain_separator(self.world.domain()))
            order.signature = "0x" + sign(digest, purse.private_key).hex()
        item = order.to_item() | terms
        self.tables.write(Put(keys.ORDERS, item))
        return order_from_item(item)

    # what a trader asks for

    def withdraw(self, purse: Purse, amount: int, life_s: int = 86_400, **terms: Any) -> tuple[Item, Key]:
        """Ask the real door; returns its answer, and the key of what it wrote."""
        self.withdrawals += 1
        body = {
            "account": purse.account,
            "amount": amount,
            "nonce": 10**6 + self.withdrawals,
            "deadline": self.clock.now_ns() // NS + life_s,
            **terms,
        }
        event = {
            "routeKey": "POST /vault/withdraw",
            "body": orjson.dumps(body).decode(),
            "requestContext": {},
        }
        address = self.world.domain().verifying_contract
        config = msgspec.structs.replace(self.config, settlement_address=address)
        ids = SeededIds(self.clock, f"door-{self.withdrawals}")
        door = open_door(self.tables, self.clock, ids, config)
        answer = orjson.loads(door.handle(event, None)["body"])
        return answer, row_key(trader_of(purse.account), answer.get("withdrawal_id", ""))

    def cash(self, purse: Purse) -> tuple[int, int]:
        """What the ledger says is available, and put aside for withdrawals."""
        key = Key(keys.trader_pk(trader_of(purse.account)), keys.asset_sk("USDC"))
        row = self.tables.get(keys.BALANCES, key)
        assert row is not None
        return row["available"], row.get("exiting", 0)

    # what it looks like

    def batch(self, number: int) -> Item:
        row = self.tables.get(keys.SETTLEMENTS, batch_key(number))
        assert row is not None
        return row

    def row(self, trade: Item) -> Item:
        row = self.tables.get(keys.TRADES, Key(trade["PK"], trade["SK"]))
        assert row is not None
        return row

    def status(self, trade: Item) -> str:
        status: str = self.row(trade)["settlementStatus"]
        return status

    def check_settled_once(self, trades: list[Item]) -> None:
        """Every trade is final, in one batch, in order, and on chain it was filled once."""
        head = self.tables.get(keys.SETTLEMENTS, HEAD_KEY)
        assert head is not None
        batches = [self.batch(number) for number in range(1, head["next_batch"])]
        places = [tuple(key) for batch in batches for key in batch["trades"]]
        assert sorted(places) == sorted({(trade["PK"], trade["SK"]) for trade in trades})
        for pk in {trade["PK"] for trade in trades}:
            mine = [place for place in places if place[0] == pk]
            assert mine == sorted(mine)
        assert {batch["status"] for batch in batches} == {CONFIRMED}
        assert [batch["skipped"] for batch in batches] == [[]] * len(batches)
        assert {self.status(trade) for trade in trades} == {CONFIRMED}
        assert all(
            self.row(t)["batch"] == b["number"]
            for t in trades
            for b in batches
            if [t["PK"], t["SK"]] in b["trades"]
        )
        assert self.world.chain().settled_head() == (len(batches), bytes.fromhex(batches[-1]["head"]))
        for trade in trades:
            for order_id in (trade["maker_order_id"], trade["taker_order_id"]):
                key = keys.order_key(order_id)
                assert key is not None
                order = self.tables.get(keys.ORDERS, key)
                assert order is not None
                assert self.world.filled_of(order["account"], order["nonce"]) == trade["qty_e8"]

    def paid(self, purse: Purse) -> int:
        """What wallets got, as USDC and as CXPT."""
        return self.world.wallet_of(purse.account, "USDC") + self.world.cxpt_of(purse.account)

    def check_paid_once(self) -> None:
        """Every withdrawal of `asked` is PAID, the wallets have just that, and nothing is put aside."""
        rows = [self.tables.get(keys.SETTLEMENTS, key) for _, key in self.asked]
        assert {row["status"] for row in rows if row} <= {PAID}
        assert None not in rows
        for purse in TRADERS:
            mine = [row["amount"] for row in rows if row and row["account"] == purse.account]
            assert self.paid(purse) == sum(mine)
            balance = self.tables.get(
                keys.BALANCES, Key(keys.trader_pk(trader_of(purse.account)), keys.asset_sk("USDC"))
            )
            assert balance is None or balance.get("exiting", 0) == 0
        assert self.tables.query(keys.SETTLEMENTS, OPEN_PK).items == []


def event_of(trades: list[Item]) -> dict[str, Any]:
    """The stream's event for new trades; as a redelivery, it is the same however often it is made."""
    records = [{"eventName": "INSERT", "dynamodb": {"NewImage": marshal(trade)}} for trade in trades]
    return {"Records": records}


class Faulty:
    """A port whose calls are counted with others', and of which one fails, before or after its effect."""

    def __init__(self, port: str, inner: Any, strike: Callable[[str, str], None]) -> None:
        self._port = port
        self._inner = inner
        self._strike = strike

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._inner, name)

        def struck(*args: Any, **how: Any) -> Any:
            self._strike("before", f"{self._port}.{name}")
            result = call(*args, **how)
            self._strike("after", f"{self._port}.{name}")
            return result

        return struck


class Death(BaseException):
    """The process dies."""


class Fault:
    """Raises once, at the n-th port call."""

    def __init__(self, at: int, when: str, error: BaseException) -> None:
        self.left = at
        self.when = when
        self.error = error
        self.fired = False
        self.name = ""  # the call that it struck, as port.method

    def strike(self, when: str, name: str) -> None:
        if when == self.when and not self.fired:
            self.left -= 1
            if self.left < 0:
                self.fired = True
                self.name = name
                raise self.error

    def install(self, exchange: Exchange) -> None:
        exchange.store = Faulty("store", exchange.tables, self.strike)  # type: ignore[assignment]
        exchange.chain = Faulty("chain", exchange.world.chain(), self.strike)  # type: ignore[assignment]
