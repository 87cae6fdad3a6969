"""The fast book against the naive one, and the engine's fills against naive matching."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from system.matcher.book import Book
from system.model.order import Order, Side
from tests import rules
from tests.property.naive_book import NaiveBook, Resting
from tests.unit.matcher.venue import E6, E8, TOY, Venue

SIDES = st.sampled_from(["BUY", "SELL"])


def resting(number: int, side: Side, price: int, qty: int, expire_ns: int = 0) -> Order:
    return Venue(TOY).order(
        f"trader{number % 3}",
        side,
        qty,
        price,
        uuid=f"o{number}",
        expire_ns=expire_ns,
        seq=number,
        leaves_e8=qty * E8,
    )


class BookMachine(RuleBasedStateMachine):
    """Do the same to both books; they must never differ (MATC-001, MATC-002, MATC-004, MATC-005)."""

    @initialize()
    def start(self) -> None:
        self.book = Book()
        self.naive = NaiveBook()
        self.number = 0

    def some(self, draw: int) -> Resting:
        return self.naive.resting[draw % len(self.naive.resting)]

    # sides do not overlap: bids 95..100, asks 101..106
    @rule(side=SIDES, distance=st.integers(0, 5), qty=st.integers(1, 9), expire_ns=st.integers(0, 3))
    def add(self, side: Side, distance: int, qty: int, expire_ns: int) -> None:
        self.number += 1
        price = 100 - distance if side == "BUY" else 101 + distance
        order = resting(self.number, side, price, qty, expire_ns)
        self.book.add(order)
        self.naive.add(Resting(side, price, self.number, order.uuid, qty))

    @precondition(lambda self: self.naive.resting)
    @rule(draw=st.integers(0, 1000))
    def remove(self, draw: int) -> None:
        uuid = self.some(draw).uuid
        removed = self.book.remove(uuid)
        assert removed is not None
        assert removed.uuid == uuid
        self.naive.remove(uuid)

    @precondition(lambda self: self.naive.resting)
    @rule(draw=st.integers(0, 1000), share=st.integers(1, 9))
    def reduce(self, draw: int, share: int) -> None:
        order = self.some(draw)
        by = min(order.qty, share)
        real = self.book.get(order.uuid)
        assert real is not None
        self.book.reduce_quantity(real, by * E8)
        self.naive.reduce(order.uuid, by)

    @precondition(lambda self: self.naive.resting)
    @rule(draw=st.integers(0, 1000), qty=st.integers(1, 9))
    def swap(self, draw: int, qty: int) -> None:
        old = self.some(draw)
        self.number += 1
        side: Literal["BUY", "SELL"] = "BUY" if old.side == "BUY" else "SELL"
        new = resting(self.number, side, old.price, qty)
        new.seq = old.place
        self.book.swap(old.uuid, new)
        self.naive.swap(old.uuid, new.uuid, qty)

    @rule(now_ns=st.integers(0, 3))
    def expire(self, now_ns: int) -> None:
        expected = {o.uuid for o in self.book.orders() if 0 < o.expire_ns <= now_ns}
        gone = []
        for order in self.book.expired(now_ns):
            gone.append(order.expire_ns)
            expected.remove(order.uuid)
            self.book.remove(order.uuid)
            self.naive.remove(order.uuid)
        assert not expected
        assert gone == sorted(gone)

    @invariant()
    def agree(self) -> None:
        order = [*self.naive.side("BUY"), *self.naive.side("SELL")]
        assert [o.uuid for o in self.book.orders()] == [o.uuid for o in order]
        assert len(self.book) == len(order)
        bids, asks = self.book.depth(3)
        assert [(price // E6, qty // E8) for price, qty in bids] == self.naive.depth("BUY")[:3]
        assert [(price // E6, qty // E8) for price, qty in asks] == self.naive.depth("SELL")[:3]
        best = self.naive.best("BUY")
        assert self.book.best_bid() == (best * E6 if best is not None else None)
        best = self.naive.best("SELL")
        assert self.book.best_ask() == (best * E6 if best is not None else None)
        by_trader = {uuid for mine in self.book.by_trader.values() for uuid in mine}
        assert by_trader == {o.uuid for o in order}

    @invariant()
    def hash_is_of_content(self) -> None:
        again = Book()
        for order in sorted(self.book.orders(), key=lambda order: order.seq):
            again.add(order)
        assert again.content_hash() == self.book.content_hash()


TestBook = BookMachine.TestCase

ORDERS = st.lists(
    st.tuples(SIDES, st.integers(95, 105), st.integers(1, 9), st.sampled_from(["GTC", "IOC"])), max_size=40
)


@rules.rule("MATC-001", "MATC-002", "MATC-003", "MATC-010")
@given(ORDERS)
def test_engine_fills_as_the_naive_book_would(orders: list[tuple[Side, int, int, str]]) -> None:
    venue, naive = Venue(), NaiveBook()
    for number, (side, price, qty, tif) in enumerate(orders):
        order = venue.order(f"trader{number}", side, qty, price, uuid=f"o{number}", tif=tif)
        steps = venue.run(order)

        expected = naive.take(side, price, qty)
        left = qty - sum(fill[2] for fill in expected)
        if left and tif == "GTC":
            naive.add(Resting(side, price, number, order.uuid, left))
        assert [(fill[0], fill[2], fill[1]) for fill in venue.fills(steps)] == [
            ("trader" + maker[1:], price, qty) for maker, price, qty in expected
        ]
        assert [o.uuid for o in venue.engine.book.orders()] == [
            o.uuid for o in (*naive.side("BUY"), *naive.side("SELL"))
        ]
        bid, ask = venue.engine.book.best_bid(), venue.engine.book.best_ask()
        assert bid is None or ask is None or bid < ask


@rules.rule("MATC-006")
@given(ORDERS)
def test_restored_engine_equals_the_one_that_ran(orders: list[tuple[Side, int, int, str]]) -> None:
    venue = Venue()
    for number, (side, price, qty, tif) in enumerate(orders):
        venue.send(f"trader{number % 5}", side, qty, price, tif=tif)

    again = type(venue.engine)(TOY, venue.engine.positions, open_interest_e8=venue.engine.open_interest_e8)
    again.restore(reversed(list(venue.engine.book.orders())))

    assert again.state_hash() == venue.engine.state_hash()
    places = [order.seq for order in again.book.bids.levels.get(100 * E6, [])]
    assert all(older < newer for older, newer in pairwise(places))
