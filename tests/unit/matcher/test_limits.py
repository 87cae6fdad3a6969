"""Where a fill stops short: pre-payment, bankruptcy, reduce-only. `Venue` audits every step."""

from __future__ import annotations

import pytest

from tests.rules import rule
from tests.unit.matcher.venue import E6, E8, Venue, ended


@rule("MATC-031")
@pytest.mark.parametrize("qty", [1, 3])
def test_sell_is_never_filled_above_what_it_prepaid(qty: int) -> None:
    venue = Venue()
    venue.send("cat", "BUY", 1, 180)
    venue.send("ann", "BUY", 2, 195)  # accepted at a later, higher reference

    order = venue.order("bob", "SELL", qty, 100)
    order.worst_price_e6 = 190 * E6
    steps = venue.run(order)

    assert venue.fills(steps) == []
    assert ended(order) == ("REJECTED", "PRICE_BAND")


@rule("MATC-032")
def test_fill_that_would_bankrupt_is_refused_on_either_side() -> None:
    venue = Venue()
    venue.send("ann", "SELL", 1, 50)
    venue.send("bob", "BUY", 1, 50)  # ann is short 1 at 50 with margin 50: she is bankrupt above 100
    venue.send("cat", "SELL", 2, 110)

    venue.send("ann", "BUY", 1, 120)
    assert ended(venue.orders["ann-4"]) == ("REJECTED", "WOULD_BE_BANKRUPT")

    venue.send("ann", "BUY", 1, 105)
    venue.send("dan", "BUY", 1, 104)
    steps = venue.send("eve", "SELL", 2, 100)
    assert ended(venue.orders["ann-5"]) == ("CANCELED", "WOULD_BE_BANKRUPT")
    assert venue.fills(steps) == [("dan", 1, 104)]


@rule("MATC-035")
def test_reduce_only_taker_closes_and_no_more() -> None:
    venue = Venue()
    venue.send("ann", "BUY", 3, 100)
    venue.send("bob", "SELL", 3, 100)
    venue.send("cat", "BUY", 9, 99)

    steps = venue.send("ann", "SELL", 5, 99, reduce_only=True)

    assert venue.fills(steps) == [("cat", 3, 99)]
    assert ended(venue.orders["ann-4"]) == ("CANCELED", "REDUCE_ONLY")
    assert venue.position("ann") == 0
    venue.send("ann", "SELL", 5, 101, reduce_only=True)
    assert ended(venue.orders["ann-5"]) == ("REJECTED", "REDUCE_ONLY")


@rule("MATC-035")
def test_reduce_only_rests_with_what_it_can_close() -> None:
    venue = Venue()
    venue.send("ann", "BUY", 3, 100)
    venue.send("bob", "SELL", 3, 100)

    venue.send("ann", "SELL", 5, 105, reduce_only=True)
    assert venue.engine.book.depth(1) == ([], [(105 * E6, 3 * E8)])

    venue.send("cat", "BUY", 5, 105)
    assert ended(venue.orders["ann-3"]) == ("CANCELED", "REDUCE_ONLY")  # 3 of 5 done, 2 cut off
    assert venue.position("ann") == 0


@rule("MATC-036")
def test_newest_reduce_only_orders_go_first_when_the_position_shrinks() -> None:
    venue = Venue()
    venue.send("ann", "BUY", 5, 100)
    venue.send("bob", "SELL", 5, 100)
    venue.send("ann", "SELL", 2, 105, reduce_only=True)
    venue.send("ann", "SELL", 2, 106, reduce_only=True)
    venue.send("ann", "SELL", 2, 107, reduce_only=True)  # beyond the 5 she has
    assert ended(venue.orders["ann-5"]) == ("CANCELED", "REDUCE_ONLY")

    venue.send("cat", "BUY", 9, 98)
    venue.send("ann", "SELL", 2, 98)

    assert venue.position("ann") == 3
    assert venue.orders["ann-3"].status == "OPEN"
    assert ended(venue.orders["ann-4"]) == ("CANCELED", "REDUCE_ONLY")


@rule("MATC-035", "MATC-036")
def test_a_sweep_that_closes_a_position_leaves_its_closing_orders_nothing() -> None:
    """Ann's plain order and her reduce-only orders stand in one sweep; hers to close is 3, not 5."""
    venue = Venue()
    venue.send("ann", "BUY", 3, 100)
    venue.send("bob", "SELL", 3, 100)
    venue.send("ann", "SELL", 2, 104)
    venue.send("ann", "SELL", 2, 105, reduce_only=True)
    venue.send("ann", "SELL", 1, 106, reduce_only=True)
    venue.send("eve", "SELL", 9, 107)

    steps = venue.send("cat", "BUY", 5, 107)

    assert venue.fills(steps) == [("ann", 2, 104), ("ann", 1, 105), ("eve", 2, 107)]
    assert [ended(venue.orders[f"ann-{number}"]) for number in (4, 5)] == [("CANCELED", "REDUCE_ONLY")] * 2
    assert venue.position("ann") == 0
