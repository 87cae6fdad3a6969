"""A chain that makes trouble: dear gas, transactions nobody mines, a lost key, a batch that reverts."""

import pytest

from sim.world.deploy import OPERATOR
from system.model import trade
from system.model.typed_data import address_of
from system.model.units import NS
from system.ports.chain import Preflight
from system.settlement.batching import CONFIRMED, PREPARED, SUBMITTED
from tests.contracts.traders import SPOT
from tests.rules import rule
from tests.unit.settlement.exchange import QTY, Exchange, event_of

GWEI = 10**9
NEW_KEY = b"\x0b" * 32
POISON = QTY * 7


def wait(exchange, ns):
    exchange.clock.advance(ns)
    exchange.mine()


@rule("SETL-012")
def test_a_transaction_that_nobody_mines_offers_more():
    exchange = Exchange()
    trades = [exchange.trade(), exchange.trade()]
    exchange.settle(event_of(trades[:1]))
    first = exchange.batch(1)
    exchange.world.withhold()
    exchange.settle(event_of(trades[1:]))
    exchange.mine(2)
    exchange.watch()
    assert exchange.batch(1)["tx_hash"] == first["tx_hash"]  # it has not waited long yet

    wait(exchange, exchange.config.stuck_ns)
    exchange.watch()
    second = exchange.batch(1)

    assert second["tx_hash"] != first["tx_hash"]
    assert (second["nonce"], second["head"]) == (first["nonce"], first["head"])
    assert second["max_fee"] * 10 >= first["max_fee"] * 11
    assert second["priority_fee"] * 10 >= first["priority_fee"] * 11
    assert second["superseded"] == [first["tx_hash"]]
    exchange.drain()
    exchange.check_settled_once(trades)
    assert exchange.batch(1)["tx_hash"] == second["tx_hash"]


@rule("SETL-012")
def test_the_cheaper_one_may_be_mined_after_all():
    exchange = Exchange()
    trades = [exchange.trade()]
    exchange.settle(event_of(trades))
    first = exchange.batch(1)
    wait(exchange, exchange.config.stuck_ns)  # it is mined, and the node that is asked next does not know

    class Behind:
        def __getattr__(self, name):
            return getattr(chain, name)

        def receipt(self, tx_hash):
            return None

    chain, exchange.chain = exchange.chain, Behind()
    exchange.watch()
    assert first["tx_hash"] in exchange.batch(1)["superseded"]

    exchange.chain = chain
    exchange.drain()
    exchange.check_settled_once(trades)
    assert exchange.batch(1)["tx_hash"] == first["tx_hash"]


@rule("SETL-012")
def test_offers_end_at_the_ceiling():
    exchange = Exchange()
    trades = [exchange.trade()]
    exchange.settle(event_of(trades))
    offers = []
    for _ in range(60):
        exchange.world.withhold()
        wait(exchange, exchange.config.stuck_ns)
        exchange.watch()
        offers.append(exchange.batch(1)["max_fee"])

    assert offers == sorted(offers)
    assert offers[-1] == offers[-2] <= 5_000 * GWEI
    exchange.world.release()
    exchange.drain()
    exchange.check_settled_once(trades)


@rule("SETL-012")
def test_gas_is_dear_for_a_while():
    exchange = Exchange()
    trades = [exchange.trade(), exchange.trade(SPOT), exchange.trade()]
    exchange.settle(event_of(trades[:1]))
    exchange.world.spike(400 * GWEI)
    exchange.settle(event_of(trades[1:2]))  # refused: it offers too little
    exchange.mine()  # the first one is dropped
    assert exchange.chain.receipt(exchange.batch(1)["tx_hash"]) is None

    exchange.drain()
    exchange.world.spike(0)
    exchange.settle(event_of(trades[2:]))
    exchange.drain()

    exchange.check_settled_once(trades)
    assert [exchange.batch(n)["max_fee"] > 400 * GWEI for n in (1, 2, 3)] == [True, True, False]


@rule("SETL-014")
def test_the_operators_key_is_rotated():
    exchange = Exchange()
    trades = [exchange.trade() for _ in range(3)]
    exchange.settle(event_of(trades[:1]))
    exchange.drain()
    exchange.settle(event_of(trades[1:2]))  # on its way while the key changes
    exchange.world.set_operator(NEW_KEY)
    exchange.settle(event_of(trades[2:]))
    exchange.mine()

    exchange.drain()

    exchange.check_settled_once(trades)
    senders = [exchange.batch(n)["sender"] for n in (1, 2, 3)]
    assert senders == [OPERATOR, address_of(NEW_KEY), address_of(NEW_KEY)]
    assert [exchange.batch(n)["nonce"] for n in (1, 2, 3)] == [0, 0, 1]


