"""Settlement on Anvil: fills a second in batches of 200, beside what the same chain does with bare transfers.

What is timed of a batch is what the operator does: pack it, sign it, send it, have it mined, read its
receipt. The traders' signatures are made before. A transfer is signed, sent in a request with 199
others and mined; so both figures are of one process of Python and one of Anvil, by the clock, and
their ratio hardly depends on the machine. Rounds of both take turns, and the fastest of each counts.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from sim.world.anvil_world import AnvilWorld, Sending
from sim.world.deploy import OPERATOR_KEY, Step
from sim.world.purse import Purse, purse_of
from system.adapters.evm.pricing import FIRST_OFFER
from system.model import typed_data
from system.model.market import MarketKind, MarketSpec
from system.model.signing import instrument_id
from system.ports.chain import Bid, Chain, ChainFill, SignedOrder
from system.settlement.gas import TX_GAS_CAP

START_S = 1_746_315_000
USDC, COIN = 10**6, 10**8
PRICE = 60_000 * USDC
QTY = COIN // 1_000
FEE = PRICE * QTY // COIN // 200
ACCOUNTS = 20
FILLS = 200
"""In a batch."""
ROUNDS = 5
SPOT = MarketSpec(
    symbol="sBTC-USDC", kind=MarketKind.SPOT, base="sBTC", underlying="BTC", tick_e6=100_000, lot_e8=10_000
)
Batch = tuple[list[SignedOrder], list[ChainFill]]


def measure(fills: int) -> dict[str, Any]:
    """Settle so many fills in each round, and make as many transfers."""
    world = AnvilWorld(START_S)
    try:
        world.deploy([SPOT])
        traders = [purse_of(5, f"trader-{number}") for number in range(ACCOUNTS)]
        funds = {"USDC": 10_000_000 * USDC, "sBTC": 1_000 * COIN}
        world.fund([(one.private_key, one.account, funds) for one in traders])
        operator = Operator(world)
        batches = fills // FILLS
        settled: list[float] = []
        moved: list[float] = []
        cpu_s = 0.0
        for turn in range(ROUNDS):
            todo = [steady(world, traders, turn * batches + number) for number in range(batches)]
            cpu_s -= time.process_time()
            settled.append(_timed(lambda todo=todo: operator.settle(todo)))
            cpu_s += time.process_time()
            moved.append(_timed(lambda: transfers(world, batches * FILLS)))
        assert world.last_batch() == ROUNDS * batches
    finally:
        world.close()
    count = batches * FILLS
    return {
        "operations": count,
        "cpu_s": cpu_s / ROUNDS,
        "wall_s": min(settled),
        "fills_per_s": count / min(settled),
        "transfers_per_s": count / min(moved),
        "transfers_each": min(settled) / min(moved),
        "batches": batches,
        "gas_per_fill": operator.gas_used // (count * ROUNDS),
    }


class Operator:
    """The settlement tier's chain port, one batch after the other."""

    def __init__(self, world: AnvilWorld) -> None:
        self.world = world
        self.chain: Chain = world.chain()
        self.number, self.head, self.gas_used = 0, bytes(32), 0

    def settle(self, batches: list[Batch]) -> None:
        """Pack, sign, send, mine and read each; every fill must settle."""
        chain = self.chain
        for orders, fills in batches:
            self.number += 1
            bid = Bid(TX_GAS_CAP, FIRST_OFFER)
            tx, head = chain.prepare_batch(self.number, self.head, orders, fills, chain.next_nonce(), bid)
            chain.send(tx)
            self.world.mine_next()
            receipt = chain.receipt(tx.tx_hash)
            assert receipt is not None
            assert receipt.success, receipt.error
            assert not receipt.skipped, receipt.skipped[:3]
            self.head = head
            self.gas_used += receipt.gas_used


def steady(world: AnvilWorld, traders: list[Purse], number: int) -> Batch:
    """Twenty accounts, each order filled twice by two others; sides change from batch to batch."""
    separator = typed_data.domain_separator(world.domain())
    half, group = FILLS // 2, len(traders) // 2
    side = number % 2

    def order(who: int, side: int, place: int) -> SignedOrder:
        nonce = 1 + number * half + place
        terms = (traders[who].account, 0, instrument_id(SPOT), side, 0, 2 * QTY, PRICE, 0, nonce, 50)
        digest = typed_data.order_digest(separator, *terms)
        return SignedOrder(*terms, typed_data.sign(digest, traders[who].private_key))

    makers = [order(place % group, side, place) for place in range(half)]
    takers = [order(group + place % group, 1 - side, place) for place in range(half)]
    fills = [ChainFill(n // 2, half + (n + 1) // 2 % half, QTY, FEE, FEE) for n in range(FILLS)]
    return makers + takers, fills


def transfers(world: AnvilWorld, count: int) -> None:
    """Send so many transactions that do nothing, two hundred in a request, a block for each request."""
    step = Step("transfer", "0x" + "11" * 20, b"", 21_000)
    for _ in range(count // FILLS):
        world.send([Sending(OPERATOR_KEY, step)] * FILLS)
        assert world.mine_next() == FILLS


def _timed(call: Callable[[], None]) -> float:
    since = time.perf_counter()
    call()
    return time.perf_counter() - since
