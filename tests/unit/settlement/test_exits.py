"""What leaves the Vault leaves the ledger: put aside when it is queued, gone when it is paid, each once."""

from hypothesis import given, settings
from hypothesis import strategies as st

from sim.world.deploy import EXIT_DELAY_S, HEARTBEAT_S
from system.model import keys
from system.model.keys import BALANCES, SETTLEMENTS, Key
from system.model.order import trader_of
from system.model.units import NS
from system.ports.chain import ExitSeen
from system.ports.store import Delete, Update
from system.settlement.exits import CURSOR_KEY, follow_exits
from tests.contracts.traders import FUNDS, TRADERS
from tests.rules import rule
from tests.unit.settlement.exchange import CONFIG, Exchange, event_of

K = CONFIG.confirmations
A = TRADERS[3]  # trades nothing
KEY = Key(keys.trader_pk(trader_of(A.account)), keys.asset_sk("USDC"))


def opened():
    exchange = Exchange()
    exchange.mine(K)
    exchange.watch()
    return exchange


def balance(exchange, key=KEY):
    row = exchange.tables.get(BALANCES, key)
    return row["available"], row["reserved"], row.get("exiting", 0)


def reserve(exchange, amount):
    exchange.tables.write(Update(BALANCES, KEY, add={"available": -amount, "reserved": amount}))


def leave(exchange):
    """Queue, and ask again when the delay is over."""
    exchange.world.exit(A.private_key)
    exchange.mine(K + 1)
    exchange.watch()


@rule("SETL-017")
@rule("SETL-018")
def test_an_exit_from_the_queue_to_the_wallet():
    exchange = opened()
    leave(exchange)
    assert balance(exchange) == (0, 0, FUNDS["USDC"])

    exchange.clock.advance(EXIT_DELAY_S * NS)
    leave(exchange)

    assert balance(exchange) == (0, 0, 0)
    assert exchange.world.wallet_of(A.account, "USDC") == FUNDS["USDC"]
    assert exchange.world.usdc_of(A.account) == 0


@rule("SETL-017")
def test_what_is_in_orders_is_put_aside_when_it_is_free():
    exchange = opened()
    reserve(exchange, 700)
    leave(exchange)
    assert balance(exchange) == (0, 700, FUNDS["USDC"] - 700)

    reserve(exchange, -400)
    exchange.watch()
    assert balance(exchange) == (0, 300, FUNDS["USDC"] - 300)
    exchange.watch()
    assert balance(exchange) == (0, 300, FUNDS["USDC"] - 300)


@rule("SETL-018")
def test_an_exit_without_a_queue_when_nobody_settles():
    exchange = opened()
    exchange.clock.advance(HEARTBEAT_S * NS)
    leave(exchange)

    assert balance(exchange) == (0, 0, 0)


class Telling:
    """A Vault that says what a test wants."""

    def __init__(self, *events):
        self.events = [
            ExitSeen(100 + place, f"0x{place}", 0, kind, A.account, "USDC", amount)
            for place, (kind, amount) in enumerate(events)
        ]

    def block_number(self):
        return 100 + len(self.events) + K

    def exits(self, from_block, to_block):
        return [each for each in self.events if from_block <= each.block_number <= to_block]


@rule("SETL-017")
def test_an_exit_that_was_called_off():
    exchange = opened()
    follow_exits(exchange.store, Telling(("QUEUED", 500), ("QUEUED", 200), ("QUEUED", 0)), CONFIG)
    assert balance(exchange) == (FUNDS["USDC"], 0, 0)


@rule("SETL-018")
def test_what_is_paid_and_not_there_is_owed():
    exchange = opened()
    reserve(exchange, FUNDS["USDC"] - 100)
    follow_exits(exchange.store, Telling(("QUEUED", 60), ("PAID", 250)), CONFIG)

    assert balance(exchange) == (0, FUNDS["USDC"] - 100, 0)
    rows = exchange.tables.scan(SETTLEMENTS)
    assert [(row["paid_out"], row["owed"]) for row in rows if "owed" in row] == [(100, 150)]


@rule("SETL-018")
@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.sampled_from(("QUEUED", "PAID")), st.integers(0, 300)), max_size=8),
    st.lists(st.integers(0, 8), max_size=4),
)
def test_nothing_is_lost_and_nothing_twice(events, forgotten):
    """Whatever the Vault says and however often it is read: the ledger has what was not paid out."""
    exchange = opened()
    reserve(exchange, FUNDS["USDC"] - 500)
    chain = Telling(*events)
    follow_exits(exchange.store, chain, CONFIG)
    once = balance(exchange)
    for _ in forgotten:
        exchange.tables.write(Delete(SETTLEMENTS, CURSOR_KEY))
        follow_exits(exchange.store, chain, CONFIG)

    paid = sum(row.get("paid_out", 0) for row in exchange.tables.scan(SETTLEMENTS))
    assert balance(exchange) == once
    assert min(once) >= 0
    assert sum(once) == FUNDS["USDC"] - paid


def test_trading_goes_on_beside_it():
    exchange = opened()
    trades = [exchange.trade(), exchange.trade()]
    exchange.settle(event_of(trades))
    leave(exchange)
    exchange.drain()
    exchange.check_settled_once(trades)
