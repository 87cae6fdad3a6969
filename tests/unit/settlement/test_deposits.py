"""Deposits become balances, once, when they are deep enough."""

from system.config import Config
from system.model import keys
from system.model.keys import Key
from system.model.order import trader_of
from system.ports.chain import DepositSeen
from system.ports.store import Delete
from system.settlement.deposits import CURSOR_KEY, credit_deposits
from tests.contracts.traders import FUNDS, TRADERS
from tests.rules import rule
from tests.unit.settlement.exchange import CONFIG, Exchange

K = CONFIG.confirmations


def available(exchange, purse, asset="USDC"):
    row = exchange.tables.get(
        keys.BALANCES, Key(keys.trader_pk(trader_of(purse.account)), keys.asset_sk(asset))
    )
    return None if row is None else (row["available"], row["reserved"])


@rule("SETL-010")
def test_credited_when_deep_enough():
    exchange = Exchange()
    exchange.mine(K - 1)
    assert credit_deposits(exchange.store, exchange.chain, CONFIG) == 0
    assert available(exchange, TRADERS[0]) is None

    exchange.mine()
    assert credit_deposits(exchange.store, exchange.chain, CONFIG) == len(TRADERS) * len(FUNDS)
    assert credit_deposits(exchange.store, exchange.chain, CONFIG) == 0

    for purse in TRADERS:
        for asset, amount in FUNDS.items():
            assert available(exchange, purse, asset) == (amount, 0)


@rule("SETL-011")
def test_credited_once_even_when_the_cursor_is_lost():
    exchange = Exchange()
    exchange.mine(K)
    credit_deposits(exchange.store, exchange.chain, CONFIG)
    exchange.tables.write(Delete(keys.SETTLEMENTS, CURSOR_KEY))
    exchange.world.fund([(TRADERS[0].private_key, TRADERS[0].account, {"USDC": 5})])
    exchange.mine(K)

    assert credit_deposits(exchange.store, exchange.chain, CONFIG) == 1
    assert available(exchange, TRADERS[0]) == (FUNDS["USDC"] + 5, 0)


def test_a_deposit_that_was_reorganised_away_is_not_credited():
    exchange = Exchange()
    exchange.mine(K)
    credit_deposits(exchange.store, exchange.chain, CONFIG)
    exchange.world.fund([(TRADERS[0].private_key, TRADERS[0].account, {"USDC": 5})])
    exchange.world.reorg(1)
    exchange.mine(2 * K)

    assert credit_deposits(exchange.store, exchange.chain, CONFIG) == 0
    assert available(exchange, TRADERS[0]) == (FUNDS["USDC"], 0)


def test_many_deposits_of_one_account():
    exchange = Exchange()

    class Busy:
        """Three hundred deposits in one block."""

        def block_number(self):
            return 10

        def deposits(self, from_block, to_block):
            assert (from_block, to_block) == (0, 10 - K)
            return [DepositSeen(5, "0xb5", n, TRADERS[n % 2].account, "USDC", 1) for n in range(300)]

    assert credit_deposits(exchange.store, Busy(), CONFIG) == 300
    assert available(exchange, TRADERS[0]) == available(exchange, TRADERS[1]) == (150, 0)


def test_two_watches_at_once():
    exchange = Exchange()
    exchange.mine(K)

    class Meanwhile:
        """The other watch is done whenever this one is about to write."""

        def __getattr__(self, name):
            return getattr(exchange.tables, name)

        def transact(self, actions, token=""):
            credit_deposits(exchange.tables, exchange.chain, CONFIG)
            exchange.tables.transact(actions, token)

    assert credit_deposits(Meanwhile(), exchange.chain, CONFIG) == 0
    assert available(exchange, TRADERS[0]) == (FUNDS["USDC"], 0)


def test_young_chain():
    exchange = Exchange()

    assert credit_deposits(exchange.store, exchange.chain, Config(signatures="off", confirmations=99)) == 0
    assert exchange.tables.get(keys.SETTLEMENTS, CURSOR_KEY) is None
