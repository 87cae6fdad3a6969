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

MAX_CALLS = 400


def survive(exchange, step):
    """Run a function until it is through, as Lambda runs it again after a failure."""
    for _ in range(3):
        try:
            step()
        except (Death, TimedOut, Unavailable):
            continue
        return
    raise AssertionError("one fault cannot fail a function three times")


def play(fault):
    """Two events, the first of them delivered twice, watches and blocks in between, then drain."""
    exchange = Exchange()
    exchange.mine(exchange.config.confirmations)
    first = [exchange.trade(), exchange.trade(SPOT), exchange.trade()]
    second = [exchange.trade(SPOT), exchange.trade()]
    fault.install(exchange)

    survive(exchange, lambda: exchange.settle(event_of(first)))
    survive(exchange, exchange.watch)
    exchange.mine()
    survive(exchange, lambda: exchange.settle(event_of(first + second)))
    survive(exchange, exchange.watch)
    exchange.mine(2)
    for _ in range(12):
        survive(exchange, exchange.watch)
        exchange.mine()

    exchange.check_settled_once(first + second)
    for purse in TRADERS:
        for asset, amount in FUNDS.items():
            key = Key(keys.trader_pk(trader_of(purse.account)), keys.asset_sk(asset))
            assert exchange.tables.get(keys.BALANCES, key)["available"] == amount


@rule("SETL-008")
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("error", [Death, Unavailable, TimedOut])
def test_one_fault_at_every_port_call(error, when):
    for at in range(MAX_CALLS):
        fault = Fault(at, when, error("planted"))
        play(fault)
        if not fault.fired:
            assert at > 60, "the play has fewer port calls than expected: is the fault still installed?"
            return
    raise AssertionError(f"the play has more than {MAX_CALLS} port calls")


step = st.one_of(
    st.just("deliver"),
    st.just("deliver"),
    st.just("again"),
    st.just("watch"),
    st.just("mine"),
    st.just("mine"),
    st.integers(1, 2),  # a reorganisation, not as deep as final
    st.tuples(
        st.integers(0, 25), st.sampled_from(("before", "after")), st.sampled_from((Death, Unavailable))
    ),
)


@rule("SETL-008")
@settings(max_examples=100)
@given(st.lists(step, max_size=40))
def test_any_history_settles_each_trade_once(steps):
    exchange = Exchange()
    exchange.mine(3)
    delivered, waiting, real = [], [], exchange.chain
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
        elif isinstance(each, tuple):
            at, when, error = each
            Fault(at, when, error("planted")).install(exchange)
        elif real.block_number() - each >= height:
            exchange.world.reorg(each)
    exchange.store, exchange.chain = exchange.tables, real
    exchange.settle(event_of(waiting))
    exchange.drain(60)

    exchange.check_settled_once(delivered + waiting)
