"""Step 9 of docs/walk.md, first half: trades become numbered batches, each trade in exactly one.

A batch is made in one transaction with its trades, so a redelivered stream record or a second
writer finds them taken. From then on the batch belongs to submit.py and watch.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from system.model import trade
from system.model.errors import ConditionFailed
from system.model.keys import META, SETTLEMENTS, TRADES, Item, Key
from system.ports.clock import Clock
from system.ports.store import MAX_TRANSACTION_ACTIONS, NOT_EXISTS, Clause, Put, Store, Update
from system.settlement.gas import TX_GAS_CAP, gas_limit

# status of a batch
PREPARED = "PREPARED"  # its trades are chosen
SIGNED = "SIGNED"  # its transaction is stored, perhaps sent
SUBMITTED = "SUBMITTED"  # a node has taken the transaction
CONFIRMED = "CONFIRMED"  # final

HEAD_KEY = Key("CHAIN#HEAD", META)
"""{next_batch, confirmed}: the number that the next batch gets, and the last one that is final."""

MAX_TRADES = MAX_TRANSACTION_ACTIONS - 2
"""A transaction that makes or confirms a batch also writes the batch and the head."""

_ATTEMPTS = 10


def batch_key(number: int) -> Key:
    """Return the key of a batch; numbers start at 1, as on chain."""
    return Key(f"BATCH#{number:012d}", META)


class NewTrade(NamedTuple):
    """What batching needs to know of a trade."""

    key: Key
    trade_no: int
    order_ids: tuple[str, str]


def read_trades(event: dict[str, Any]) -> list[NewTrade]:
    """Return the pending trades of a Trades stream event, each once, in order of arrival."""
    found: dict[NewTrade, None] = {}
    for record in event["Records"]:
        if record["eventName"] == "INSERT":
            image = record["dynamodb"]["NewImage"]
            status = image.get("settlementStatus")  # a funding tick is no trade of anybody
            if status is not None and status["S"] == trade.PENDING:
                key = Key(image["PK"]["S"], image["SK"]["S"])
                orders = (image["maker_order_id"]["S"], image["taker_order_id"]["S"])
                found[NewTrade(key, int(image["trade_no"]["N"]), orders)] = None
    return list(found)


def in_market_order(trades: Iterable[NewTrade]) -> list[NewTrade]:
    """Sort each market's trades by number, and leave the order between markets as it came.

    The contract fills orders and moves money in this order; a market's own must never be turned.
    Rule: SETL-002.
    """
    arrived = list(trades)
    by_market: dict[str, list[NewTrade]] = {}
    for each in arrived:
        by_market.setdefault(each.key.pk, []).append(each)
    queues = {pk: iter(sorted(market, key=_trade_no)) for pk, market in by_market.items()}
    return [next(queues[each.key.pk]) for each in arrived]


def in_batches(trades: Iterable[NewTrade]) -> Iterator[list[Key]]:
    """Cut trades where a batch is full: of one transaction of the store, or of one of the chain.

    What a batch may use depends on how many orders it names, each once. Rule: SETL-009.
    """
    batch: list[Key] = []
    orders: set[str] = set()
    for each in trades:
        more = orders.union(each.order_ids)
        if batch and (len(batch) == MAX_TRADES or gas_limit(len(more), len(batch) + 1) > TX_GAS_CAP):
            yield batch
            batch, more = [], set(each.order_ids)
        batch.append(each.key)
        orders = more
    if batch:
        yield batch


class Batching:
    """Gives pending trades a batch."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def form(self, trades: Iterable[NewTrade]) -> list[int]:
        """Put trades into batches; returns their numbers. Trades that have one already are left alone.

        Rule: SETL-001.
        """
        numbers = [self._claim(batch) for batch in in_batches(in_market_order(trades))]
        return [number for number in numbers if number]

    def _claim(self, trades: list[Key]) -> int:
        """Make the next batch of these trades, or of those that are still free; 0 when none is."""
        for attempt in range(_ATTEMPTS):
            try:
                return self._make_batch(trades)
            except ConditionFailed:
                # Another batch got the number, or some trades were taken before: look again.
                if attempt == _ATTEMPTS - 1:
                    raise
            rows = self._store.get_many(TRADES, trades)
            trades = [Key(row["PK"], row["SK"]) for row in rows if row["settlementStatus"] == trade.PENDING]
            if not trades:
                return 0
        raise AssertionError

    def _make_batch(self, trades: list[Key]) -> int:
        head = self._store.get(SETTLEMENTS, HEAD_KEY)
        number = 1 if head is None else head["next_batch"]
        pk, sk = batch_key(number)
        batch = {
            "PK": pk,
            "SK": sk,
            "number": number,
            "status": PREPARED,
            "trades": [list(key) for key in trades],
            "created_ns": self._clock.now_ns(),
        }
        free = (Clause("settlementStatus", "=", trade.PENDING),)
        taken = {"settlementStatus": trade.BATCHED, "batch": number}
        self._store.transact(
            [
                Put(SETTLEMENTS, batch, NOT_EXISTS),
                Put(SETTLEMENTS, _first_head(), NOT_EXISTS)
                if head is None
                else Update(
                    SETTLEMENTS,
                    HEAD_KEY,
                    put={"next_batch": number + 1},
                    when=(Clause("next_batch", "=", number),),
                ),
                *(Update(TRADES, key, put=taken, when=free) for key in trades),
            ]
        )
        return number


def _first_head() -> Item:
    return {"PK": HEAD_KEY.pk, "SK": HEAD_KEY.sk, "next_batch": 2, "confirmed": 0}


def _trade_no(each: NewTrade) -> int:
    return each.trade_no
