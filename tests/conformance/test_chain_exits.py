"""How money leaves the Vault: after a delay, and at once when nobody settles any more."""

from collections.abc import Iterator

import pytest

from sim.world import deploy
from sim.world.anvil_world import AnvilWorld, Sending
from sim.world.chain_world import ChainWorld
from sim.world.deploy import CLAIM_DELAY_S, EXIT_DELAY_S, HEARTBEAT_S
from sim.world.purse import Purse
from system.model import typed_data
from system.ports.chain import Receipt, SignedWithdrawal
from tests.contracts.traders import (
    BID,
    COIN,
    FUNDS,
    PERP,
    SPOT,
    TRADERS,
    USDC,
    Settler,
    fee_of,
    open_funded,
    pair,
)

A, B, C, D = TRADERS
QTY = COIN // 100


@pytest.fixture(params=["model", pytest.param("anvil", marks=pytest.mark.anvil)])
def world(request: pytest.FixtureRequest) -> Iterator[ChainWorld]:
    opened = open_funded(request.param)
    yield opened
    opened.close()


@pytest.fixture
def settler(world: ChainWorld) -> Settler:
    return Settler(world)


def exits(settler: Settler, blocks: int = 1) -> list[tuple[str, str, str, int]]:
    """What the Vault told in the last blocks."""
    head = settler.chain.block_number()
    seen = settler.chain.exits(head - blocks + 1, head)
    assert all(head - blocks < each.block_number <= head for each in seen)
    assert len({(each.block_hash, each.log_index) for each in seen}) == len(seen)
    return [(each.kind, each.account, each.asset, each.amount) for each in seen]


def test_an_exit_waits(world, settler):
    """CHAI-040 An exit is queued, is refused before its delay is over, and then pays all, to the unit."""
    settler.settle(*pair())
    world.exit(A.private_key)
    settler.mine()
    assert sorted(exits(settler)) == [
        ("QUEUED", A.account, "USDC", world.usdc_of(A.account)),
        ("QUEUED", A.account, "sBTC", COIN),
    ]
    world.exit(A.private_key)
    settler.mine(EXIT_DELAY_S - 60)
    assert exits(settler) == []
    assert (world.wallet_of(A.account, "USDC"), world.wallet_of(A.account, "sBTC")) == (0, 0)

    claim, held = world.usdc_of(A.account), world.vault_usdc()
    world.exit(A.private_key)
    settler.mine(60)

    assert sorted(exits(settler)) == [
        ("PAID", A.account, "USDC", claim),
        ("PAID", A.account, "sBTC", COIN),
    ]
    assert world.wallet_of(A.account, "USDC") == claim
    assert world.wallet_of(A.account, "sBTC") == COIN
    assert (world.usdc_of(A.account), world.asset_of(A.account, "sBTC")) == (0, 0)
    assert world.vault_usdc() == held - claim


def test_what_settles_meanwhile_counts(world, settler):
    """CHAI-041 An exit pays what is left: a fill that settles before it is paid still counts."""
    world.exit(B.private_key)
    settler.mine()
    settler.settle(*pair(market=SPOT))
    cost = 60_000 * 10**6 * QTY // COIN + fee_of(60_000 * 10**6, QTY)
    settler.mine(EXIT_DELAY_S)
    world.exit(B.private_key)  # of what is there now: queued anew, as it is another amount
    settler.mine(EXIT_DELAY_S)
    world.exit(B.private_key)
    settler.mine(EXIT_DELAY_S)
    assert world.wallet_of(B.account, "USDC") == FUNDS["USDC"] - cost
    assert world.wallet_of(B.account, "sBTC") == COIN + QTY


def test_nobody_settles_any_more(world, settler):
    """CHAI-042 A day after the last batch an exit pays at once; a batch within that day keeps the queue."""
    settler.mine(HEARTBEAT_S - 60)
    settler.settle(*pair())
    settler.mine(HEARTBEAT_S - 60)
    world.exit(A.private_key)
    settler.mine(30)
    assert {kind for kind, *_ in exits(settler)} == {"QUEUED"}

    settler.mine(60)
    claims = {trader.account: world.usdc_of(trader.account) for trader in TRADERS}
    for trader in TRADERS:
        world.exit(trader.private_key)
    settler.mine()

    assert {kind for kind, *_ in exits(settler)} == {"PAID"}
    assert {account: world.wallet_of(account, "USDC") for account in claims} == claims
    assert world.vault_usdc() == world.treasury_usdc() + world.clearing_usdc()


