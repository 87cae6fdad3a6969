"""Whatever traders do, and whenever the matcher dies: no money is made, and the book can be read back."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from system.matcher.recovery import load_positions, rebuild
from system.metrics.buckets import minute_label
from system.model.messages import command_body, minute_command
from system.model.units import MINUTE_NS, NS
from tests.rules import rule
from tests.unit.faults import FailingStore
from tests.unit.floor import Floor, account_of

NAMES = ("ann", "bob", "cat")
SYMBOLS = ("BTC-PERP", "sBTC-USDC")
FLAGS = (
    *({}, {}, {}, {"tif": "IOC"}, {"tif": "FOK"}, {"post_only": True}, {"reduce_only": True}),
    {"type": "market"},
    {"tif": "GTT", "life_s": 90},
)

who = st.sampled_from(NAMES)
where = st.sampled_from(SYMBOLS)
ORDER = st.tuples(
    *(st.just("order"), who, where, st.sampled_from(["BUY", "SELL"]), st.integers(1, 9)),
    *(st.integers(59_990, 60_010), st.sampled_from(FLAGS)),
)
REPLACE = st.tuples(
    st.just("replace"), who, st.integers(0, 30), st.integers(1, 9), st.integers(59_990, 60_010)
)
ACTIONS = st.one_of(
    ORDER,
    ORDER,
    ORDER,
    REPLACE,
    st.tuples(st.just("cancel"), who, st.integers(0, 30)),
    st.tuples(st.just("cancel_below"), who, where, st.integers(1, 40)),
    st.tuples(st.just("serve"), st.integers(1, 10)),
    st.tuples(st.just("serve_twice"), st.integers(1, 10)),
    st.tuples(st.just("die")),
    st.tuples(st.just("die_in_transaction"), st.booleans()),
    st.tuples(st.just("wait"), st.integers(1, 100)),
)


class Traders:
    """Carries out what Hypothesis thinks of; a refusal at the door is fine."""

    def __init__(self) -> None:
        self.floor = floor = Floor()
        self.orders: dict[str, list[str]] = {name: [] for name in NAMES}
        for name in NAMES:
            floor.fund(name, amount=30_000 * 10**6)
            floor.fund(name, "sBTC", 10**8)

    def do(self, action: tuple[Any, ...]) -> None:
        verb, *how = action
        getattr(self, verb)(*how)

    def order(self, name: str, symbol: str, side: str, lots: int, ticks: int, flags: dict[str, Any]) -> None:
        terms = dict(flags)
        if life_s := terms.pop("life_s", 0):
            terms["expire_s"] = self.floor.clock.now_ns() // NS + life_s
        self._submit(name, self.floor.draft(name, side, lots, ticks, symbol, **terms))

    def replace(self, name: str, place: int, lots: int, ticks: int) -> None:
        mine = self.orders[name]
        if not mine:
            return
        old = mine[place % len(mine)]
        row = self.floor.row(old)
        assert row is not None
        draft = self.floor.draft(name, row["side"], lots, ticks, row["symbol"], replaces=old)
        self._submit(name, draft)

    def _submit(self, name: str, draft: dict[str, Any]) -> None:
        status, said = self.floor.http("POST /orders", draft)
        assert status == 201 or said["reason"] in (
            *("INSUFFICIENT_FUNDS", "INCOMPATIBLE_FLAGS", "TOO_LATE_TO_CANCEL", "UNKNOWN_ORDER"),
        ), said
        if status == 201:
            self.orders[name].append(said["order_id"])
        self.floor.carry()

    def cancel(self, name: str, place: int) -> None:
        if mine := self.orders[name]:
            status, said = self.floor.cancel(name, mine[place % len(mine)], deadline=2**39)
            assert status == 202 or said["reason"] == "TOO_LATE_TO_CANCEL", said
            self.floor.carry()

    def cancel_below(self, name: str, symbol: str, min_nonce: int) -> None:
        body = {"account": account_of(name), "min_nonce": min_nonce, "deadline": 2**39}
        assert self.floor.http("DELETE /orders", body, query={"symbol": symbol})[0] == 202
        self.floor.carry()

    def serve(self, limit: int) -> None:
        assert self.floor.serve(limit=limit)["failed"] == 0

    def serve_twice(self, limit: int) -> None:
        """SQS delivers at least once: the same batch to this instance, then to a new one."""
        records = self.floor.fifo.receive(limit, 60 * NS)
        for matcher in (self.floor.matcher, self.floor.matcher, self.floor.new_matcher()):
            assert matcher.handle({"Records": records}, None) == {"batchItemFailures": []}
        for record in records:
            self.floor.fifo.delete(record["receiptHandle"])
        self.die()

    def die(self) -> None:
        self.floor.matcher = self.floor.new_matcher()

    def die_in_transaction(self, after: bool) -> None:
        self.floor.matcher = self.floor.new_matcher(FailingStore(self.floor.store, 1, after=after))
        self.floor.serve()
        self.die()

    def wait(self, seconds: int) -> None:
        floor = self.floor
        floor.clock.advance(seconds * NS)
        now_ns = floor.clock.now_ns()
        for symbol in SYMBOLS:
            body = command_body(minute_command(symbol, minute_label(now_ns), now_ns))
            floor.fifo.send(body, symbol, f"{symbol}:{now_ns // MINUTE_NS}")

    def book_can_be_read_back(self) -> None:
        for symbol, seat in self.floor.matcher.seats.items():
            again = rebuild(self.floor.store, symbol, self.floor.lease(symbol)["open_interest_e8"])
            load_positions(self.floor.store, again, seat.engine.positions)
            assert again.state_hash() == seat.engine.state_hash()


@rule("COMM-007", "LEAS-003")
@given(st.lists(ACTIONS, min_size=25, max_size=80))
def test_money_and_book_survive(actions):
    traders = Traders()
    for action in actions:
        traders.do(action)
        traders.floor.audit()
        traders.book_can_be_read_back()

    traders.floor.run()
    traders.floor.audit()
    traders.book_can_be_read_back()
    assert not [row for row in traders.floor.store.scan("Orders") if row["status"] == "PENDING"]
    channels: dict[str, list[int]] = {}
    for message in traders.floor.news():
        if message["kind"] in ("trade", "depth"):
            channels.setdefault(message["channel"], []).append(message["seq"])
    for numbers in channels.values():
        assert numbers == sorted(set(numbers))


@pytest.mark.deep
@given(st.lists(ACTIONS, min_size=100, max_size=400))
def test_money_and_book_survive_for_long(actions):
    test_money_and_book_survive.hypothesis.inner_test(actions)
