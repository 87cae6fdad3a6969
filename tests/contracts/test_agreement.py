"""The model of the contracts and the contracts agree: every batch, every reason to skip, every balance.

Random batches lean toward fills that settle: each order and fill starts as a good one, and is then
bent in at most a few places.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from sim.world import deploy
from sim.world.anvil_world import AnvilWorld, Sending
from sim.world.chain_world import ChainWorld
from sim.world.deploy import CANCEL_DELAY_S, CLAIM_DELAY_S, EXIT_DELAY_S, HEARTBEAT_S, Step, call
from sim.world.model_chain import ModelChain
from system.model import typed_data
from system.ports.chain import ChainFill
from system.settlement.reasons import SKIP_REASONS
from tests.contracts.in_process import in_process_world
from tests.contracts.traders import (
    BTC_PRICE,
    BUY,
    CALL,
    COIN,
    FUNDS,
    FUTURE,
    LISTED,
    PERP,
    PUT,
    SELL,
    SPOT,
    START_S,
    TRADERS,
    UNLISTED,
    USDC,
    Order,
    Settler,
    fee_of,
    funded,
    open_funded,
)

RING = 2**63
NONCES = st.integers(1, 6) | st.integers(1, 6) | st.sampled_from((RING + 1, RING + 2, RING + 257, RING + 513))
QTYS = st.sampled_from((10_000, COIN // 1000, COIN // 100, COIN // 10, COIN // 2, COIN, 3 * COIN))
BAD_QTYS = st.sampled_from((0, 33, 10_000, 2**64 - 1))
PRICES = st.sampled_from(
    (
        BTC_PRICE,
        BTC_PRICE + 100_000,
        BTC_PRICE // 2,
        2 * BTC_PRICE,
        BTC_PRICE * 9 // 10,
        1,
        USDC,
        1_000 * USDC,
    )
)
EXPIRIES = st.sampled_from((0, 0, START_S + 60, START_S - 86_390, START_S - 100_000, 2**40 - 1))
TIFS = st.sampled_from((0, 0, 1, 2, 3, 8, 16, 17, 24, 33, 49, 4, 255))
BPS = st.sampled_from((50, 50, 0, 1, 10_000, 65_535))
MARKETS = st.sampled_from((PERP, PERP, PERP, SPOT, SPOT, FUTURE, CALL, CALL, PUT))
BAD_MARKETS = st.sampled_from((PERP, SPOT, CALL, UNLISTED))
FLOORS = st.integers(0, 3)
SKEWS = st.sampled_from((0, 0, 0, -1, 1, 2**63))


class Play(NamedTuple):
    """One batch and what happens before it."""

    orders: list[Order]
    fills: list[ChainFill]
    before: tuple[Any, ...] | None
    wait_s: int


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Order, Order, ChainFill]:
    """Two orders that would settle against each other, bent or not, and their fill (maker 0, taker 1)."""
    maker, taker = draw(st.permutations(TRADERS))[:2]
    market, qty, price = draw(MARKETS), draw(QTYS), draw(PRICES)
    side = draw(st.sampled_from((BUY, SELL)))
    left = Order(maker, side, draw(NONCES), qty, price, market)
    right = Order(taker, 1 - side, draw(NONCES), qty, price, market, tif=draw(st.sampled_from((0, 1, 33))))
    fill = ChainFill(0, 1, qty, fee_of(price, qty), fee_of(price, qty), draw(FLOORS))
    bends = draw(st.integers(0, 2))
    for _ in range(bends):
        field, values = draw(st.sampled_from(tuple(BENDS.items())))
        left = left._replace(**{field: draw(values)})
    if draw(st.integers(0, 4)) == 0:
        field, values = draw(st.sampled_from(tuple(BENDS.items())))
        right = right._replace(**{field: draw(values)})
    if draw(st.integers(0, 5)) == 0:
        fill = fill._replace(maker_fee=max(0, fill.maker_fee + draw(SKEWS)))
        fill = fill._replace(qty=draw(QTYS | BAD_QTYS))
    return left, right, fill


BENDS: dict[str, st.SearchStrategy[Any]] = {
    "trader": st.sampled_from(TRADERS),
    "side": st.sampled_from((BUY, SELL, 2, 255)),
    "qty": QTYS | BAD_QTYS,
    "price": PRICES,
    "market": BAD_MARKETS,
    "tif": TIFS,
    "expiry": EXPIRIES,
    "bps": BPS,
}
cancels = st.tuples(st.sampled_from(("cancel", "cancel_up_to")), st.integers(0, 3), NONCES)
exits = st.tuples(st.just("exit"), st.integers(0, 3))
endings = st.tuples(st.just("end"), st.integers(0, 3), st.sampled_from((HEARTBEAT_S, HEARTBEAT_S, 60)))


@st.composite
def plays(draw: st.DrawFn) -> Play:
    orders: list[Order] = []
    fills: list[ChainFill] = []
    for left, right, fill in draw(st.lists(pairs(), min_size=1, max_size=6)):
        at = len(orders)
        orders += (left, right)
        fills.append(fill._replace(maker=at, taker=at + 1))
    if draw(st.integers(0, 2)) == 0:
        last = len(orders)
        extra = st.builds(
            ChainFill, st.integers(0, last), st.integers(0, last), QTYS, st.just(0), st.just(0), FLOORS
        )
        fills += draw(st.lists(extra, max_size=4))
    before = draw(st.none() | st.none() | cancels | exits | endings)
    return Play(
        orders, fills, before, draw(st.sampled_from((12, 12, 1, CANCEL_DELAY_S, EXIT_DELAY_S, HEARTBEAT_S)))
    )


def everything(world: ChainWorld) -> dict[str, Any]:
    """All that can be asked about the traders' money."""
    found: dict[str, Any] = {
        "vault": world.vault_usdc(),
        "treasury": world.treasury_usdc(),
        "clearing": world.clearing_usdc(),
        "head": world.chain().settled_head(),
        "height": world.chain().block_number(),
        "skipped": world.skipped_in(world.last_batch()),
    }
    for number, trader in enumerate(TRADERS):
        found[f"usdc of {number}"] = world.usdc_of(trader.account)
        found[f"wallet of {number}"] = [world.wallet_of(trader.account, asset) for asset in FUNDS]
        found[f"sBTC of {number}"] = world.asset_of(trader.account, "sBTC")
        for market in LISTED:
            if market is not SPOT:
                held = world.position_of(trader.account, market.symbol)
                found[f"position of {number} in {market.symbol}"] = held
        found[f"filled of {number}"] = [
            world.filled_of(trader.account, nonce)
            for nonce in (*range(1, 7), RING + 1, RING + 2, RING + 257, RING + 513)
        ]
    return found


