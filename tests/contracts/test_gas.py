"""The gas a batch is signed with suffices, since nothing is estimated before sending."""

from collections.abc import Iterator

import pytest

from sim.world.chain_world import open_chain
from sim.world.purse import Purse, purse_of
from system.model.market import MarketSpec
from system.ports.chain import ChainFill
from system.settlement.gas import TX_GAS_CAP, gas_limit
from tests.contracts.traders import BUY, CALL, COIN, FUNDS, PERP, SELL, SPOT, START_S, Order, Settler
from tests.rules import rule

FILLS = 50
QTY = COIN // 1_000
STRANGERS = [purse_of(1, f"stranger-{number}") for number in range(2 * FILLS)]
SELLERS, BUYERS = STRANGERS[:FILLS], STRANGERS[FILLS:]


@pytest.fixture(scope="module")
def settler() -> Iterator[Settler]:
    world = open_chain("anvil", START_S)
    try:
        world.deploy([PERP, SPOT, CALL])
        world.fund([(one.private_key, one.account, FUNDS) for one in SELLERS])
        world.fund([(one.private_key, one.account, {"USDC": FUNDS["USDC"]}) for one in BUYERS])
        yield Settler(world)
    finally:
        world.close()


def strangers(market: MarketSpec, nonce: int) -> tuple[list[Order], list[ChainFill]]:
    """Every order and every account is new."""
    orders = []
    for seller, buyer in zip(SELLERS, BUYERS, strict=True):
        orders += [order_of(seller, SELL, nonce, market), order_of(buyer, BUY, nonce, market)]
    return orders, [ChainFill(2 * number, 2 * number + 1, QTY, 1, 1) for number in range(FILLS)]


def sweep(market: MarketSpec, nonce: int) -> tuple[list[Order], list[ChainFill]]:
    """One order takes fifty."""
    taker = order_of(BUYERS[0], BUY, nonce, market, FILLS)
    makers = [order_of(seller, SELL, nonce, market) for seller in SELLERS]
    return [taker, *makers], [ChainFill(1 + number, 0, QTY, 1, 1) for number in range(FILLS)]


def again_and_again(market: MarketSpec, nonce: int) -> tuple[list[Order], list[ChainFill]]:
    """Two orders meet fifty times."""
    orders = [
        order_of(SELLERS[1], SELL, nonce, market, FILLS),
        order_of(BUYERS[1], BUY, nonce, market, FILLS),
    ]
    return orders, [ChainFill(0, 1, QTY, 1, 1)] * FILLS


def order_of(trader: Purse, side: int, nonce: int, market: MarketSpec, times: int = 1) -> Order:
    return Order(trader, side, nonce, QTY * times, market=market)


@rule("SETL-009")
@pytest.mark.anvil
@pytest.mark.parametrize("market", [PERP, SPOT, CALL], ids=["perp", "spot", "option"])
def test_the_limit_is_a_third_above_every_kind_of_batch(settler: Settler, market: MarketSpec) -> None:
    # nonces far from each other, so that each order pays for a fresh slot
    first = {PERP: 1_000, SPOT: 10_000, CALL: 100_000}[market]
    kinds = (strangers, sweep, again_and_again)
    for number, kind in enumerate(kinds):
        orders, fills = kind(market, first + 1_000 * number)

        receipt = settler.settle(orders, fills)

        assert receipt.success
        assert receipt.skipped == ()
        assert receipt.gas_used * 4 < gas_limit(len(orders), len(fills)) * 3
        assert gas_limit(len(orders), len(fills)) <= TX_GAS_CAP
