"""What the stateful test of the book cannot show: its memory."""

from __future__ import annotations

from system.matcher.book import Book
from tests.rules import rule
from tests.unit.matcher.venue import E6, E8, Venue


@rule("MATC-004")
def test_reducing_keeps_the_place_and_the_level() -> None:
    venue = Venue()
    venue.send("ann", "BUY", 5, 100)
    venue.send("bob", "BUY", 5, 100)
    book = venue.engine.book
    ann = venue.orders["ann-1"]

    book.reduce_quantity(ann, 3 * E8)
    assert [order.uuid for order in book.orders()] == ["ann-1", "bob-2"]
    assert book.depth(1) == ([(100 * E6, 7 * E8)], [])

    book.reduce_quantity(ann, 2 * E8)
    assert "ann-1" not in book
    assert book.remove("ann-1") is None


def test_cancelled_orders_do_not_stay_in_the_expiry_heap() -> None:
    venue, book = Venue(), Book()
    for number in range(2_000):
        order = venue.order("ann", "BUY", 1, 100, expire_ns=10**18 + number)
        book.add(order)
        book.remove(order.uuid)

    assert len(book._expiring) < 100
    assert list(book.expired(10**19)) == []


def test_depth_of_nothing() -> None:
    book = Book()

    assert book.depth(10) == ([], [])
    assert (book.best_bid(), book.best_ask()) == (None, None)
    assert book.depth(0) == ([], [])