class Chain(NamedTuple):
    """Anvil, funded, and the snapshot to go back to."""

    world: AnvilWorld

    def play(self, batches: list[Play], accrued: int = 0) -> list[tuple[Any, ...]]:
        snapshot, timestamp_s = self.world._rpc.call("evm_snapshot"), self.world._timestamp_s
        try:
            if accrued:
                accrue_on_anvil(self.world, accrued)
            return course(self.world, batches)
        finally:
            assert self.world._rpc.call("evm_revert", snapshot)
            self.world._timestamp_s = timestamp_s


def accrue_on_anvil(world: AnvilWorld, amount: int) -> None:
    where = world._where
    steps = [
        Sending(
            deploy.DEPLOYER_KEY,
            Step("mint", where.usdc, call("mint(address,uint256)", deploy.RESERVE, amount)),
        ),
        Sending(
            deploy.RESERVE_KEY,
            Step("approve", where.usdc, call("approve(address,uint256)", where.vault, amount)),
        ),
        Sending(deploy.RESERVE_KEY, Step("accrue", where.vault, call("accrue(int256)", amount))),
    ]
    world._set_up(steps)


def course(world: ChainWorld, batches: list[Play]) -> list[tuple[Any, ...]]:
    """What a chain says to these batches."""
    settler = Settler(world)
    said: list[tuple[Any, ...]] = []
    for batch in batches:
        if batch.before:
            how, who, *rest = batch.before
            if how == "end":
                end_all(world, settler, TRADERS[who].private_key, *rest)
                said.append((True, "", (), everything(world)))
            else:
                getattr(world, how)(TRADERS[who].private_key, *rest)
                settler.mine(1)
        settler.time_s += batch.wait_s
        receipt = settler.settle(batch.orders, batch.fills)
        said.append((receipt.success, receipt.error, receipt.skipped, everything(world)))
    return said


