"""Trades get their batch: each one, in order, however often the stream says so."""

import pytest

from system.model import trade
from system.model.errors import ConditionFailed
from system.model.keys import SETTLEMENTS, Key
from system.ports.store import Update
from system.settlement import batching
from system.settlement.batching import (
    HEAD_KEY,
    MAX_TRADES,
    Batching,
    NewTrade,
    in_batches,
    in_market_order,
    read_trades,
)
from system.settlement.gas import TX_GAS_CAP, gas_limit
from tests.contracts.traders import PERP, SPOT
from tests.rules import rule
from tests.unit.settlement.exchange import Exchange, event_of


def test_only_new_pending_trades_are_read():
    exchange = Exchange()
    one, two = exchange.trade(), exchange.trade()
    event = event_of([one, two, one, two | {"settlementStatus": trade.CONFIRMED}])
    event["Records"].append({"eventName": "MODIFY", "dynamodb": event["Records"][1]["dynamodb"]})
    event["Records"].append({"eventName": "REMOVE", "dynamodb": {"OldImage": {}}})

    assert read_trades(event) == news([one, two])


@rule("SETL-002")
def test_a_markets_order_is_kept_and_the_others_places_too():
    b1, b2, b3 = (NewTrade(Key("B", str(n)), n, ("m", "t")) for n in (1, 2, 3))
    e1, e2 = (NewTrade(Key("E", str(n)), n, ("m", "t")) for n in (1, 2))

    assert in_market_order([b2, e1, b3, b1, e2]) == [b1, e1, b2, b3, e2]
    assert in_market_order([]) == []


@rule("SETL-001")
def test_trades_are_batched_once():
    exchange = Exchange()
    trades = [exchange.trade(), exchange.trade(SPOT), exchange.trade()]
    former = Batching(exchange.store, exchange.clock)

    assert former.form(news(trades[:2])) == [1]
    assert former.form(news(trades[:2])) == []
    assert former.form(news(trades)) == [2]

    assert [exchange.row(t)["batch"] for t in trades] == [1, 1, 2]
    assert {exchange.status(t) for t in trades} == {trade.BATCHED}
    assert exchange.batch(2)["trades"] == [[trades[2]["PK"], trades[2]["SK"]]]
    assert exchange.tables.get(SETTLEMENTS, HEAD_KEY)["next_batch"] == 3


@rule("SETL-009")
def test_a_batch_between_strangers_is_cut_by_gas():
    exchange = Exchange()
    trades = [exchange.trade() for _ in range(2 * MAX_TRADES)]

    numbers = Batching(exchange.store, exchange.clock).form(news(trades))
    sizes = [len(exchange.batch(number)["trades"]) for number in numbers]

    assert sum(sizes) == len(trades)
    assert max(sizes) < MAX_TRADES
    for size in sizes:
        assert gas_limit(2 * size, size) <= TX_GAS_CAP
    for size in sizes[:-1]:
        assert gas_limit(2 * size + 2, size + 1) > TX_GAS_CAP


@rule("SETL-009")
def test_a_sweep_fits_more_trades_into_a_batch():
    pairs = [(f"maker-{n}", f"taker-{n}") for n in range(1_000)]
    sweep = [NewTrade(Key("B", str(n)), n, ("one", "other")) for n in range(1_000)]
    each_new = [NewTrade(Key("B", str(n)), n, pair) for n, pair in enumerate(pairs)]

    sizes = [[len(batch) for batch in in_batches(trades)] for trades in (sweep, each_new)]

    assert sum(sizes[0]) == sum(sizes[1]) == 1_000
    assert sizes[0][0] > sizes[1][0]
    assert max(sizes[0]) <= MAX_TRADES


@rule("SETL-001")
def test_a_batch_fits_into_one_transaction_of_the_store(monkeypatch):
    monkeypatch.setattr(batching, "TX_GAS_CAP", 2**60)
    exchange = Exchange()
    trades = [exchange.trade() for _ in range(2 * MAX_TRADES + 1)]

    assert Batching(exchange.store, exchange.clock).form(news(trades)) == [1, 2, 3]
    assert [len(exchange.batch(n)["trades"]) for n in (1, 2, 3)] == [MAX_TRADES, MAX_TRADES, 1]


def test_another_writer_takes_the_number():
    exchange = Exchange()
    trades = [exchange.trade(), exchange.trade(PERP)]
    rival = Batching(exchange.store, exchange.clock)

    class Late:
        """Reads the head, and is late with its transaction."""

        def __init__(self):
            self.once = True

        def __getattr__(self, name):
            return getattr(exchange.tables, name)

        def transact(self, actions, token=""):
            if self.once:
                self.once = False
                assert rival.form(news(trades[:1])) == [1]
            exchange.tables.transact(actions, token)

    assert Batching(Late(), exchange.clock).form(news(trades)) == [2]
    assert [exchange.row(t)["batch"] for t in trades] == [1, 2]


def test_a_head_that_always_moves_fails_the_event():
    exchange = Exchange()
    exchange.settle(event_of([exchange.trade()]))
    item = exchange.trade()

    class Racing:
        """The head moves before every transaction."""

        def __getattr__(self, name):
            return getattr(exchange.tables, name)

        def transact(self, actions, token=""):
            exchange.tables.write(Update(SETTLEMENTS, HEAD_KEY, add={"next_batch": 1}))
            exchange.tables.transact(actions, token)

    with pytest.raises(ConditionFailed):
        Batching(Racing(), exchange.clock).form(news([item]))
    assert exchange.status(item) == trade.PENDING


def news(trades):
    return [
        NewTrade(
            Key(item["PK"], item["SK"]), item["trade_no"], (item["maker_order_id"], item["taker_order_id"])
        )
        for item in trades
    ]
