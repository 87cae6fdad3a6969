"""Two matchers alive at once: leases run out in the middle of a batch, and nothing is lost or done twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from hypothesis import given
from hypothesis import strategies as st

from system.model.units import NS
from system.ports.store import Action, Store
from tests.rules import rule
from tests.unit.faults import FailingStore
from tests.unit.floor import Floor

LATE_NS = 61 * NS
"""Longer than a lease, and than a message stays hidden: both are somebody else's by then."""


class RacedStore(FailingStore):
    """A matcher's store; before its next transaction the other matcher overtakes, when told to."""

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self.overtake: Callable[[], None] | None = None

    def transact(self, actions: Sequence[Action], token: str = "") -> None:
        if self.overtake is not None:
            overtake, self.overtake = self.overtake, None
            overtake()
        super().transact(actions, token)


ORDERS = st.lists(
    st.tuples(st.sampled_from(["ann", "bob"]), st.sampled_from(["BUY", "SELL"]), st.integers(1, 5)),
    min_size=1,
    max_size=6,
)
ROUNDS = st.lists(st.tuples(ORDERS, st.integers(0, 1), st.booleans(), st.integers(0, 45)), max_size=8)


@rule("LEAS-002", "LEAS-004")
@given(ROUNDS)
def test_whoever_is_overtaken_writes_nothing(rounds):
    floor = Floor()
    for name in ("ann", "bob"):
        floor.fund(name)
    stores = [RacedStore(floor.store), RacedStore(floor.store)]
    matchers = [floor.new_matcher(store, matcher_id=f"matcher-{n}") for n, store in enumerate(stores)]
    commands = 0

    for orders, who, raced, seconds in rounds:
        for name, side, lots in orders:
            floor.order(name, side, lots, 60_000, stp="EXPIRE_MAKER")
        commands += len(orders)
        floor.carry()
        if raced:

            def overtake(other: int = 1 - who) -> None:
                floor.clock.advance(LATE_NS)
                floor.serve(matchers[other])

            stores[who].overtake = overtake
        floor.serve(matchers[who])
        stores[who].overtake = None
        floor.clock.advance(seconds * NS)

    floor.clock.advance(LATE_NS)  # whose lease it was, it is over
    while floor.serve(matchers[0])["received"]:
        floor.clock.advance(LATE_NS)

    rows = floor.store.scan("Orders")
    trades = floor.store.scan("Trades")
    filled: Counter[str] = Counter()
    for trade in trades:
        for side in ("maker_order_id", "taker_order_id"):
            filled[trade[side].partition(":")[2]] += trade["qty_e8"]
    assert all(row["status"] != "PENDING" for row in rows)
    assert {row["uuid"]: row["cum_qty_e8"] for row in rows if row["cum_qty_e8"]} == dict(filled)
    assert sorted(trade["trade_no"] for trade in trades) == list(range(1, len(trades) + 1))
    assert floor.lease().get("applied_seq", 0) == commands
    floor.audit()
