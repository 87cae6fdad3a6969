"""What an account has signed is sent when its trades are final, paid once, or returned at its deadline."""

import pytest

from system.adapters.evm.pricing import FIRST_OFFER
from system.model.keys import SETTLEMENTS
from system.model.typed_data import domain_separator, sign, withdrawal_digest
from system.model.units import NS
from system.model.withdrawal import PAID, PENDING, RETURNED, SUBMITTED
from system.settlement.withdrawals import GAS, SETTLE_IN_NS, Withdrawals
from tests.contracts.traders import FUNDS, TRADERS
from tests.rules import rule
from tests.unit.settlement.exchange import CONFIG, Exchange, event_of

A, B = TRADERS[3], TRADERS[0]  # A trades nothing
K = CONFIG.confirmations
ALL = FUNDS["USDC"]


def opened(**how):
    exchange = Exchange(**how)
    exchange.mine(K)
    exchange.watch()
    return exchange


def wait(exchange, seconds=SETTLE_IN_NS // NS + 1):
    exchange.clock.advance(seconds * NS)
    exchange.watch()


def finish(exchange):
    exchange.mine(K + 1)
    exchange.watch()


@rule("WDRW-010", "WDRW-012")
@pytest.mark.parametrize("as_cxpt", [False, True])
def test_from_the_door_to_the_wallet(as_cxpt):
    exchange = opened()
    said, key = exchange.withdraw(A, ALL, as_cxpt=as_cxpt)
    assert said["status"] == PENDING
    assert exchange.cash(A) == (0, ALL)
    exchange.watch()
    assert exchange.tables.get(SETTLEMENTS, key)["status"] == PENDING, "clocks may differ by a minute"

    wait(exchange)
    assert exchange.tables.get(SETTLEMENTS, key)["status"] == SUBMITTED
    exchange.mine()
    exchange.watch()
    assert exchange.cash(A) == (0, ALL), "the block is not deep enough"
    finish(exchange)

    assert exchange.tables.get(SETTLEMENTS, key)["status"] == PAID
    assert "raw" not in exchange.tables.get(SETTLEMENTS, key)
    assert exchange.cash(A) == (0, 0)
    wallets = exchange.world.wallet_of(A.account, "USDC"), exchange.world.cxpt_of(A.account)
    assert wallets == ((0, ALL) if as_cxpt else (ALL, 0))
    exchange.watch()
    exchange.asked.append((said, key))
    exchange.check_paid_once()


@rule("WDRW-010")
def test_it_waits_for_the_trades_before_it():
    exchange = opened()
    trade = exchange.trade()
    _, key = exchange.withdraw(B, 1_000)
    wait(exchange)
    assert exchange.tables.get(SETTLEMENTS, key)["status"] == PENDING, "not even in a batch"
    exchange.settle(event_of([trade]))
    exchange.mine()
    wait(exchange)
    assert exchange.tables.get(SETTLEMENTS, key)["status"] == PENDING, "not final"

    exchange.drain()
    exchange.watch()
    assert exchange.tables.get(SETTLEMENTS, key)["status"] == SUBMITTED
    finish(exchange)
    assert exchange.world.wallet_of(B.account, "USDC") == 1_000


@rule("WDRW-013")
def test_what_the_vault_does_not_have_comes_back():
    exchange = opened()
    exchange.world.exit(A.private_key)  # by the Vault's own door, which only queues it
    _, key = exchange.withdraw(A, ALL, life_s=600)
    exchange.clock.advance(SETTLE_IN_NS)
    claim = exchange.world.usdc_of(A.account)
    row = exchange.tables.get(SETTLEMENTS, key)
    short = {**row, "amount": claim + 1}

    class Bigger:
        """The ledger knows of more than the Vault does."""

        def __getattr__(self, name):
            return getattr(exchange.chain, name)

        def preflight_withdrawal(self, wanted):
            return exchange.chain.preflight_withdrawal(wanted._replace(amount=short["amount"]))

    doubtful = Withdrawals(exchange.store, Bigger(), exchange.clock, CONFIG)
    doubtful.bring_on()
    assert exchange.tables.get(SETTLEMENTS, key)["reason"] == "INSUFFICIENT_FUNDS"
    assert exchange.cash(A) == (0, ALL)

    exchange.clock.advance(700 * NS)
    doubtful.bring_on()

    assert exchange.tables.get(SETTLEMENTS, key)["status"] == RETURNED
    assert exchange.cash(A) == (ALL, 0)
    doubtful.bring_on()
    assert exchange.cash(A) == (ALL, 0)
    assert exchange.world.wallet_of(A.account, "USDC") == 0


@rule("WDRW-011")
def test_one_that_nobody_mines_offers_more_and_is_sent_also_after_its_deadline():
    exchange = opened()
    _, key = exchange.withdraw(A, 500, life_s=300)
    wait(exchange)
    first = exchange.tables.get(SETTLEMENTS, key)
    exchange.world.withhold()
    exchange.clock.advance(CONFIG.stuck_ns)
    exchange.mine()
    exchange.watch()
    second = exchange.tables.get(SETTLEMENTS, key)
    assert second["tx_nonce"] == first["tx_nonce"]
    assert second["max_fee"] > first["max_fee"] == FIRST_OFFER.max_fee
    assert second["hashes"] == [first["tx_hash"], second["tx_hash"]]

    exchange.clock.advance(300 * NS)  # void now
    exchange.watch()
    assert exchange.tables.get(SETTLEMENTS, key)["status"] == SUBMITTED
    trade = exchange.trade()
    exchange.settle(event_of([trade]))
    exchange.drain()

    exchange.check_settled_once([trade])
    exchange.watch()
    assert exchange.tables.get(SETTLEMENTS, key)["status"] == RETURNED
    assert exchange.cash(A) == (ALL, 0)
    assert exchange.world.wallet_of(A.account, "USDC") == 0


@rule("WDRW-011")
def test_another_operator_sends_it():
    exchange = opened()
    said, key = exchange.withdraw(A, 500)
    exchange.world.set_operator(b"\x0b" * 32)
    wait(exchange)
    for _ in range(6):
        exchange.mine()
        exchange.watch()
    exchange.asked.append((said, key))
    exchange.check_paid_once()


@rule("WDRW-012")
def test_a_withdrawal_that_did_not_come_by_the_door_is_taken_from_what_is_available():
    exchange = opened()
    chain = exchange.chain
    from system.ports.chain import Bid, SignedWithdrawal

    terms = (A.account, 800, False, 7, exchange.clock.now_ns() // NS + 900)
    signature = sign(withdrawal_digest(domain_separator(exchange.world.domain()), *terms), A.private_key)
    tx = chain.prepare_withdrawal(
        SignedWithdrawal(*terms, signature), chain.next_nonce(), Bid(GAS, FIRST_OFFER)
    )
    chain.send(tx)
    finish(exchange)
    assert exchange.cash(A) == (ALL - 800, 0)
