"""How options end on chain: at the price that a signer published, by claims that anybody may send."""

from collections.abc import Iterator

import pytest

from sim.world import deploy
from sim.world.chain_world import ChainWorld
from sim.world.purse import Purse
from system.model.errors import ChainReverted
from system.model.signing import instrument_id
from tests.contracts.traders import (
    BTC_PRICE,
    CALL,
    COIN,
    PERP,
    START_S,
    TRADERS,
    USDC,
    Settler,
    open_funded,
    pair,
)
from tests.rules import rule

A, B, C, D = TRADERS
QTY = COIN // 100
OPTION = instrument_id(CALL)
PREMIUM = 1_000 * USDC


@pytest.fixture(params=["model", pytest.param("anvil", marks=pytest.mark.anvil)])
def world(request: pytest.FixtureRequest) -> Iterator[ChainWorld]:
    opened = open_funded(request.param)
    yield opened
    opened.close()


def sizes(settler: Settler, *traders: Purse, above: int = 0) -> list[int]:
    """What positions were when so many blocks were yet to come."""
    chain = settler.chain
    return chain.sizes(OPTION, [trader.account for trader in traders], chain.block_number() - above)


@pytest.fixture
def settler(world: ChainWorld) -> Settler:
    """An operator who has settled one call: A wrote it, B bought it."""
    settler = Settler(world)
    receipt = settler.settle(*pair(QTY, PREMIUM, CALL))
    assert (receipt.success, receipt.skipped) == (True, ())
    return settler


def end(settler: Settler, price_e6: int, at_s: int = CALL.expiry_s) -> None:
    """Publish a price and mine it."""
    for tx in settler.chain.prepare_ending(OPTION, price_e6, at_s):
        settler.chain.send(tx)
    settler.mine(max(0, CALL.expiry_s - settler.time_s))


@rule("SETL-019")
def test_an_option_ends(world, settler):
    """CHAI-060 Writer and holder share the escrow at the published price, to the unit, once."""
    chain = settler.chain
    before = {trader: world.usdc_of(trader.account) for trader in TRADERS}
    assert chain.ending(OPTION) == 0
    assert sizes(settler, A, B, C) == [-QTY, QTY, 0]

    settler.mine(CALL.expiry_s - settler.time_s)
    end(settler, 75_000 * USDC)
    assert chain.ending(OPTION) == 75_000 * USDC
    claims = chain.prepare_claims(OPTION, [A.account, B.account])
    assert [chain.send(tx) for tx in claims] == [True, True]
    assert [chain.send(tx) for tx in chain.prepare_claims(OPTION, [A.account, B.account])] == [False, False]
    settler.mine()

    assert sizes(settler, A, B) == [0, 0]
    assert sizes(settler, A, B, above=1) == [-QTY, QTY]
    assert world.usdc_of(A.account) - before[A] == 45_000 * USDC // 100
    assert world.usdc_of(B.account) - before[B] == 15_000 * USDC // 100
    assert world.clearing_usdc() == 0


@rule("SETL-019")
def test_no_price_before_the_expiry(world, settler):
    """CHAI-061 Clearing takes no price of before the expiry, no second one, and none of a perpetual."""
    chain = settler.chain
    end(settler, 70_000 * USDC, CALL.expiry_s - 1)
    assert chain.ending(OPTION) == 0
    end(settler, 70_000 * USDC)
    assert chain.ending(OPTION) == 70_000 * USDC
    end(settler, 80_000 * USDC)
    assert chain.ending(OPTION) == 70_000 * USDC
    for tx in chain.prepare_ending(instrument_id(PERP), BTC_PRICE, START_S):
        chain.send(tx)
    settler.mine()
    assert chain.ending(instrument_id(PERP)) == 0


@rule("SETL-020")
def test_a_reorganisation_takes_claims_back(world, settler):
    """CHAI-062 Claims of replaced blocks are gone, and come back when they are sent again."""
    chain = settler.chain
    settler.mine(CALL.expiry_s - settler.time_s)
    end(settler, 75_000 * USDC)
    for tx in chain.prepare_claims(OPTION, [A.account, B.account]):
        chain.send(tx)
    settler.mine()
    world.reorg(1)
    assert sizes(settler, A, B) == [-QTY, QTY]
    assert chain.ending(OPTION) == 75_000 * USDC
    for tx in chain.prepare_claims(OPTION, [A.account, B.account]):
        assert chain.send(tx)
    settler.mine()
    assert sizes(settler, A, B) == [0, 0]
    assert world.usdc_of(deploy.house_of(OPTION)) == 0


@rule("SETL-021")
def test_a_raised_offer_takes_the_place_of_what_waits(world, settler):
    """CHAI-063 The node has the claims of the raised offers; what was offered before is too little."""
    chain = settler.chain
    settler.mine(CALL.expiry_s - settler.time_s)
    end(settler, 75_000 * USDC)
    first = chain.prepare_claims(OPTION, [A.account, B.account])
    raised = chain.prepare_claims(OPTION, [A.account, B.account], 1)
    assert [tx.nonce for tx in raised] == [tx.nonce for tx in first]
    assert [chain.send(tx) for tx in first] == [True, True]
    assert [chain.send(tx) for tx in raised] == [True, True]
    with pytest.raises(ChainReverted):
        chain.send(first[0])
    settler.mine()
    assert sizes(settler, A, B) == [0, 0]
    assert [chain.receipt(tx.tx_hash) for tx in first] == [None, None]
    assert all(chain.receipt(tx.tx_hash).success for tx in raised)