@rule("SETL-013")
def test_without_a_role_nothing_is_burnt():
    exchange = Exchange()
    trades = [exchange.trade(), exchange.trade()]
    exchange.world.lose_operator()
    for item in trades:
        exchange.settle(event_of([item]))
    exchange.mine()
    for _ in range(5):
        exchange.watch()
        exchange.mine()
    spent = exchange.chain.next_nonce()
    assert exchange.batch(1)["status"] == PREPARED
    assert exchange.batch(1)["error"] == "AccessControlUnauthorizedAccount"

    for _ in range(5):
        exchange.watch()
        exchange.mine()
    assert exchange.chain.next_nonce() == spent

    exchange.world.set_operator(NEW_KEY)
    exchange.mine()
    exchange.drain()
    exchange.check_settled_once(trades)


@rule("SETL-014")
@pytest.mark.parametrize("depth", [1, 2])
def test_a_reorganisation_takes_the_rotation_back(depth):
    exchange = Exchange()
    exchange.mine(2)
    trades = [exchange.trade(), exchange.trade()]
    exchange.settle(event_of(trades[:1]))
    exchange.world.set_operator(NEW_KEY)
    exchange.mine()
    exchange.watch()
    exchange.world.reorg(depth)
    exchange.settle(event_of(trades[1:]))

    exchange.drain(40)

    exchange.check_settled_once(trades)


class Poisoned:
    """The contracts, and a fill that makes them revert in a way that they did not foresee."""

    def __init__(self, inner):
        self.inner = inner

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def preflight(self, batch_id, prev_hash, orders, fills):
        if any(fill.qty == POISON for fill in fills):
            return Preflight("InsufficientShares", 0)
        return self.inner.preflight(batch_id, prev_hash, orders, fills)

    def prepare_batch(self, batch_id, prev_hash, orders, fills, nonce, bid):
        poisoned = any(fill.qty == POISON for fill in fills)
        tx, _ = self.inner.prepare_batch(
            batch_id, b"\x01" * 32 if poisoned else prev_hash, orders, fills, nonce, bid
        )
        _, head = self.inner.prepare_batch(batch_id, prev_hash, orders, fills, nonce, bid)
        return tx, head


@rule("SETL-013")
def test_a_fill_that_spoils_its_batch_is_left_out():
    exchange = Exchange()
    exchange.chain = Poisoned(exchange.chain)
    good = [exchange.trade(), exchange.trade(SPOT)]
    bad = exchange.trade(qty=POISON)
    later = [exchange.trade(), exchange.trade(SPOT)]
    exchange.settle(event_of([good[0], bad, good[1]]))
    exchange.settle(event_of(later))
    assert [exchange.batch(n)["status"] for n in (1, 2)] == [SUBMITTED, SUBMITTED]
    exchange.mine()

    exchange.drain()

    assert [exchange.status(item) for item in (*good, *later)] == [trade.CONFIRMED] * 4
    assert exchange.status(bad) == trade.SKIPPED
    assert exchange.batch(1)["skipped"] == [[bad["PK"], bad["SK"], "InsufficientShares"]]
    assert [exchange.batch(n)["status"] for n in (1, 2)] == [CONFIRMED, CONFIRMED]
    assert exchange.chain.settled_head() == (2, bytes.fromhex(exchange.batch(2)["head"]))


@rule("SETL-013")
def test_what_counts_is_what_the_mined_transaction_carried():
    exchange = Exchange()
    exchange.chain = Poisoned(exchange.chain)
    good, bad = exchange.trade(), exchange.trade(qty=POISON)
    exchange.settle(event_of([good, bad]))
    exchange.mine()
    whole = exchange.batch(1)
    exchange.watch()  # signed anew without the bad fill
    assert exchange.batch(1)["excluded"] == [[1, "InsufficientShares"]]

    receipt = exchange.chain.receipt(whole["tx_hash"])

    class Turned:
        """The chain turned, and the first transaction succeeds after all."""

        def __getattr__(self, name):
            return getattr(exchange.world.chain(), name)

        def receipt(self, tx_hash):
            return receipt._replace(success=True, error="") if tx_hash == whole["tx_hash"] else None

    exchange.chain = Turned()
    exchange.mine(exchange.config.confirmations)
    exchange.watch()

    assert exchange.batch(1)["tx_hash"] == whole["tx_hash"]
    assert exchange.status(good) == exchange.status(bad) == trade.CONFIRMED


def test_ceiling_waits_for_stuck_time_only():
    exchange = Exchange()
    exchange.settle(event_of([exchange.trade()]))
    exchange.world.withhold()
    exchange.clock.advance(exchange.config.stuck_ns - 13 * NS)
    exchange.mine()
    exchange.watch()
    assert "superseded" not in exchange.batch(1)