def end_all(world: ChainWorld, settler: Settler, private_key: bytes, silence_s: int) -> None:
    """Somebody ends all derivatives, and everybody claims; nothing happens while batches come."""
    settler.mine(silence_s)
    world.close_out(private_key)
    settler.mine(1)
    for trader in TRADERS:
        world.record_deficits(trader.private_key)
    settler.mine(CLAIM_DELAY_S - 1)
    for wait_s in (0, 1):  # too early, and in time
        for trader in TRADERS:
            world.claim(trader.private_key)
        settler.mine(wait_s)


@pytest.fixture(scope="module")
def chain() -> Iterator[Chain]:
    world = open_funded("anvil")
    assert isinstance(world, AnvilWorld)
    yield Chain(world)
    world.close()


@pytest.fixture(scope="module")
def in_process() -> Chain:
    return Chain(funded(in_process_world(START_S)))


BATCHES = st.lists(plays(), min_size=1, max_size=3)
ACCRUED = st.sampled_from((0, 0, 0, 1, 333_333_333))
QUICK = settings.default.max_examples


@given(batches=BATCHES, accrued=ACCRUED)
@settings(
    max_examples=5 * QUICK,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_many_random_batches(in_process: Chain, batches: list[Play], accrued: int) -> None:
    """For volume: the contracts in this process, five times as many."""
    assert in_process.play(batches, accrued) == expected(batches, accrued)


@pytest.mark.anvil
@given(batches=BATCHES, accrued=ACCRUED)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_random_batches(chain: Chain, batches: list[Play], accrued: int) -> None:
    """For the record: the contracts on Anvil."""
    assert chain.play(batches, accrued) == expected(batches, accrued)


def expected(batches: list[Play], accrued: int) -> list[tuple[Any, ...]]:
    """What the model says to these batches."""
    model = open_funded("model")
    assert isinstance(model, ModelChain)
    if accrued:
        model._books.accrue(accrued)
        model.mine_next()
    said = course(model, batches)
    for _, _, skipped, _ in said:
        event("all settle" if not skipped else "some are skipped")
        for _, reason in skipped:
            assert reason in SKIP_REASONS
            event(reason)
    return said


@pytest.mark.anvil
def test_money_is_only_moved(chain: Chain) -> None:
    """Whatever the batches, what the accounts can claim is what was paid in."""
    orders, fills = [], []
    for turn in range(12):
        maker, taker = TRADERS[turn % 4], TRADERS[(turn + 1) % 4]
        price = BTC_PRICE + (turn % 5) * 100_000
        orders += [
            Order(maker, turn % 2, turn + 1, COIN // 10, price, (PERP, SPOT)[turn % 3 == 0]),
            Order(taker, 1 - turn % 2, turn + 1, COIN // 10, price, (PERP, SPOT)[turn % 3 == 0]),
        ]
        fills.append(ChainFill(2 * turn, 2 * turn + 1, COIN // 10, fee_of(price, COIN // 10), 0))
    ((success, _, skipped, found),) = chain.play([Play(orders, fills, None, 12)])
    assert success
    assert skipped == ()
    claims = found["treasury"] + found["clearing"] + sum(found[f"usdc of {n}"] for n in range(4))
    assert claims == found["vault"] == 4 * FUNDS["USDC"]
    assert sum(found[f"sBTC of {n}"] for n in range(4)) == 4 * FUNDS["sBTC"]
    positions = [found[f"position of {n} in {PERP.symbol}"] for n in range(4)]
    assert sum(p.size_e8 for p in positions) == 0
    assert found["clearing"] == sum(p.margin for p in positions) - sum(p.cost for p in positions)


@pytest.mark.anvil
def test_digests_are_the_contracts(chain: Chain) -> None:
    world = chain.world
    where = world._where
    separator = typed_data.domain_separator(world.domain())
    assert world._view(where.settlement, "DOMAIN_SEPARATOR()") == separator
    order = Order(TRADERS[0], SELL, 7, tif=17, expiry=START_S, bps=49).sign(world)
    signature = "hashOrder((address,uint32,bytes32,uint8,uint8,uint64,uint64,uint40,uint64,uint16))"
    assert world._view(where.settlement, signature, tuple(order[:10])) == typed_data.order_digest(
        separator, *order[:10]
    )
