"""Settlement dies, or loses its store or its chain, at every port call: nothing is lost or doubled."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from system.model import keys
from system.model.errors import TimedOut, Unavailable
from system.model.keys import Key
from system.model.order import trader_of
from tests.contracts.traders import FUNDS, SPOT, TRADERS
from tests.rules import rule
from tests.unit.settlement.exchange import Death, Exchange, Fault, event_of

MAX_CALLS = 600
NEW_KEY = b"\x0b" * 32
STORE = {"store.get", "store.get_many", "store.transact", "store.write"}
SENDING = {"chain.operator", "chain.next_nonce", "chain.fees", "chain.prepare_batch", "chain.send"}
WATCHING = {"chain.block_number", "chain.receipt", "chain.deposits", "chain.settled_head"}


def survive(exchange, step):
    """Run a function until it is through, as Lambda runs it again after a failure."""
    for _ in range(3):
        try:
            step()
        except (Death, TimedOut, Unavailable):
            continue
        return
    raise AssertionError("one fault cannot fail a function three times")


def plain(exchange):
    """Two events, the first of them delivered twice, watches and blocks in between."""
    first = [exchange.trade(), exchange.trade(SPOT), exchange.trade()]
    second = [exchange.trade(SPOT), exchange.trade()]
    survive(exchange, lambda: exchange.settle(event_of(first)))
    survive(exchange, exchange.watch)
    exchange.mine()
    survive(exchange, lambda: exchange.settle(event_of(first + second)))
    survive(exchange, exchange.watch)
    exchange.mine(2)
    return first + second


def troubled(exchange):
    """Nobody mines the first batch, a reorganisation takes the second, and the operator's key changes."""
    trades = [exchange.trade(), exchange.trade(SPOT), exchange.trade(), exchange.trade()]
    survive(exchange, lambda: exchange.settle(event_of(trades[:2])))
    exchange.world.withhold()
    exchange.clock.advance(exchange.config.stuck_ns)
    exchange.mine()
    survive(exchange, exchange.watch)  # offers more
    exchange.mine()
    survive(exchange, lambda: exchange.settle(event_of(trades[2:3])))
    exchange.mine()
    exchange.world.reorg(2)
    survive(exchange, exchange.watch)  # sends again
    exchange.world.set_operator(NEW_KEY)
    survive(exchange, lambda: exchange.settle(event_of(trades[3:])))
    exchange.mine(2)
    exchange.world.reorg(1)
    survive(exchange, exchange.watch)  # signs anew
    return trades


def play(course, fault):
    """One fault in a course of events, then drain."""
    exchange = Exchange()
    exchange.mine(exchange.config.confirmations)
    fault.install(exchange)
    trades = course(exchange)
    for _ in range(12):
        survive(exchange, exchange.watch)
        exchange.mine()

    exchange.check_settled_once(trades)
    for purse in TRADERS:
        for asset, amount in FUNDS.items():
            key = Key(keys.trader_pk(trader_of(purse.account)), keys.asset_sk(asset))
            assert exchange.tables.get(keys.BALANCES, key)["available"] == amount


CALLS = {plain: STORE | SENDING | WATCHING, troubled: STORE | SENDING | WATCHING | {"chain.preflight"}}


@rule("SETL-008")
@pytest.mark.parametrize("course", [plain, troubled])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("error", [Death, Unavailable, TimedOut])
def test_one_fault_at_every_port_call(error, when, course):
    struck = set()
    for at in range(MAX_CALLS):
        fault = Fault(at, when, error("planted"))
        play(course, fault)
        if not fault.fired:
            assert struck >= CALLS[course], "the play should make these port calls"
            return
        struck.add(fault.name)
    raise AssertionError(f"the play has more than {MAX_CALLS} port calls")


step = st.one_of(
    st.just("deliver"),
    st.just("deliver"),
    st.just("again"),
    st.just("watch"),
    st.just("mine"),
    st.just("mine"),
    st.integers(1, 2),  # a reorganisation, not as deep as final
    st.sampled_from(("withhold", "release", "spike", "calm", "rotate", "wait")),
    st.tuples(
        st.integers(0, 25), st.sampled_from(("before", "after")), st.sampled_from((Death, Unavailable))
    ),
)


TROUBLES = {
    "withhold": lambda world: world.withhold(),
    "release": lambda world: world.release(),
    "spike": lambda world: world.spike(10**12),
    "calm": lambda world: world.spike(0),
}


@rule("SETL-008")
@settings(max_examples=100)
@given(st.lists(step, max_size=40))
def test_any_history_settles_each_trade_once(steps):
    exchange = Exchange()
    exchange.mine(3)
    delivered, waiting, real, rotations = [], [], exchange.chain, 0
    height = exchange.chain.block_number()

    def attempt(call, *args):
        try:
            call(*args)
        except (Death, Unavailable):
            return False
        return True

    for each in [*steps, "deliver"]:
        if each == "deliver":
            waiting += [exchange.trade(), exchange.trade(SPOT)]
            if attempt(exchange.settle, event_of(waiting)):
                delivered, waiting = delivered + waiting, []
        elif each == "again":
            attempt(exchange.settle, event_of(delivered[-4:]))
        elif each == "watch":
            attempt(exchange.watch)
        elif each == "mine":
            exchange.mine()
        elif each == "wait":
            exchange.clock.advance(exchange.config.stuck_ns)
        elif each == "rotate":
            rotations += 1
            exchange.world.set_operator(bytes([rotations]) * 32)
        elif each in TROUBLES:
            TROUBLES[each](exchange.world)
        elif isinstance(each, tuple):
            at, when, error = each
            Fault(at, when, error("planted")).install(exchange)
        elif real.block_number() - each >= height:
            exchange.world.reorg(each)
    exchange.store, exchange.chain = exchange.tables, real
    exchange.world.spike(0)
    exchange.world.release()
    exchange.settle(event_of(waiting))
    exchange.drain(60)

    exchange.check_settled_once(delivered + waiting)
