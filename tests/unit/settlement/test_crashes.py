"""Settlement dies, or loses its store or its chain, at every port call: nothing is lost or doubled."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from system.model import keys
from system.model.errors import TimedOut, Unavailable
from system.model.keys import Key
from system.model.order import trader_of
from system.settlement.withdrawals import SETTLE_IN_NS
from tests.contracts.traders import FUNDS, SPOT, TRADERS
from tests.rules import rule
from tests.unit.settlement.exchange import Death, Exchange, Fault, event_of

MAX_CALLS = 600
NEW_KEY = b"\x0b" * 32
STORE = {"store.get", "store.get_many", "store.query", "store.transact", "store.write"}
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


def withdrawing(exchange):
    """Withdrawals before and after trades; one is not mined for long, one is in a block that is lost."""
    for _ in range(2):  # a watch that met a fault has credited nothing
        survive(exchange, exchange.watch)
        exchange.mine()
    first = exchange.withdraw(TRADERS[3], 700)
    trades = [exchange.trade(), exchange.trade(SPOT)]
    survive(exchange, lambda: exchange.settle(event_of(trades)))
    second = exchange.withdraw(TRADERS[0], 900, as_cxpt=True)
    exchange.mine(6)
    survive(exchange, exchange.watch)
    exchange.world.withhold()
    exchange.clock.advance(exchange.config.stuck_ns)
    exchange.mine()
    survive(exchange, exchange.watch)  # offers more
    exchange.mine()
    survive(exchange, exchange.watch)
    exchange.mine()
    exchange.world.reorg(1)
    survive(exchange, exchange.watch)  # sends again
    exchange.asked += [first, second]
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
    exchange.check_paid_once()
    for purse in TRADERS:
        for asset, amount in FUNDS.items():
            key = Key(keys.trader_pk(trader_of(purse.account)), keys.asset_sk(asset))
            paid = exchange.paid(purse) if asset == "USDC" else 0
            assert exchange.tables.get(keys.BALANCES, key)["available"] == amount - paid


PAYING = {"chain.exits", "chain.preflight_withdrawal", "chain.prepare_withdrawal"}
CALLS = {
    plain: STORE | SENDING | WATCHING,
    troubled: STORE | SENDING | WATCHING | {"chain.preflight"},
    withdrawing: STORE | SENDING | WATCHING | PAYING,
}


@rule("SETL-008")
@rule("WDRW-014")
@pytest.mark.parametrize("course", [plain, troubled, withdrawing])
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


class History:
    """Whatever may happen to an exchange, step by step."""

    def __init__(self):
        self.exchange = Exchange()
        self.exchange.mine(3)
        self.exchange.watch()
        self.real = self.exchange.chain
        self.height = self.real.block_number()
        self.delivered, self.waiting = [], []
        self.rotations = 0

    def attempt(self, call, *args):
        try:
            call(*args)
        except (Death, Unavailable):
            return False
        return True

    def deliver(self):
        self.waiting += [self.exchange.trade(), self.exchange.trade(SPOT)]
        if self.attempt(self.exchange.settle, event_of(self.waiting)):
            self.delivered, self.waiting = self.delivered + self.waiting, []

    def withdraw(self):
        self.exchange.asked.append(self.exchange.withdraw(TRADERS[3], 700 + len(self.exchange.asked)))

    def again(self):
        self.attempt(self.exchange.settle, event_of(self.delivered[-4:]))

    def watch(self):
        self.attempt(self.exchange.watch)

    def mine(self):
        self.exchange.mine()

    def wait(self):
        self.exchange.clock.advance(self.exchange.config.stuck_ns)

    def rotate(self):
        self.rotations += 1
        self.exchange.world.set_operator(bytes([self.rotations]) * 32)

    def withhold(self):
        self.exchange.world.withhold()

    def release(self):
        self.exchange.world.release()

    def spike(self):
        self.exchange.world.spike(10**12)

    def calm(self):
        self.exchange.world.spike(0)

    def reorg(self, depth):
        if self.real.block_number() - depth >= self.height:
            self.exchange.world.reorg(depth)

    def fault(self, at, when, error):
        Fault(at, when, error("planted")).install(self.exchange)


step = st.one_of(
    st.tuples(st.sampled_from(("deliver", "deliver", "withdraw", "again", "watch", "mine", "mine"))),
    st.tuples(st.sampled_from(("wait", "rotate", "withhold", "release", "spike", "calm"))),
    st.tuples(st.just("reorg"), st.integers(1, 2)),  # not as deep as final
    st.tuples(
        st.just("fault"),
        st.integers(0, 25),
        st.sampled_from(("before", "after")),
        st.sampled_from((Death, Unavailable)),
    ),
)


@rule("SETL-008")
@rule("WDRW-014")
@settings(max_examples=100)
@given(st.lists(step, max_size=40))
def test_any_history_settles_each_trade_once(steps):
    history = History()
    for name, *arguments in [*steps, ("calm",), ("release",), ("deliver",)]:
        getattr(history, name)(*arguments)
    exchange = history.exchange
    exchange.store, exchange.chain = exchange.tables, history.real
    exchange.settle(event_of(history.waiting))
    exchange.drain(60)
    exchange.clock.advance(SETTLE_IN_NS)
    for _ in range(12):
        exchange.watch()
        exchange.mine()

    exchange.check_paid_once()
    exchange.check_settled_once(history.delivered + history.waiting)
