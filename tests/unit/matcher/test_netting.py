"""Opposite orders of one trader in the engine: what returns at once, what a fill asks for, what is cancelled.

One lot is 1.0 and one tick 1 USDC; the venue recomputes every relief lot by lot after each command.
"""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from system.matcher.matching import Engine
from system.matcher.steps import Mark
from system.model.market import MarketState
from system.model.units import NS
from tests.rules import rule
from tests.unit.matcher.venue import E6, TOY, Venue, ended

K = 1_000 * E6


def quoting(netting: str) -> Venue:
    """Bids for 1 at 59 and 58, an offer of 1 at 61; no fee, so that figures are decision 0051's."""
    venue = Venue(replace(TOY, netting=netting, fee_ppm=0), reference_price_e6=60 * E6)
    venue.send("ann", "BUY", 1, 59)
    venue.send("ann", "BUY", 1, 58)
    venue.send("ann", "SELL", 1, 61)
    return venue


@rule("MATC-080", "MATC-083")
@pytest.mark.parametrize(("netting", "reserved"), [("gross", 178), ("pair", 119), ("max", 117)])
def test_what_is_not_asked_for_returns_when_the_order_rests(netting: str, reserved: int) -> None:
    venue = quoting(netting)

    assert venue.reserved["ann", "USDC"] == reserved * E6
    assert sum(order.hold for order in venue.orders.values()) == 178 * E6


@rule("MATC-081")
def test_pair_pays_a_fill_out_of_the_partner_and_cancels_nothing() -> None:
    venue = quoting("pair")
    free = venue.available["ann", "USDC"]

    venue.send("bob", "BUY", 1, 61)

    at = venue.engine.position("ann")
    assert (at.size_e8, at.margin, at.relief) == (-TOY.lot_e8, 61 * E6, 59 * E6)
    assert venue.reserved["ann", "USDC"] == 58 * E6
    assert venue.available["ann", "USDC"] == free
    assert [order.status for order in venue.orders.values() if order.trader == "ann"] == [
        "OPEN",
        "OPEN",
        "FILLED",
    ]


@rule("MATC-082")
def test_max_is_short_by_a_fill_and_cancels_the_newest_that_pays() -> None:
    venue = quoting("max")

    venue.send("bob", "BUY", 1, 61)

    first, second, _ = (order for order in venue.orders.values() if order.trader == "ann")
    assert ended(second) == ("CANCELED", "UNCOVERED")
    assert first.status == "OPEN"  # it only closes
    assert venue.reserved["ann", "USDC"] == 0


@rule("MATC-082")
def test_orders_that_were_free_pay_when_the_position_goes_by_another_way() -> None:
    """Ann is long 2 at 100; her offers far above are free until she sells at market what they would close."""
    venue = Venue(replace(TOY, im_ppm=100_000, band_ppm=100_000), reference_price_e6=100 * E6)
    venue.send("ann", "BUY", 2, 100)
    venue.send("bob", "SELL", 2, 100)
    venue.send("ann", "SELL", 1, 400)
    venue.send("ann", "SELL", 1, 450)
    assert venue.reserved["ann", "USDC"] == 400 * 5_000 + 450 * 5_000  # their fees alone
    venue.send("cat", "BUY", 2, 92)  # at a loss, which eats what her margin would set free

    venue.send("ann", "SELL", 2, 92)

    assert venue.position("ann") == 0
    offers = [order for order in venue.orders.values() if order.limit_price_e6 >= 400 * E6]
    assert [ended(order) for order in offers] == [("CANCELED", "UNCOVERED"), ("CANCELED", "UNCOVERED")]
    assert venue.reserved["ann", "USDC"] == 0 == venue.engine.position("ann").relief


@rule("MATC-083")
def test_a_restored_book_nets_again_with_its_first_command() -> None:
    venue = quoting("pair")
    at = venue.engine.position("ann")
    at.relief = 0  # as if the matcher had died before
    again = Engine(venue.spec, {"ann": at}, MarketState.ACTIVE)
    again.restore(order for order in venue.orders.values() if order.status == "OPEN")

    first, *_ = again.run(Mark(60 * E6, NS), NS, venue.seq + 1)

    assert first.postings == (("ann", "USDC", 59 * E6, -59 * E6),)


def test_a_relief_of_somebody_who_never_had_orders_here_ends_no_seat() -> None:
    """A swarm's seed 15: a position is read later than the book, and is ahead of it."""
    venue = quoting("pair")
    venue.engine.position("eve").relief = 5 * E6
    order = venue.order("eve", "BUY", 1, 59, tif="IOC", reduce_only=True)

    (step,) = venue.engine.run(order, 1, 99)

    assert step.orders == (order,)
    assert order.status == "EXPIRED"
