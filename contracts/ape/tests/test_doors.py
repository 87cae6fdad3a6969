"""How money comes in and goes out, whoever is in charge."""

import ape
from ape import chain
from words import BTC, SHARES, USDC

HOUR = 3600


def withdraw(exchange, who, amount, as_cxpt=False):
    return exchange.vault.withdraw(exchange.usdc, amount * SHARES, as_cxpt, sender=who)


def test_a_deposit_buys_shares(desk, exchange, alice):
    assert exchange.vault.sharesOf(alice) == 100_000 * USDC * SHARES
    assert exchange.usdc.balanceOf(exchange.vault) == 110_000 * USDC


def test_a_donation_moves_no_price(desk, exchange, owner, alice):
    exchange.usdc.mint(exchange.vault, 1_000_000 * USDC, sender=owner)
    assert desk.usdc_of(alice) == 100_000 * USDC


def test_a_withdrawal_waits_an_hour(desk, exchange, alice):
    withdraw(exchange, alice, 1_000 * USDC)
    with ape.reverts(exchange.vault.ExitPending):
        withdraw(exchange, alice, 1_000 * USDC)
    desk.later(HOUR)
    withdraw(exchange, alice, 1_000 * USDC)
    assert exchange.usdc.balanceOf(alice) == 1_000 * USDC


def test_a_withdrawal_as_cxpt_is_backed(desk, exchange, alice):
    withdraw(exchange, alice, 500 * USDC, as_cxpt=True)
    desk.later(HOUR)
    withdraw(exchange, alice, 500 * USDC, as_cxpt=True)
    assert (
        exchange.cxpt.balanceOf(alice)
        == exchange.vault.cxptReserve()
        == exchange.cxpt.totalSupply()
        == 500 * USDC
    )
    assert desk.usdc_of(alice) == 99_500 * USDC


def test_cxpt_comes_back_one_to_one(desk, exchange, alice):
    withdraw(exchange, alice, 500 * USDC, as_cxpt=True)
    desk.later(HOUR)
    withdraw(exchange, alice, 500 * USDC, as_cxpt=True)
    exchange.vault.deposit(exchange.cxpt, 500 * USDC, sender=alice)
    assert desk.usdc_of(alice) == 100_000 * USDC
    assert exchange.cxpt.totalSupply() == 0


def test_cxpt_does_not_go_from_wallet_to_wallet(desk, exchange, alice, bob):
    withdraw(exchange, alice, USDC, as_cxpt=True)
    desk.later(HOUR)
    withdraw(exchange, alice, USDC, as_cxpt=True)
    with ape.reverts(exchange.cxpt.TransferRestricted):
        exchange.cxpt.transfer(bob, 1, sender=alice)


def test_synths_use_the_same_door(desk, exchange, bob):
    exchange.vault.withdraw(exchange.sbtc, BTC, False, sender=bob)
    desk.later(HOUR)
    exchange.vault.withdraw(exchange.sbtc, BTC, False, sender=bob)
    assert exchange.sbtc.balanceOf(bob) == BTC


def test_a_pause_stops_deposits_and_never_withdrawals(desk, exchange, owner, alice):
    exchange.usdc.mint(alice, USDC, sender=owner)
    exchange.vault.pause(sender=owner)
    with ape.reverts(exchange.vault.EnforcedPause):
        exchange.vault.deposit(exchange.usdc, USDC, sender=alice)
    withdraw(exchange, alice, 1_000 * USDC)
    desk.later(HOUR)
    withdraw(exchange, alice, 1_000 * USDC)
    assert exchange.usdc.balanceOf(alice) == 1_001 * USDC


def test_everybody_is_out_when_the_operator_is_gone(desk, exchange, alice, bob):
    desk.later(24 * HOUR)
    assert exchange.vault.isAbandoned()
    withdraw(exchange, alice, 100_000 * USDC)
    withdraw(exchange, bob, 10_000 * USDC)
    exchange.vault.withdraw(exchange.sbtc, 2 * BTC, False, sender=bob)
    assert exchange.usdc.balanceOf(exchange.vault) == exchange.vault.totalAssets() == 0
    assert exchange.sbtc.balanceOf(bob) == 2 * BTC


def test_a_signed_withdrawal_is_paid_at_once(desk, exchange, operator, alice):
    deadline = chain.blocks.head.timestamp + HOUR
    message = {
        "account": alice.address,
        "amount": 70 * USDC,
        "asCxpt": False,
        "nonce": 1,
        "deadline": deadline,
    }
    signature = desk.signature(alice, "Withdrawal", message)
    exchange.vault.withdrawBySig(alice, 70 * USDC, False, 1, deadline, signature, sender=operator)
    assert exchange.usdc.balanceOf(alice) == 70 * USDC
    with ape.reverts(exchange.vault.NonceUsed):
        exchange.vault.withdrawBySig(alice, 70 * USDC, False, 1, deadline, signature, sender=operator)


def test_yield_is_shared_by_all(desk, exchange, owner, alice, bob):
    exchange.usdc.mint(owner, 1_100 * USDC, sender=owner)
    exchange.usdc.approve(exchange.vault, 1_100 * USDC, sender=owner)
    exchange.vault.accrue(1_100 * USDC, sender=owner)
    assert desk.usdc_of(alice) == 101_000 * USDC - 1
    assert desk.usdc_of(bob) == 10_100 * USDC - 1
