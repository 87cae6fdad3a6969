"""Deposits become balances, once, when they are deep enough."""

from system.config import Config
from system.model import keys
from system.model.keys import BALANCES, Key
from system.model.order import trader_of
from system.ports.chain import DepositSeen
from system.ports.store import Delete, Update
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


@rule("SETL-016")
def test_a_credited_deposit_is_taken_back_when_the_chain_turns():
    exchange = Exchange()
    exchange.mine(K)
    credit_deposits(exchange.store, exchange.chain, CONFIG)
    exchange.world.fund([(TRADERS[0].private_key, TRADERS[0].account, {"USDC": 500})])
    exchange.mine(K)
    assert credit_deposits(exchange.store, exchange.chain, CONFIG) == 1
    exchange.world.reorg(K + 1)  # deeper than what counts as final
    exchange.mine()

    for _ in range(2):
        assert credit_deposits(exchange.store, exchange.chain, CONFIG) == 0
        assert available(exchange, TRADERS[0]) == (FUNDS["USDC"], 0)
        exchange.mine()
    exchange.world.fund([(TRADERS[0].private_key, TRADERS[0].account, {"USDC": 500})])
    exchange.mine(K)
    assert credit_deposits(exchange.store, exchange.chain, CONFIG) == 1
    assert available(exchange, TRADERS[0]) == (FUNDS["USDC"] + 500, 0)


@rule("SETL-016")
def test_what_was_spent_of_it_stays_owed():
    exchange = Exchange()
    exchange.mine(K)
    credit_deposits(exchange.store, exchange.chain, CONFIG)
    trader = keys.trader_pk(trader_of(TRADERS[0].account))
    spent = Update(BALANCES, Key(trader, keys.asset_sk("USDC")), add={"available": 400 - FUNDS["USDC"]})
    exchange.tables.write(spent)

    class Turned:
        """No deposit has ever been."""

        def block_number(self):
            return exchange.chain.block_number() + 1

        def deposits(self, from_block, to_block):
            return []

    credit_deposits(exchange.store, Turned(), CONFIG)

    assert available(exchange, TRADERS[0]) == (0, 0)
    assert available(exchange, TRADERS[1]) == (0, 0)
    owed = [row["owed"] for row in markers(exchange) if row["trader"] == trader.removeprefix("TRADER#")]
    assert sorted(owed) == [0, FUNDS["USDC"] - 400]


@rule("SETL-016")
def test_the_chain_turns_back_to_what_it_was():
    exchange = Exchange()
    exchange.mine(K)
    credit_deposits(exchange.store, exchange.chain, CONFIG)

    class Turning:
        """One node is on another branch for a while."""

        def __init__(self):
            self.lost = True
            self.height = exchange.chain.block_number()

        def block_number(self):
            self.height += 1
            return self.height

        def deposits(self, from_block, to_block):
            return [] if self.lost else exchange.chain.deposits(from_block, exchange.chain.block_number())

    chain = Turning()
    credit_deposits(exchange.store, chain, CONFIG)
    assert available(exchange, TRADERS[0]) == (0, 0)
    chain.lost = False
    assert credit_deposits(exchange.store, chain, CONFIG) == len(TRADERS) * len(FUNDS)
    assert available(exchange, TRADERS[0]) == (FUNDS["USDC"], 0)
    credit_deposits(exchange.store, chain, CONFIG)
    assert available(exchange, TRADERS[0]) == (FUNDS["USDC"], 0)


def markers(exchange):
    return [row for row in exchange.tables.scan(keys.SETTLEMENTS) if row["PK"].startswith("DEPOSIT#")]


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
