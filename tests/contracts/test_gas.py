"""The gas a batch is signed with suffices, since nothing is estimated before sending."""

import pytest

from sim.world.chain_world import open_chain
from sim.world.purse import purse_of
from system.ports.chain import ChainFill
from system.settlement.gas import TX_GAS_CAP, gas_limit
from tests.contracts.traders import BUY, FUNDS, PERP, SELL, SPOT, START_S, Order, Settler

FILLS = 50


@pytest.mark.anvil
def test_the_dearest_batches_fit() -> None:
    strangers = [purse_of(1, f"stranger-{number}") for number in range(2 * FILLS)]
    sellers, buyers = strangers[:FILLS], strangers[FILLS:]
    world = open_chain("anvil", START_S)
    try:
        world.deploy([PERP, SPOT])
        world.fund([(one.private_key, one.account, FUNDS) for one in sellers])
        world.fund([(one.private_key, one.account, {"USDC": FUNDS["USDC"]}) for one in buyers])
        settler = Settler(world)
        for market in (PERP, SPOT):
            # a nonce far from the last, so that each order pays for a fresh slot
            nonce = 1_000 if market is PERP else 2_000
            orders = []
            for seller, buyer in zip(sellers, buyers, strict=True):
                orders += [Order(seller, SELL, nonce, market=market), Order(buyer, BUY, nonce, market=market)]
            qty = orders[0].qty
            fills = [ChainFill(2 * number, 2 * number + 1, qty, 1, 1) for number in range(FILLS)]
            receipt = settler.settle(orders, fills)
            assert receipt.success
            assert receipt.skipped == ()
            assert receipt.gas_used * 4 < gas_limit(len(orders), len(fills)) * 3
            assert gas_limit(len(orders), len(fills)) < TX_GAS_CAP
    finally:
        world.close()
