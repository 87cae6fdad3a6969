"""What every chain must do behind the port, on the model of the contracts and on the contracts themselves."""

from collections.abc import Iterator

import pytest
from eth_utils.address import to_checksum_address

from sim.world.chain_world import ChainWorld
from sim.world.deploy import CANCEL_DELAY_S, RESERVE_KEY
from system.model import typed_data
from system.model.errors import ChainReverted, Unavailable
from system.ports.chain import ChainFill, PreparedTx
from tests.contracts.traders import (
    BID,
    BLOCK_S,
    BTC_PRICE,
    BUY,
    COIN,
    FUNDS,
    PERP,
    SELL,
    SPOT,
    START_S,
    TRADERS,
    UNLISTED,
    USDC,
    Order,
    Settler,
    fee_of,
    open_funded,
    pair,
    sign_order,
)

A, B, C, _ = TRADERS
QTY = COIN // 100
FEE = fee_of(BTC_PRICE, QTY)
NOTIONAL = BTC_PRICE * QTY // COIN
MARGIN = NOTIONAL // 5


@pytest.fixture(params=["model", pytest.param("anvil", marks=pytest.mark.anvil)])
def world(request: pytest.FixtureRequest) -> Iterator[ChainWorld]:
    opened = open_funded(request.param)
    yield opened
    opened.close()


@pytest.fixture
def settler(world: ChainWorld) -> Settler:
    return Settler(world)


def test_batch_settles(world, settler):
    """CHAI-010 A batch moves money, positions and the head of the hash chain exactly as it says."""
    orders, fills = pair()
    tx, head = settler.prepare(orders, fills)

    assert settler.chain.receipt(tx.tx_hash) is None
    settler.chain.send(tx)
    assert settler.chain.receipt(tx.tx_hash) is None
    assert settler.mine() == 1

    receipt = settler.chain.receipt(tx.tx_hash)
    assert receipt is not None
    assert (receipt.success, receipt.error, receipt.skipped) == (True, "", ())
    assert receipt.tx_hash == tx.tx_hash
    assert receipt.block_number == settler.chain.block_number()
    assert settler.chain.settled_head() == (1, head)
    assert world.position_of(A.account, PERP.symbol) == (-QTY, -NOTIONAL, MARGIN)
    assert world.position_of(B.account, PERP.symbol) == (QTY, NOTIONAL, MARGIN)
    assert world.usdc_of(A.account) == world.usdc_of(B.account) == FUNDS["USDC"] - MARGIN - FEE
    assert (world.treasury_usdc(), world.clearing_usdc()) == (2 * FEE, 2 * MARGIN)
    assert world.vault_usdc() == len(TRADERS) * FUNDS["USDC"]
    assert world.filled_of(A.account, 1) == world.filled_of(B.account, 1) == QTY


def test_spot(world, settler):
    """CHAI-011 A spot fill swaps the asset against USDC."""
    orders, fills = pair(market=SPOT)
    assert settler.settle(orders, fills).skipped == ()
    assert world.asset_of(A.account, "sBTC") == COIN - QTY
    assert world.asset_of(B.account, "sBTC") == COIN + QTY
    assert world.usdc_of(A.account) == FUNDS["USDC"] + NOTIONAL - FEE
    assert world.usdc_of(B.account) == FUNDS["USDC"] - NOTIONAL - FEE
    assert world.treasury_usdc() == 2 * FEE


def test_sending_again(world, settler):
    """CHAI-012 Sending the same bytes again, before or after they are mined, is no error and settles once."""
    tx, head = settler.prepare(*pair())
    settler.chain.send(tx)
    settler.chain.send(tx)
    assert settler.mine() == 1
    first = settler.chain.receipt(tx.tx_hash)

    settler.chain.send(tx)
    assert settler.mine() == 0
    assert settler.chain.receipt(tx.tx_hash) == first
    assert settler.chain.settled_head() == (1, head)
    assert world.filled_of(A.account, 1) == QTY


def test_bytes_are_enough(world, settler):
    """CHAI-013 Whoever has the stored bytes can send them: nothing else of a batch is remembered."""
    tx, head = settler.prepare(*pair())
    if hasattr(world, "_pool"):
        world._pool._prepared.clear()
    stored = PreparedTx(tx.tx_hash, bytes(tx.raw), tx.nonce)
    receipt = Settler(world).settle_prepared(stored)
    assert (receipt.success, receipt.skipped) == (True, ())
    assert settler.chain.settled_head() == (1, head)


