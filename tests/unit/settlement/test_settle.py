"""A batch's way to the chain and back, on the model of the contracts."""

import pytest

from system.config import Config
from system.model import trade
from system.model.errors import ChainReverted, ConfigError, Unavailable
from system.model.keys import SETTLEMENTS
from system.ports.store import Put
from system.settlement.batching import CONFIRMED, HEAD_KEY, PREPARED, SIGNED, SUBMITTED
from tests.contracts.traders import BID, PERP, SPOT, TRADERS
from tests.rules import rule
from tests.unit.settlement.exchange import QTY, Exchange, event_of

DOWN = Unavailable("the RPC is down")


class Down:
    """A chain that does not answer."""

    def __getattr__(self, name):
        raise DOWN


def test_a_trade_settles():
    exchange = Exchange(signed=True, config=Config(settlement_address="0x1", confirmations=2))
    trades = [exchange.trade(), exchange.trade(SPOT), exchange.trade()]

    exchange.settle(event_of(trades))
    assert {exchange.status(t) for t in trades} == {trade.SUBMITTED}
    assert exchange.batch(1)["status"] == SUBMITTED
    exchange.mine()
    exchange.watch()
    assert exchange.status(trades[0]) == trade.SUBMITTED
    exchange.mine(2)
    exchange.watch()

    exchange.check_settled_once(trades)
    batch = exchange.batch(1)
    assert "raw" not in batch
    assert batch["confirmed_ns"] == exchange.clock.now_ns()
    assert exchange.world.position_of(TRADERS[1].account, PERP.symbol).size_e8 == 2 * QTY


@rule("SETL-006")
def test_final_means_so_many_blocks_above():
    exchange = Exchange()
    item = exchange.trade()
    exchange.settle(event_of([item]))
    exchange.mine()

    statuses = []
    for _ in range(exchange.config.confirmations + 1):
        exchange.watch()
        statuses.append(exchange.status(item))
        exchange.mine()

    assert statuses == [trade.SUBMITTED] * exchange.config.confirmations + [trade.CONFIRMED]


@rule("SETL-003")
def test_stored_before_sent():
    exchange = Exchange()
    seen = []

    class Watching:
        """Looks at the batch at the moment of sending."""

        def __init__(self, inner):
            self.inner = inner

        def __getattr__(self, name):
            return getattr(self.inner, name)

        def send(self, tx):
            seen.append(exchange.batch(1))
            return self.inner.send(tx)

    exchange.chain = Watching(exchange.chain)
    exchange.settle(event_of([exchange.trade()]))

    (row,) = seen
    assert row["status"] == SIGNED
    assert row["raw"]
    assert (row["tx_hash"][:2], row["nonce"]) == ("0x", 0)
    assert len(bytes.fromhex(row["head"])) == len(bytes.fromhex(row["prev_hash"])) == 32


def test_the_chain_is_down():
    exchange = Exchange()
    chain, exchange.chain = exchange.chain, Down()
    trades = [exchange.trade() for _ in range(3)]
    for item in trades:
        exchange.settle(event_of([item]))
    exchange.watch()
    assert [exchange.batch(n)["status"] for n in (1, 2, 3)] == [PREPARED] * 3

    exchange.chain = chain
    exchange.watch()
    assert [exchange.batch(n)["status"] for n in (1, 2, 3)] == [SUBMITTED] * 3
    assert [exchange.batch(n)["nonce"] for n in (1, 2, 3)] == [0, 1, 2]
    exchange.drain()

    exchange.check_settled_once(trades)


@rule("SETL-015")
def test_an_event_brings_on_what_waits_before_its_own():
    exchange = Exchange()
    chain, exchange.chain = exchange.chain, Down()
    trades = [exchange.trade() for _ in range(4)]
    for item in trades[:3]:
        exchange.settle(event_of([item]))
    assert [exchange.batch(n)["status"] for n in (1, 2, 3)] == [PREPARED] * 3
    exchange.chain = chain

    exchange.settle(event_of(trades[3:]))

    assert [exchange.batch(n)["status"] for n in (1, 2, 3, 4)] == [SUBMITTED] * 4
    assert [exchange.batch(n)["nonce"] for n in (1, 2, 3, 4)] == [0, 1, 2, 3]
    exchange.drain()
    exchange.check_settled_once(trades)


