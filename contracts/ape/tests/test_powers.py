"""Cancels, session keys, the timelock, and accounts of the keystore."""

import re

import ape
import pytest
from ape import chain, networks, project
from ape_accounts import import_account_from_private_key
from ape_scripts import deploy, upgrade
from click.testing import CliRunner
from words import BUY, SELL, USDC, Order, fill

HOUR = 3600
DAY = 24 * HOUR


def test_a_cancel_takes_effect_after_the_delay(desk, exchange, alice, bob):
    exchange.settlement.cancel(1, sender=alice)
    assert desk.skipped(desk.settle(Order(bob, SELL), Order(alice, BUY), qty=10_000)) == []
    desk.later(HOUR)
    assert desk.skipped(desk.settle(Order(bob, SELL), Order(alice, BUY), qty=10_000)) == ["OrderCancelled"]


def test_a_floor_cancels_everything_below(desk, exchange, alice):
    exchange.settlement.cancelUpTo(10, sender=alice)
    desk.later(HOUR)
    assert exchange.settlement.isCancelled(alice, 9)
    assert not exchange.settlement.isCancelled(alice, 10)


def test_a_signed_cancel_is_sent_by_anyone(desk, exchange, alice, bob):
    deadline = chain.blocks.head.timestamp + HOUR
    message = {"account": alice.address, "minNonce": 0, "nonce": 7, "deadline": deadline}
    signature = desk.signature(alice, "Cancel", message)
    exchange.settlement.cancelBySig(alice, 0, 7, deadline, signature, sender=bob)
    desk.later(HOUR)
    assert exchange.settlement.isCancelled(alice, 7)


def test_a_session_key_trades_for_its_account(desk, exchange, alice, bob, accounts):
    bot = accounts[5]
    orders = [desk.sign(Order(bob, SELL)), desk.sign(Order(alice, BUY), signer=bot)]
    assert desk.skipped(desk.settle_signed(orders, [fill(qty=10_000)])) == ["BadSignature"]
    expiry = chain.blocks.head.timestamp + DAY
    exchange.settlement.setSession(bot, expiry, 60_000 * USDC, 1, sender=alice)
    assert desk.skipped(desk.settle_signed(orders, [fill(qty=10_000)])) == []
    desk.later(DAY)
    assert desk.skipped(desk.settle_signed(orders, [fill(qty=10_000)])) == ["BadSignature"]


def test_a_session_is_opened_by_signature(desk, exchange, alice, bob, accounts):
    bot = accounts[5]
    terms = (chain.blocks.head.timestamp + DAY, 60_000 * USDC, 1, 1)
    names = ("expiry", "maxOrderNotional", "scope", "nonce")
    message = {"account": alice.address, "key": bot.address, **dict(zip(names, terms, strict=True))}
    signature = desk.signature(alice, "Session", message)
    exchange.settlement.setSessionBySig(alice, bot, terms, signature, sender=bob)
    assert exchange.settlement.sessionOf(alice, bot).maxOrderNotional == 60_000 * USDC
    with ape.reverts(exchange.settlement.SessionNonceUsed):
        exchange.settlement.setSessionBySig(alice, bot, terms, signature, sender=bob)


@pytest.fixture
def timelock(exchange, owner):
    timelock = owner.deploy(project.TimelockController, 3 * DAY, [owner], [owner], deploy.ZERO)
    exchange.vault.grantRole(deploy.role("UPGRADER_ROLE"), timelock, sender=owner)
    exchange.vault.renounceRole(deploy.role("UPGRADER_ROLE"), owner, sender=owner)
    return timelock


def test_an_upgrade_waits_in_the_timelock(desk, exchange, owner, timelock, alice):
    code = owner.deploy(project.Vault, 2 * HOUR, DAY, True)
    with ape.reverts(exchange.vault.AccessControlUnauthorizedAccount):
        exchange.vault.upgradeToAndCall(code, b"", sender=owner)
    assert upgrade.upgrade(owner, exchange.vault, timelock, code).startswith("proposed")
    assert upgrade.upgrade(owner, exchange.vault, timelock, code).startswith("waits")
    desk.later(3 * DAY)
    assert upgrade.upgrade(owner, exchange.vault, timelock, code) == "executed"
    assert upgrade.upgrade(owner, exchange.vault, timelock, code) == "done before"
    assert exchange.vault.exitDelay() == 2 * HOUR
    assert desk.usdc_of(alice) == 100_000 * USDC


def test_the_script_executes_what_it_proposed(desk, exchange, owner, timelock):
    """The code that it creates is the same at both runs, so the second finds the proposal of the first."""
    first, second = (upgrade.implementation_of(owner, 3 * HOUR, DAY) for _ in range(2))
    assert first.address == second.address
    assert upgrade.upgrade(owner, exchange.vault, timelock, first).startswith("proposed")
    desk.later(3 * DAY)
    assert upgrade.upgrade(owner, exchange.vault, timelock, second) == "executed"
    assert exchange.vault.exitDelay() == 3 * HOUR


def test_the_commands_reach_the_chain(owner, timelock, monkeypatch):
    """Twice, as `ape run` does, with an account of the keystore; then an upgrade of what is no Vault."""
    account = import_account_from_private_key("typist", "y", "0x" + "43" * 32)
    owner.transfer(account, "100 ether")
    monkeypatch.setattr(networks, "active_provider", None)  # they connect themselves
    on = ["--account", "typist", "--network", "ethereum:local:foundry"]
    for _ in range(2):
        said = CliRunner().invoke(deploy.cli, on, input="y\n" * 200)
        assert said.exit_code == 0, said.output
        assert re.search(r"^vault +0x[0-9a-fA-F]{40}$", said.output, re.MULTILINE)
    wrong = ["--vault", account.address, "--timelock", timelock.address, *on]
    said = CliRunner().invoke(upgrade.cli, wrong, input="y\n" * 20)
    assert said.exit_code == 2
    assert f"expected the address of a contract on this chain, was {account.address}" in said.output


def test_only_roles_may(exchange, alice):
    with ape.reverts(exchange.vault.AccessControlUnauthorizedAccount):
        exchange.vault.pause(sender=alice)
    with ape.reverts(exchange.vault.AccessControlUnauthorizedAccount):
        exchange.vault.applyDeltas([], [], sender=alice)
    with ape.reverts(exchange.clearing.AccessControlUnauthorizedAccount):
        exchange.clearing.setSigners([alice], 1, sender=alice)


def test_an_account_of_the_keystore_deploys(owner, operator, treasury):
    """As `ape accounts import` and `ape run deploy --account` do: an encrypted key, and its passphrase."""
    account = import_account_from_private_key("deployer", "long and secret", "0x" + "42" * 32)
    account.set_autosign(True, passphrase="long and secret")
    owner.transfer(account, "100 ether")
    exchange = deploy.deploy_all(account, operator, treasury)
    assert exchange.vault.hasRole(bytes(32), account)
    assert exchange.vault.settlement() == exchange.settlement.address