def test_positions_end_when_nobody_settles_any_more(world, settler):
    """CHAI-044 A day after the last batch anybody ends a perp at its last price; it pays an hour later."""
    settler.settle(*pair())
    settler.settle(*pair(nonce=2, price=61_000 * USDC))  # both paid a margin and a fee twice
    paid = {trader.account: world.usdc_of(trader.account) for trader in (A, B)}
    margins = {trader.account: world.position_of(trader.account, PERP.symbol).margin for trader in (A, B)}
    world.close_out(A.private_key)
    settler.mine()
    assert world.position_of(A.account, PERP.symbol).size_e8, "batches still come"

    settler.mine(HEARTBEAT_S)
    world.close_out(A.private_key)
    settler.mine()
    world.claim(A.private_key)
    settler.mine(CLAIM_DELAY_S - 60)
    assert world.usdc_of(A.account) == paid[A.account], "too early"
    for trader in (A, B):
        world.claim(trader.private_key)
    settler.mine(120)

    won = 1_000 * USDC * QTY // COIN
    assert world.usdc_of(A.account) == paid[A.account] + margins[A.account] - won, "sold at 60 000"
    assert world.usdc_of(B.account) == paid[B.account] + margins[B.account] + won, "bought there"
    assert tuple(world.position_of(A.account, PERP.symbol)) == (0, 0, 0)
    assert world.clearing_usdc() == 0
    receipt = settler.settle(*pair(nonce=3))
    assert receipt.skipped == ((0, "InstrumentExpired"),)


def test_what_a_margin_does_not_cover_all_claims_bear(world, settler):
    """CHAI-045 A loss above its margin is recorded in the hour before claims; all share what there is."""
    price = 60_000 * USDC
    settler.settle(*pair(price=price))
    orders, fills = pair(price=2 * price)
    settler.settle([orders[0]._replace(trader=C), orders[1]._replace(trader=D)], fills)
    margins = {trader.account: world.position_of(trader.account, PERP.symbol).margin for trader in TRADERS}
    before = {trader.account: world.usdc_of(trader.account) for trader in TRADERS}
    doubled = price * QTY // COIN
    worth = {
        B.account: margins[B.account] + doubled,
        C.account: margins[C.account],
        D.account: margins[D.account],
    }
    deficit = doubled - margins[A.account]
    assert deficit > 0
    there = world.clearing_usdc()
    settler.mine(HEARTBEAT_S)
    world.close_out(C.private_key)
    settler.mine()
    for trader in TRADERS:
        world.record_deficits(trader.private_key)
    settler.mine()
    assert tuple(world.position_of(A.account, PERP.symbol)) == (0, 0, 0)
    for trader in TRADERS:
        world.claim(trader.private_key)
    settler.mine(CLAIM_DELAY_S)

    for account, value in worth.items():
        assert world.usdc_of(account) - before[account] == value * there // (there + deficit)
    assert world.usdc_of(A.account) == before[A.account]
    assert 0 <= world.clearing_usdc() < len(worth)


def test_a_reorganised_exit(world, settler):
    """CHAI-043 An exit in a lost block has not happened."""
    settler.mine(HEARTBEAT_S + 60)
    world.exit(A.private_key)
    settler.mine()
    paid = world.wallet_of(A.account, "USDC")
    assert paid == FUNDS["USDC"]

    world.reorg(1)

    assert world.wallet_of(A.account, "USDC") == 0
    assert world.usdc_of(A.account) == paid
    assert exits(settler) == []


def wanted(
    settler: Settler, amount: int, nonce: int = 1, *, as_cxpt: bool = False, life_s: int = 60, by: Purse = A
) -> SignedWithdrawal:
    """A withdrawal of A's, signed by A or by somebody else."""
    terms = (A.account, amount, as_cxpt, nonce, settler.time_s + life_s)
    separator = typed_data.domain_separator(settler.world.domain())
    digest = typed_data.withdrawal_digest(separator, *terms)
    return SignedWithdrawal(*terms, typed_data.sign(digest, by.private_key))