@rule("SETL-015")
def test_a_long_queue_is_left_to_the_watch():
    exchange = Exchange()
    chain, exchange.chain = exchange.chain, Down()
    trades = [exchange.trade() for _ in range(12)]
    for item in trades[:11]:
        exchange.settle(event_of([item]))
    exchange.chain = chain

    exchange.settle(event_of(trades[11:]))
    assert [exchange.batch(n)["status"] for n in range(1, 13)] == [PREPARED] * 12

    exchange.drain()
    exchange.check_settled_once(trades)


@rule("SETL-007")
def test_a_refused_fill_is_skipped_with_its_reason():
    exchange = Exchange()
    good, bad = exchange.trade(), exchange.trade(limit_price_e6=1)
    exchange.settle(event_of([good, bad]))
    exchange.drain()

    assert exchange.status(good) == trade.CONFIRMED
    assert exchange.status(bad) == trade.SKIPPED
    assert exchange.row(bad)["settlementReason"] == "NOT_CROSSING"
    assert exchange.batch(1)["skipped"] == [[bad["PK"], bad["SK"], "NotCrossing"]]
    assert exchange.batch(1)["status"] == CONFIRMED


@rule("SETL-004")
def test_a_reorganisation_before_it_was_final():
    exchange = Exchange()
    trades = [exchange.trade() for _ in range(4)]
    for item in trades:
        exchange.settle(event_of([item]))
        exchange.mine()
    exchange.world.reorg(3)
    assert exchange.world.chain().settled_head()[0] == 1

    exchange.drain()

    exchange.check_settled_once(trades)
    assert [exchange.batch(n)["nonce"] for n in (1, 2, 3, 4)] == [0, 1, 2, 3]


@rule("SETL-004")
def test_a_new_batch_leaves_a_forgotten_ones_nonce_alone():
    exchange = Exchange()
    exchange.mine()
    trades = [exchange.trade(), exchange.trade()]
    exchange.settle(event_of(trades[:1]))
    exchange.world.reorg(1)  # the pool forgets batch 1, and no watch has seen it yet

    exchange.settle(event_of(trades[1:]))

    assert [exchange.batch(n)["nonce"] for n in (1, 2)] == [0, 1]
    exchange.mine()
    exchange.drain()
    exchange.check_settled_once(trades)
    assert [exchange.batch(n).get("superseded") for n in (1, 2)] == [None, None]


@rule("SETL-004")
def test_a_batch_that_was_signed_but_not_sent_comes_first():
    exchange = Exchange()
    chain = exchange.chain

    class Deaf:
        """Answers, but takes nothing."""

        def __getattr__(self, name):
            return getattr(chain, name)

        def send(self, tx):
            raise DOWN

    trades = [exchange.trade(), exchange.trade()]
    exchange.chain = Deaf()
    exchange.settle(event_of(trades[:1]))
    exchange.chain = chain
    exchange.settle(event_of(trades[1:]))

    assert [exchange.batch(n)["status"] for n in (1, 2)] == [SUBMITTED, SUBMITTED]
    assert [exchange.batch(n)["nonce"] for n in (1, 2)] == [0, 1]
    exchange.drain()
    exchange.check_settled_once(trades)


@rule("SETL-005")
def test_somebody_else_used_the_nonce():
    exchange = Exchange()
    other, _ = exchange.chain.prepare_batch(77, bytes(32), [], [], 0, BID)
    exchange.chain.send(other)
    trades = [exchange.trade(), exchange.trade()]

    class Stale:
        """A node that has not heard of the other transaction."""

        def __init__(self, inner):
            self.inner = inner

        def __getattr__(self, name):
            return getattr(self.inner, name)

        def next_nonce(self):
            return 0

    chain, exchange.chain = exchange.chain, Stale(exchange.chain)
    for item in trades:
        exchange.settle(event_of([item]))
    assert exchange.batch(1)["status"] == PREPARED
    assert exchange.batch(1)["error"] == "NonceTaken"
    exchange.chain = chain
    exchange.drain()

    exchange.check_settled_once(trades)
    assert [exchange.batch(n)["nonce"] for n in (1, 2)] == [1, 2]


