"""Options end on chain after they ended in the ledger: after their last fill, once, whatever dies."""

import pytest

from sim.world.purse import Purse
from system.model import keys
from system.model.errors import TimedOut, Unavailable
from system.model.keys import BALANCES, MARKETS, META, POSITIONS, SETTLEMENTS, Key
from system.model.market import MarketState
from system.model.order import trader_of
from system.model.position import Position
from system.model.signing import instrument_id
from system.model.trade import CONFIRMED
from system.model.units import NS
from system.ports.store import Put, Update
from system.settlement.endings import CLAIMING, ending_key
from tests.contracts.traders import BLOCK_S, BTC_PRICE, CALL, COIN, FUNDS, TRADERS, USDC, fee_of
from tests.rules import rule
from tests.unit.settlement.exchange import CONFIG, QTY, Death, Exchange, Fault, event_of
from tests.unit.settlement.test_crashes import MAX_CALLS, survive

ENDING_CALLS = {f"chain.{call}" for call in ("sizes", "ending", "prepare_ending", "prepare_claims", "send")}
K = CONFIG.confirmations
PRICE_E6 = 75_000 * USDC
WRITER, HOLDER = TRADERS[:2]
CLAIMING_OF = {WRITER: 45_000_000, HOLDER: 15_000_000}


def balance_key(purse: Purse) -> Key:
    return Key(keys.trader_pk(trader_of(purse.account)), keys.asset_sk("USDC"))


def close(exchange: Exchange) -> None:
    """The matcher has settled the market, and reserved what it pays."""
    for purse, paid in CLAIMING_OF.items():
        position = Position(trader=trader_of(purse.account), symbol=CALL.symbol, claiming=paid)
        exchange.tables.write(Put(POSITIONS, position.to_item()))
        exchange.tables.write(Update(BALANCES, balance_key(purse), add={"available": 0, "reserved": paid}))
    wait_ns = CALL.expiry_s * NS - exchange.clock.now_ns()
    exchange.clock.advance(max(0, wait_ns))
    put = {"status": MarketState.CLOSED.value, "settle_e6": PRICE_E6}
    exchange.tables.write(Update(MARKETS, Key(keys.market_pk(CALL.symbol), META), put=put))
    exchange.mine()


def row(exchange: Exchange):
    return exchange.tables.get(SETTLEMENTS, ending_key(CALL.symbol))


def sizes(exchange: Exchange) -> list[int]:
    return [exchange.world.position_of(one.account, CALL.symbol).size_e8 for one in (WRITER, HOLDER)]


def watch(exchange: Exchange, rounds: int) -> None:
    for _ in range(rounds):
        survive(exchange, exchange.watch)
        exchange.mine()


def cash(exchange: Exchange) -> list[tuple[int, int]]:
    """What is available to each, and what is reserved."""
    rows = [exchange.tables.get(BALANCES, balance_key(purse)) for purse in CLAIMING_OF]
    return [(found["available"], found["reserved"]) for found in rows if found is not None]


def check_paid(exchange: Exchange) -> None:
    """Each has what the contract's terms give, to the unit."""
    fee, premium = fee_of(BTC_PRICE, QTY), BTC_PRICE * QTY // COIN
    payoff = (PRICE_E6 - CALL.strike_e6) * QTY // COIN
    assert sizes(exchange) == [0, 0]
    assert exchange.world.clearing_usdc() == 0
    assert exchange.world.usdc_of(WRITER.account) == FUNDS["USDC"] + premium - fee - payoff
    assert exchange.world.usdc_of(HOLDER.account) == FUNDS["USDC"] - premium - fee + payoff
    assert cash(exchange) == [(FUNDS["USDC"] + paid, 0) for paid in CLAIMING_OF.values()]
    positions = exchange.tables.scan(POSITIONS)
    assert len(positions) == len(CLAIMING_OF)
    assert not any("claiming" in position for position in positions)