def test_prepared_alike(settler):
    """CHAI-014 The same batch is the same transaction, however often it is prepared."""
    assert settler.prepare(*pair()) == settler.prepare(*pair())
    assert settler.prepare(*pair())[0] != settler.prepare(*pair(), nonce=5)[0]


@pytest.mark.parametrize(
    ("instead", "error"),
    [
        ({"prev_hash": b"\x01" * 32}, "WrongHead"),
        ({"batch_id": 2}, "WrongBatch"),
        ({"batch_id": 0}, "WrongBatch"),
    ],
)
def test_out_of_order(world, settler, instead, error):
    """CHAI-015 A batch that does not follow the head reverts, says why, and changes nothing."""
    receipt = settler.settle(*pair(), **instead)
    assert (receipt.success, receipt.error, receipt.skipped) == (False, error, ())
    assert settler.chain.settled_head() == (0, bytes(32))
    assert world.usdc_of(A.account) == FUNDS["USDC"]
    assert settler.chain.next_nonce() == 1
    assert settler.settle(*pair()).success


def test_only_the_operator(world, settler):
    """CHAI-016 Nobody but the operator settles."""
    receipt = Settler(world, world.chain(RESERVE_KEY)).settle(*pair())
    assert (receipt.success, receipt.error) == (False, "AccessControlUnauthorizedAccount")
    assert settler.chain.settled_head() == (0, bytes(32))


BAD_FILLS = {
    "BadIndex": lambda o: (o, ChainFill(0, 2, QTY, FEE, FEE)),
    "UnknownInstrument": lambda o: ([one._replace(market=UNLISTED) for one in o], None),
    "OrderExpired": lambda o: ([o[0]._replace(expiry=START_S - 90_000), o[1]], None),
    "SelfTrade": lambda o: ([o[0], o[1]._replace(trader=A)], None),
    "InstrumentMismatch": lambda o: ([o[0], o[1]._replace(market=SPOT)], None),
    "SameSide": lambda o: ([o[0], o[1]._replace(side=SELL)], None),
    "WrongRole": lambda o: ([o[0], o[1]._replace(tif=typed_data.POST_ONLY_BIT)], None),
    "NotCrossing": lambda o: ([o[0], o[1]._replace(price=BTC_PRICE - 100_000)], None),
    "ZeroQty": lambda o: (o, ChainFill(0, 1, 0, 0, 0)),
    "Overfill": lambda o: (o, ChainFill(0, 1, QTY + 10_000, FEE, FEE)),
    "InexactNotional": lambda o: ([one._replace(price=USDC) for one in o], ChainFill(0, 1, 33, 0, 0)),
    "FeeAboveBound": lambda o: (o, ChainFill(0, 1, QTY, FEE + 1, FEE)),
    "InsufficientFunds": lambda o: (
        [one._replace(qty=10 * COIN) for one in o],
        ChainFill(0, 1, 10 * COIN, 0, 0),
    ),
    "InsufficientAsset": lambda o: (
        [one._replace(market=SPOT, qty=2 * COIN, price=USDC) for one in o],
        ChainFill(0, 1, 2 * COIN, 0, 0),
    ),
    "ReduceOnlyViolated": lambda o: ([o[0]._replace(tif=typed_data.REDUCE_ONLY_BIT), o[1]], None),
    "BadSignature": lambda o: ([o[0]._replace(trader=A._replace(account=C.account)), o[1]], None),
}


@pytest.mark.parametrize("reason", BAD_FILLS)
def test_bad_fill_is_skipped(world, settler, reason):
    """CHAI-017 A bad fill is skipped and named, and the others settle."""
    orders, fills = pair()
    bad_orders, bad_fill = BAD_FILLS[reason](pair(nonce=2)[0])
    bad_fill = bad_fill or ChainFill(0, 1, QTY, FEE, FEE)
    if reason != "BadIndex":
        bad_fill = bad_fill._replace(maker=2, taker=3)
    receipt = settler.settle(
        [*orders, *bad_orders], [bad_fill._replace(taker=9 if reason == "BadIndex" else 3), *fills]
    )
    assert receipt.success
    assert receipt.skipped == ((0, reason),)
    assert world.filled_of(B.account, 1) == QTY
    assert world.filled_of(B.account, 2) == 0


