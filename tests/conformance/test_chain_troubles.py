"""What a chain does when gas is dear, when nobody mines a transaction, and when the operator changes."""

from collections.abc import Iterator

import pytest

from sim.world.chain_world import ChainWorld
from sim.world.deploy import OPERATOR
from system.adapters.evm.operator_key import NO_ROLE
from system.model.errors import ChainReverted
from system.model.typed_data import address_of
from system.ports.chain import Bid, Fees
from tests.contracts.traders import BID, Settler, open_funded, pair

GWEI = 10**9
NEW_KEY = b"\x0b" * 32


@pytest.fixture(params=["model", pytest.param("anvil", marks=pytest.mark.anvil)])
def world(request: pytest.FixtureRequest) -> Iterator[ChainWorld]:
    opened = open_funded(request.param)
    yield opened
    opened.close()


@pytest.fixture
def settler(world: ChainWorld) -> Settler:
    return Settler(world)


def test_news_or_not(settler):
    """CHAI-030 Sending tells whether the node had the transaction already, waiting or mined."""
    tx, _ = settler.prepare(*pair())
    assert settler.chain.send(tx) is True
    assert settler.chain.send(tx) is False
    settler.mine()
    assert settler.chain.send(tx) is False


def test_a_better_offer(settler):
    """CHAI-031 A better offer replaces what waits with the same nonce; a lower one is refused."""
    first, _ = settler.prepare(*pair())
    offer = BID.fees
    little, _ = settler.prepare(*pair(), bid=Bid(BID.gas, Fees(offer.max_fee - 1, offer.priority_fee - 1)))
    better, head = settler.prepare(*pair(), bid=Bid(BID.gas, settler.chain.fees(above=offer)))
    settler.chain.send(first)
    with pytest.raises(ChainReverted, match="NonceTaken"):
        settler.chain.send(little)
    assert settler.chain.send(better) is True

    assert settler.mine() == 1
    assert settler.chain.receipt(first.tx_hash) is None
    receipt = settler.chain.receipt(better.tx_hash)
    assert receipt is not None
    assert receipt.success
    assert settler.chain.settled_head() == (1, head)
    with pytest.raises(ChainReverted, match="NonceTooLow"):
        settler.chain.send(first)


def test_dear_gas(world, settler):
    """CHAI-032 While gas is dear, a low offer is dropped and refused, and one high enough is mined."""
    waiting, _ = settler.prepare(*pair())
    settler.chain.send(waiting)
    world.spike(300 * GWEI)
    assert settler.mine() == 0
    with pytest.raises(ChainReverted, match="FeeTooLow"):
        settler.chain.send(waiting)
    offer = settler.chain.fees(above=BID.fees)
    assert offer.max_fee >= 600 * GWEI

    better, _ = settler.prepare(*pair(), bid=Bid(BID.gas, offer))
    settler.chain.send(better)
    assert settler.mine() == 1
    world.spike(0)
    assert settler.settle(*pair(nonce=2)).success


def test_withheld(world, settler):
    """CHAI-033 What no miner takes waits, with all that its sender sent after it, until it is outbid."""
    first, head = settler.prepare(*pair())
    settler.chain.send(first)
    world.withhold()
    second, _ = settler.prepare(*pair(nonce=2), batch_id=2, prev_hash=head)
    settler.chain.send(second)
    assert [settler.mine(), settler.mine()] == [0, 0]
    assert settler.chain.send(first) is False

    better, _ = settler.prepare(*pair(), nonce=0, bid=Bid(BID.gas, settler.chain.fees(above=BID.fees)))
    settler.chain.send(better)
    assert settler.mine() == 2
    assert settler.chain.settled_head()[0] == 2


def test_released(world, settler):
    """CHAI-034 Once miners take it again, it is mined as it was."""
    tx, _ = settler.prepare(*pair())
    settler.chain.send(tx)
    world.withhold()
    assert settler.mine() == 0
    world.release()
    assert settler.mine() == 1


def test_preflight(world, settler):
    """CHAI-035 A trial says what the batch would end with, and changes nothing."""
    orders, fills = pair()
    signed = [order.sign(world) for order in orders]
    assert settler.chain.preflight(1, bytes(32), signed, fills).error == ""
    assert settler.chain.preflight(2, bytes(32), signed, fills).error == "WrongBatch"
    assert settler.chain.preflight(1, b"\x01" * 32, signed, fills).error == "WrongHead"
    assert settler.chain.settled_head() == (0, bytes(32))
    assert settler.settle(orders, fills).success
    assert settler.chain.preflight(1, bytes(32), signed, fills).error == "WrongBatch"


def test_the_operator_changes(world, settler):
    """CHAI-036 From the next block on only the new key settles; a refused port reads the secret again."""
    assert settler.chain.operator() == OPERATOR
    world.set_operator(NEW_KEY)
    settler.mine()
    assert settler.chain.operator() == OPERATOR  # nobody has refused it yet

    refused = settler.settle(*pair())
    assert (refused.success, refused.error) == (False, NO_ROLE)
    assert settler.chain.operator() == address_of(NEW_KEY)
    assert settler.settle(*pair()).success


def test_the_operator_is_lost(world, settler):
    """CHAI-037 Without an operator nothing settles, and a trial says so."""
    world.lose_operator()
    settler.mine()
    orders, fills = pair()
    signed = [order.sign(world) for order in orders]
    assert settler.chain.preflight(1, bytes(32), signed, fills).error == NO_ROLE
    assert settler.settle(orders, fills).error == NO_ROLE
    world.set_operator(NEW_KEY)
    settler.mine()
    assert settler.settle(orders, fills).success


def test_a_reorganisation_of_the_role(world, settler):
    """CHAI-038 What a reorganisation undid of the operator's role, the admin sends again."""
    settler.mine()
    assert settler.chain.operator() == OPERATOR
    world.set_operator(NEW_KEY)
    settler.mine()
    world.reorg(1)
    settler.mine()
    assert not settler.settle(*pair()).success
    assert settler.settle(*pair()).success