@rule("SETL-005")
def test_a_reverted_batch_is_signed_anew_with_those_after_it():
    exchange = Exchange()
    trades = [exchange.trade() for _ in range(3)]
    # Three batches wait in the pool, and the transaction that the first one names will revert.
    exchange.mine()
    exchange.settle(event_of(trades[:1]))
    row = exchange.batch(1)
    wrong, _ = exchange.chain.prepare_batch(5, bytes(32), [], [], 0, BID)
    exchange.world.reorg(1)  # the pool forgets the right one
    exchange.chain.send(wrong)
    exchange.tables.write(_put(row | {"tx_hash": wrong.tx_hash, "raw": wrong.raw}))
    for item in trades[1:]:
        exchange.settle(event_of([item]))
    exchange.mine()
    assert exchange.chain.receipt(wrong.tx_hash).success is False

    exchange.drain()

    exchange.check_settled_once(trades)
    assert exchange.batch(1)["superseded"] == [wrong.tx_hash]
    assert "error" not in exchange.batch(1)


@rule("SETL-005")
def test_a_superseded_transaction_is_mined_after_all():
    exchange = Exchange()
    trades = [exchange.trade()]
    exchange.settle(event_of(trades))
    first = exchange.batch(1)
    again = {"status": PREPARED, "superseded": [first["tx_hash"]], "error": "Refused"}
    exchange.tables.write(_put(first | again))
    exchange.watch()  # signs anew, with the next nonce
    assert exchange.batch(1)["tx_hash"] != first["tx_hash"]

    exchange.drain()

    exchange.check_settled_once(trades)
    assert exchange.batch(1)["tx_hash"] == first["tx_hash"]


@rule("SETL-005")
def test_the_first_of_many_transactions_is_the_one_that_was_mined():
    exchange = Exchange()
    exchange.mine()
    trades = [exchange.trade()]
    exchange.settle(event_of(trades))
    first = exchange.batch(1)
    exchange.mine()
    # The node that the watches ask is behind: it knows nothing of the first transaction for a while.
    chain = exchange.chain

    class Behind:
        def __getattr__(self, name):
            return getattr(chain, name)

        def send(self, tx):
            raise ChainReverted("NonceTooLow", (tx.nonce,))

        def receipt(self, tx_hash):
            return None

    exchange.chain = Behind()
    for _ in range(3):
        exchange.watch()
    assert len(exchange.batch(1)["superseded"]) > 1

    exchange.chain = chain
    exchange.drain()

    exchange.check_settled_once(trades)
    assert exchange.batch(1)["tx_hash"] == first["tx_hash"]


def test_a_contract_that_is_not_ours():
    exchange = Exchange()
    tx, _ = exchange.chain.prepare_batch(1, exchange.chain.settled_head()[1], [], [], 0, BID)
    exchange.chain.send(tx)
    exchange.mine()

    with pytest.raises(ConfigError, match="it has 1"):
        exchange.settle(event_of([exchange.trade()]))


@rule("SETL-008")
def test_a_slow_writer_does_not_turn_a_batch_back():
    exchange = Exchange()
    chain, exchange.chain = exchange.chain, Down()
    trades = [exchange.trade()]
    exchange.settle(event_of(trades))
    exchange.chain = chain

    class Overtaken:
        """While this watch is about to store its transaction, others bring the batch to its end."""

        def __getattr__(self, name):
            return getattr(exchange.tables, name)

        def transact(self, actions, token=""):
            exchange.store = exchange.tables
            exchange.drain()
            exchange.tables.transact(actions, token)

    exchange.store = Overtaken()
    exchange.watch()

    exchange.check_settled_once(trades)


def test_two_watches_at_once():
    exchange = Exchange()
    trades = [exchange.trade()]
    exchange.settle(event_of(trades))
    exchange.mine(3)

    class Meanwhile:
        """Another watch runs whenever this one is about to write."""

        def __getattr__(self, name):
            return getattr(exchange.tables, name)

        def transact(self, actions, token=""):
            exchange.store = exchange.tables
            exchange.watch()
            exchange.tables.transact(actions, token)

    exchange.store = Meanwhile()
    exchange.watch()

    exchange.check_settled_once(trades)
    assert exchange.tables.get(SETTLEMENTS, HEAD_KEY)["confirmed"] == 1


def test_nothing_to_do():
    exchange = Exchange()
    exchange.watch()
    exchange.settle({"Records": []})

    assert exchange.tables.get(SETTLEMENTS, HEAD_KEY) is None


def _put(row):
    return Put(SETTLEMENTS, row)
