"""An exchange on the attached Anvil, and people who trade on it."""

import pytest
from ape_scripts import deploy
from words import BTC, USDC, Desk


@pytest.fixture(scope="session")
def owner(accounts):
    return accounts[0]


@pytest.fixture(scope="session")
def operator(accounts):
    return accounts[1]


@pytest.fixture(scope="session")
def treasury(accounts):
    return accounts[7]


@pytest.fixture(scope="session")
def alice(accounts):
    return accounts[2]


@pytest.fixture(scope="session")
def bob(accounts):
    return accounts[3]


@pytest.fixture(scope="session")
def exchange(owner, operator, treasury):
    return deploy.deploy_all(owner, operator, treasury)


@pytest.fixture(scope="session")
def desk(exchange, operator, owner, alice, bob):
    """Alice has 100,000 USDC in the Vault; bob 10,000 USDC and 2 sBTC."""
    desk = Desk(exchange, operator, owner)
    desk.deposit(alice, exchange.usdc, 100_000 * USDC)
    desk.deposit(bob, exchange.usdc, 10_000 * USDC)
    desk.deposit(bob, exchange.sbtc, 2 * BTC)
    return desk
