"""Trades get their batch: each one, in order, however often the stream says so."""

import pytest

from system.model import trade
from system.model.errors import ConditionFailed
from system.model.keys import SETTLEMENTS, Key
from system.ports.store import Update
from system.settlement.batching import HEAD_KEY, MAX_TRADES, Batching, NewTrade, in_market_order, read_trades
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
    b1, b2, b3 = (NewTrade(Key("B", str(n)), n) for n in (1, 2, 3))
    e1, e2 = (NewTrade(Key("E", str(n)), n) for n in (1, 2))

    assert in_market_order([b2, e1, b3, b1, e2]) == [b1, e1, b2, b3, e2]
    assert in_market_order([]) == []


@rule("SETL-001")
def test_trades_are_batched_once():
    exchange = Exchange()
    trades = [exchange.trade(), exchange.trade(SPOT), exchange.trade()]
    batching = Batching(exchange.store, exchange.clock)

    assert batching.form(news(trades[:2])) == [1]
    assert batching.form(news(trades[:2])) == []
    assert batching.form(news(trades)) == [2]

    assert [exchange.row(t)["batch"] for t in trades] == [1, 1, 2]
    assert {exchange.status(t) for t in trades} == {trade.BATCHED}
    assert exchange.batch(2)["trades"] == [[trades[2]["PK"], trades[2]["SK"]]]
    assert exchange.tables.get(SETTLEMENTS, HEAD_KEY)["next_batch"] == 3


def test_a_batch_fits_into_one_transaction():
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
    return [NewTrade(Key(item["PK"], item["SK"]), item["trade_no"]) for item in trades]