def test_bankrupt_reduction(settler):
    """CHAI-018 A reduction whose loss exceeds the margin is skipped."""
    assert settler.settle(*pair()).skipped == ()
    cheap = [
        Order(B, SELL, 2, price=BTC_PRICE // 2),
        Order(C, BUY, 2, price=BTC_PRICE // 2),
    ]
    receipt = settler.settle(cheap, [ChainFill(1, 0, QTY, 0, 0)])
    assert receipt.skipped == ((0, "WouldBeBankrupt"),)


def test_deposits(world):
    """CHAI-019 Deposits are seen with asset, amount and place, in order, and only in the blocks asked for."""
    chain = world.chain()
    height = chain.block_number()
    deposits = chain.deposits(0, height)

    expected = [(trader.account, asset, FUNDS[asset]) for trader in TRADERS for asset in FUNDS]
    assert [(d.account, d.asset, d.amount) for d in deposits] == expected
    assert {d.block_number for d in deposits} == {height}
    assert len({d.block_hash for d in deposits}) == 1
    assert [d.log_index for d in deposits] == list(range(1, 2 * len(deposits), 2))
    assert chain.deposits(0, height - 1) == []
    assert chain.deposits(height + 1, height) == []
    assert chain.deposits(height, height) == deposits
    with pytest.raises(Unavailable):
        chain.deposits(height, height + 1)

    world.fund([(A.private_key, A.account, {"USDC": 5})])
    assert [d.amount for d in chain.deposits(height + 1, chain.block_number())] == [5]
    assert world.usdc_of(A.account) == FUNDS["USDC"] + 5


def test_nonces(settler):
    """CHAI-020 A nonce serves once, waiting ones count, and one ahead of its turn waits."""
    chain = settler.chain
    first, head = settler.prepare(*pair())
    second, _ = settler.prepare(*pair(nonce=2), batch_id=2, prev_hash=head, nonce=1)
    chain.send(second)
    assert chain.next_nonce() == 0
    assert settler.mine() == 0
    chain.send(first)
    assert chain.next_nonce() == 2
    other, _ = settler.prepare(*pair(nonce=3), nonce=1)
    with pytest.raises(ChainReverted) as taken:
        chain.send(other)
    assert taken.value.args == ("NonceTaken", (1,))
    assert settler.mine() == 2
    assert chain.settled_head()[0] == 2
    with pytest.raises(ChainReverted) as too_low:
        chain.send(other)
    assert too_low.value.args == ("NonceTooLow", (1,))


def test_reorg(world, settler):
    """CHAI-021 After a reorganisation nothing of the lost blocks is true, and the same bytes settle again."""
    chain = settler.chain
    world.fund([(C.private_key, C.account, {"USDC": 7})])
    settler.mine()
    tx, head = settler.prepare(*pair())
    before = settler.settle_prepared(tx)
    height = chain.block_number()

    world.reorg(3)
    assert chain.block_number() == height
    assert chain.receipt(tx.tx_hash) is None
    assert chain.settled_head() == (0, bytes(32))
    assert chain.next_nonce() == 0
    assert [d.amount for d in chain.deposits(0, height)].count(7) == 0
    assert world.usdc_of(A.account) == world.usdc_of(C.account) == FUNDS["USDC"]
    assert world.position_of(A.account, PERP.symbol) == (0, 0, 0)
    assert world.vault_usdc() == len(TRADERS) * FUNDS["USDC"]
    assert settler.mine() == 0

    again = settler.settle_prepared(tx)
    assert again.success
    assert again.block_number == before.block_number + 2
    assert again.block_hash != before.block_hash
    assert chain.settled_head() == (1, head)
    with pytest.raises(ValueError):
        world.reorg(1_000)


def test_reorg_empties_the_pool(world, settler):
    """CHAI-022 What waited when blocks were lost has to be sent again."""
    settler.mine()
    tx, _ = settler.prepare(*pair())
    settler.chain.send(tx)
    world.reorg(1)
    assert settler.chain.next_nonce() == 0
    assert settler.mine() == 0
    assert settler.settle_prepared(tx).success


def test_cancels(world, settler):
    """CHAI-023 A cancel on chain takes effect after the delay, not before."""
    world.cancel(A.private_key, 2)
    world.cancel_up_to(B.private_key, 4)
    assert settler.mine() == 2
    fills = [ChainFill(0, 1, QTY, FEE, FEE)]
    sell, buy = pair(qty=4 * QTY)[0]
    assert settler.settle([sell._replace(nonce=2), buy._replace(nonce=5)], fills).skipped == ()
    settler.mine(CANCEL_DELAY_S - 2 * BLOCK_S - 1)
    assert settler.settle([sell._replace(nonce=1), buy._replace(nonce=4)], fills).skipped == ()
    assert settler.settle([sell._replace(nonce=2), buy._replace(nonce=5)], fills).skipped == (
        (0, "OrderCancelled"),
    )
    assert settler.settle([sell._replace(nonce=1), buy._replace(nonce=3)], fills).skipped == (
        (0, "OrderCancelled"),
    )


def test_expiry_and_grace(settler):
    """CHAI-024 A fill of an expired order may still settle for a day."""
    orders, fills = pair()
    orders[0] = orders[0]._replace(expiry=START_S + 1)
    tx, _ = settler.prepare(orders, fills)
    settler.time_s += 86_400 - BLOCK_S
    assert settler.settle_prepared(tx).skipped == ()
    orders = [order._replace(nonce=2) for order in orders]
    assert settler.settle(orders, fills).skipped == ((0, "OrderExpired"),)


def test_any_case_of_an_address(world, settler):
    """CHAI-025 A checksummed address is the same account."""
    orders, fills = pair()
    signed = [order.sign(world) for order in orders]
    checksummed = [o._replace(account=to_checksum_address(o.account)) for o in signed]
    tx, _ = settler.chain.prepare_batch(1, bytes(32), checksummed, fills, 0, BID)
    assert tx == settler.chain.prepare_batch(1, bytes(32), signed, fills, 0, BID)[0]
    assert settler.settle_prepared(tx).skipped == ()
    assert world.filled_of(A.account, 1) == QTY


def test_unsigned(world, settler):
    """CHAI-026 An order without a signature is skipped."""
    orders, fills = pair()
    signed = [order.sign(world) for order in orders]
    signed[0] = signed[0]._replace(signature=b"")
    tx, _ = settler.chain.prepare_batch(1, bytes(32), signed, fills, 0, BID)
    assert settler.settle_prepared(tx).skipped == ((0, "BadSignature"),)
    tampered = [sign_order(world, C, signed[0]), signed[1]]
    tx, _ = settler.chain.prepare_batch(2, settler.chain.settled_head()[1], tampered, fills, 1, BID)
    assert settler.settle_prepared(tx).skipped == ((0, "BadSignature"),)


def test_a_market_listed_later(world, settler):
    """CHAI-027 A market that is listed while the chain runs settles like the others."""
    world.list_market(UNLISTED)
    eth = SPOT.__class__(
        **{name: getattr(SPOT, name) for name in SPOT.__struct_fields__}
        | {"symbol": "sETH-USDC", "base": "sETH"}
    )
    world.list_market(eth)
    world.fund([(A.private_key, A.account, {"sETH": COIN})])
    settler.chain = world.chain()
    assert settler.settle(*pair(market=UNLISTED)).skipped == ()
    assert settler.settle(*pair(market=eth, nonce=2)).skipped == ()
    assert world.asset_of(B.account, "sETH") == QTY
    assert settler.chain.deposits(0, settler.chain.block_number())[-1].asset == "sETH"


def test_time_does_not_go_back(world, settler):
    """CHAI-028 Blocks may share a timestamp but never go back."""
    settler.mine()
    assert world.mine_next() == 0
    with pytest.raises(ValueError):
        world.mine(START_S)


def test_node_is_down(world, settler):
    """CHAI-029 A node that does not answer is Unavailable, in every question."""
    tx, _ = settler.prepare(*pair())
    world.close()
    world.close()
    chain = settler.chain
    questions = [
        chain.block_number,
        chain.next_nonce,
        chain.settled_head,
        lambda: chain.send(tx),
        lambda: chain.receipt(tx.tx_hash),
        lambda: chain.deposits(0, 1),
    ]
    for question in questions:
        with pytest.raises(Unavailable):
            question()