@rule("SETL-019", "EXPI-011")
def test_claims_follow_the_last_fill() -> None:
    """Nothing is published while a fill is under way: it would be refused."""
    exchange = Exchange()
    trade = exchange.trade(CALL)
    close(exchange)
    exchange.watch()
    assert row(exchange) is None
    exchange.settle(event_of([trade]))
    exchange.mine()
    exchange.watch()
    assert row(exchange) is None, "mined, and not final"
    watch(exchange, K + 1)
    assert row(exchange)["status"] == CLAIMING
    assert row(exchange)["accounts"] == sorted((WRITER.account, HOLDER.account))
    while row(exchange)["status"] != CONFIRMED:
        assert cash(exchange) == [(FUNDS["USDC"], paid) for paid in CLAIMING_OF.values()], (
            "not final, so not available"
        )
        watch(exchange, 1)
    assert exchange.status(trade) == CONFIRMED
    check_paid(exchange)


@rule("SETL-020")
@pytest.mark.parametrize("seen_meanwhile", [True, False])
def test_a_reorganisation_undoes_claims(seen_meanwhile: bool) -> None:
    """Claims count from the block that has them now, also where no watch saw that another had them before."""
    exchange = Exchange()
    exchange.settle(event_of([exchange.trade(CALL)]))
    exchange.mine()
    watch(exchange, K + 1)
    close(exchange)
    watch(exchange, 2)
    assert sizes(exchange) == [0, 0]
    watch(exchange, K - 1)
    exchange.world.reorg(K)
    assert sizes(exchange) != [0, 0]
    if seen_meanwhile:
        exchange.watch()
    else:
        send_claims(exchange)
    exchange.mine()
    assert sizes(exchange) == [0, 0]
    for _ in range(K):
        exchange.watch()
        assert row(exchange)["status"] == CLAIMING, "not as deep as the one before was"
        exchange.mine()
    exchange.watch()
    assert row(exchange)["status"] == CONFIRMED
    check_paid(exchange)


def send_claims(exchange: Exchange) -> None:
    """Anybody may claim for the holders."""
    chain, accounts = exchange.world.chain(), [WRITER.account, HOLDER.account]
    for tx in chain.prepare_claims(instrument_id(CALL), accounts):
        chain.send(tx)


@rule("SETL-021")
@pytest.mark.parametrize("stage", ["price", "claims"])
def test_what_no_miner_takes_offers_more(stage: str) -> None:
    """A node that has a transaction keeps it: only a better offer replaces it."""
    exchange = Exchange()
    exchange.settle(event_of([exchange.trade(CALL)]))
    exchange.mine()
    watch(exchange, K + 1)
    close(exchange)
    if stage == "claims":
        watch(exchange, 1)
    exchange.watch()
    exchange.world.withhold()
    watch(exchange, CONFIG.stuck_ns // (BLOCK_S * NS) - 1)
    assert 0 not in sizes(exchange), "not long enough"
    watch(exchange, K + 5)
    assert row(exchange)["status"] == CONFIRMED
    check_paid(exchange)


@rule("SETL-019")
def test_a_market_that_nobody_traded() -> None:
    exchange = Exchange()
    close(exchange)
    watch(exchange, K + 2)
    assert (row(exchange)["status"], row(exchange)["accounts"]) == (CONFIRMED, [])


def play(fault: Fault) -> Exchange:
    """One option's life, from its trade to its claims, with a fault somewhere."""
    exchange = Exchange()
    exchange.mine(K)
    trade = exchange.trade(CALL)
    fault.install(exchange)
    survive(exchange, lambda: exchange.settle(event_of([trade])))
    exchange.mine()
    watch(exchange, K + 1)
    close(exchange)
    watch(exchange, K + 7)
    return exchange


@rule("SETL-019", "EXPI-011")
@pytest.mark.parametrize("error", [Death, Unavailable, TimedOut])
@pytest.mark.parametrize("when", ["before", "after"])
def test_it_dies_anywhere(error: type[BaseException], when: str) -> None:
    """At every port call from the trade on, one after the other."""
    struck = set()
    for at in range(MAX_CALLS):
        fault = Fault(at, when, error("x"))
        exchange = play(fault)
        if not fault.fired:
            assert struck >= ENDING_CALLS, "the play should make these port calls"
            return
        struck.add(fault.name)
        assert row(exchange)["status"] == CONFIRMED, (at, fault.name)
        check_paid(exchange)
    raise AssertionError(f"the play has more than {MAX_CALLS} port calls")