def send(settler: Settler, signed: SignedWithdrawal) -> Receipt:
    tx = settler.chain.prepare_withdrawal(signed, settler.chain.next_nonce(), BID)
    return settler.settle_prepared(tx)


@pytest.mark.parametrize("as_cxpt", [False, True])
def test_the_operator_sends_what_an_account_has_signed(world, settler, as_cxpt):
    """CHAI-046 It pays at once, in USDC, or in CXPT with as much USDC kept behind it; never twice."""
    settler.settle(*pair())
    claim, held = world.usdc_of(A.account), world.vault_usdc()
    signed = wanted(settler, 700 * USDC, as_cxpt=as_cxpt)
    assert settler.chain.preflight_withdrawal(signed) == ""

    assert send(settler, signed).success

    head = settler.chain.block_number()
    (seen,) = settler.chain.exits(head, head)
    assert seen[3:] == ("PAID", A.account, "USDC", 700 * USDC, 1, as_cxpt)
    assert world.usdc_of(A.account) == claim - 700 * USDC
    paid = (0, 700 * USDC) if as_cxpt else (700 * USDC, 0)
    assert (world.wallet_of(A.account, "USDC"), world.cxpt_of(A.account)) == paid
    assert (world.vault_usdc(), world.cxpt_reserve()) == (held - paid[0], paid[1])
    again = send(settler, signed)
    assert (again.success, again.error) == (False, "NonceUsed")
    assert world.usdc_of(A.account) == claim - 700 * USDC


def test_withdrawals_that_the_vault_refuses(world, settler):
    """CHAI-047 A stranger's signature, a late one, and more than there is are refused, sent or tried."""
    claim = world.usdc_of(A.account)
    refused = {
        "BadWithdrawalSignature": wanted(settler, USDC, by=B),
        "SignatureExpired": wanted(settler, USDC, life_s=-1),
        "InsufficientShares": wanted(settler, claim + 1),
        "NothingToExit": wanted(settler, 0),
    }
    for error, signed in refused.items():
        assert settler.chain.preflight_withdrawal(signed) == error
        assert settler.chain.preflight_withdrawal(signed._replace(amount=USDC, nonce=2)) != ""
    for error, signed in refused.items():
        assert send(settler, signed).error == error
    assert exits(settler, 4) == []
    assert world.usdc_of(A.account) == claim

    assert send(settler, wanted(settler, claim, nonce=3)).success
    assert world.usdc_of(A.account) == 0


def test_a_reorganised_withdrawal(world, settler):
    """CHAI-048 What was paid in a lost block was not; the same bytes, sent again, pay it."""
    tx = settler.chain.prepare_withdrawal(wanted(settler, USDC), settler.chain.next_nonce(), BID)
    assert settler.settle_prepared(tx).success
    world.reorg(1)
    assert (world.wallet_of(A.account, "USDC"), world.usdc_of(A.account)) == (0, FUNDS["USDC"])

    assert settler.settle_prepared(tx).success
    assert world.wallet_of(A.account, "USDC") == USDC


@pytest.mark.anvil
def test_cxpt_that_is_deposited_is_usdc_again():
    """CHAI-049 The Vault burns CXPT that comes back, and the ledger is told of as much USDC."""
    world = open_funded("anvil")
    assert isinstance(world, AnvilWorld)
    try:
        settler, where = Settler(world), deploy.predict(["sBTC"])
        send(settler, wanted(settler, 700 * USDC, as_cxpt=True))
        back = deploy.call("deposit(address,uint256)", where.cxpt, 300 * USDC)
        world.send([Sending(A.private_key, deploy.Step("redeem", where.vault, back))])
        settler.mine()

        head = settler.chain.block_number()
        (seen,) = settler.chain.deposits(head, head)
        assert (seen.account, seen.asset, seen.amount) == (A.account, "USDC", 300 * USDC)
        assert world.cxpt_of(A.account) == world.cxpt_reserve() == 400 * USDC
        assert world.usdc_of(A.account) == FUNDS["USDC"] - 400 * USDC
    finally:
        world.close()
