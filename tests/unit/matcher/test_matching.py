"""The engine's rules one by one; `Venue` books and audits every step on the way."""

from __future__ import annotations

import pytest

from system.matcher.steps import Cancel, CancelBelow, Done, Fill, Refused, Rested, SetState, Tick
from system.model.errors import RejectReason
from system.model.market import MarketState
from tests.rules import rule
from tests.unit.matcher.venue import E6, E8, SPOT, TOY, Venue, ended


@rule("MATC-001", "MATC-002", "MATC-003")
def test_best_price_first_then_oldest_at_the_makers_price() -> None:
    venue = Venue()
    venue.send("ann", "SELL", 2, 102)
    venue.send("bob", "SELL", 2, 101)
    venue.send("cat", "SELL", 2, 101)

    steps = venue.send("dan", "BUY", 5, 105)

    assert venue.fills(steps) == [("bob", 2, 101), ("cat", 2, 101), ("ann", 1, 102)]
    assert venue.orders["dan-4"].status == "FILLED"


@rule("MATC-010")
def test_limit_rests_with_what_it_did_not_trade() -> None:
    venue = Venue()
    venue.send("ann", "SELL", 2, 101)

    steps = venue.send("bob", "BUY", 5, 101)

    assert [type(step) for step in steps] == [Fill, Rested]
    assert venue.engine.book.depth(5) == ([(101 * E6, 3 * E8)], [])
    bob = venue.orders["bob-2"]
    assert (bob.status, bob.leaves_e8, bob.cum_qty_e8) == ("OPEN", 3 * E8, 2 * E8)


@rule("MATC-011")
def test_limit_is_never_passed() -> None:
    venue = Venue()
    venue.send("ann", "SELL", 2, 101)
    venue.send("ann", "BUY", 2, 99)

    assert not venue.fills(venue.send("bob", "BUY", 5, 100))
    assert not venue.fills(venue.send("cat", "SELL", 5, 101))


@rule("MATC-012")
@pytest.mark.parametrize("state", [MarketState.PAUSED, MarketState.CLOSED])
def test_nothing_enters_a_market_that_is_not_active_and_cancels_always_work(state: MarketState) -> None:
    venue = Venue()
    venue.send("ann", "SELL", 2, 101)
    venue.run(SetState(MarketState.PAUSED))

    venue.run(SetState(state))
    venue.send("bob", "BUY", 2, 101)
    steps = venue.run(Cancel("ann-1", "ann"))

    assert ended(venue.orders["bob-2"]) == ("REJECTED", "EXCHANGE_CLOSED")
    closed = state is MarketState.CLOSED
    assert isinstance(steps[0], Refused if closed else Done)


@rule("MATC-013")
def test_closing_a_market_returns_every_hold() -> None:
    venue = Venue()
    venue.send("ann", "SELL", 2, 101)
    venue.send("bob", "BUY", 2, 99)

    steps = venue.run(SetState(MarketState.CLOSED))

    ends = [ended(step.orders[0]) for step in steps if step.orders]
    assert ends == [("CANCELED", "EXCHANGE_CLOSED")] * 2
    assert not any(venue.reserved.values())


@rule("MATC-014")
def test_redelivered_fill_or_kill_that_was_cut_goes_on() -> None:
    venue = Venue()
    venue.send("ann", "SELL", 2, 101)
    venue.send("ann", "SELL", 2, 101)
    order = venue.order("bob", "BUY", 4, 101, tif="FOK")
    first = next(iter(venue.engine.run(order, venue.now_ns, 3)))
    venue.book(first)

    steps = venue.run(order)

    assert venue.fills(steps) == [("ann", 2, 101)]
    assert order.status == "FILLED"


@rule("MATC-014")
def test_redelivered_replacement_that_was_cut_does_not_miss_the_old_order() -> None:
    venue = Venue()
    venue.send("bob", "BUY", 4, 99)
    venue.send("ann", "SELL", 2, 101)
    venue.send("ann", "SELL", 2, 101)
    order = venue.order("bob", "BUY", 4, 101, replaces="TOY-PERP:bob-1")
    life = venue.engine.run(order, venue.now_ns, 4)
    venue.book(next(life))  # the old order goes
    venue.book(next(life))  # the first fill

    steps = venue.run(order)

    assert venue.fills(steps) == [("ann", 2, 101)]
    assert order.status == "FILLED"


@rule("MATC-020")
def test_ioc_takes_what_is_there_and_expires() -> None:
    venue = Venue()
    venue.send("ann", "SELL", 2, 101)

    venue.send("bob", "BUY", 5, 101, tif="IOC")

    bob = venue.orders["bob-2"]
    assert ended(bob) == ("EXPIRED", "NO_LIQUIDITY")
    assert (bob.cum_qty_e8, bob.leaves_e8, bob.hold) == (2 * E8, 0, 0)


@rule("MATC-021")
@pytest.mark.parametrize(("side", "worst"), [("BUY", 103), ("SELL", 97)])
def test_market_order_stops_at_its_signed_worst_price(side: str, worst: int) -> None:
    venue = Venue()
    for away in (1, 3, 5):
        venue.send("ann", "SELL", 1, 100 + away)
        venue.send("ann", "BUY", 1, 100 - away)

    steps = venue.send("bob", "BUY" if side == "BUY" else "SELL", 9, worst, order_type="MARKET", tif="IOC")

    assert [abs(price - 100) for _, _, price in venue.fills(steps)] == [1, 3]
    assert venue.orders["bob-7"].status == "EXPIRED"


@rule("MATC-022")
def test_fok_looks_before_it_leaps() -> None:
    venue = Venue()
    venue.send("ann", "SELL", 2, 101)
    venue.send("cat", "SELL", 2, 102)

    assert venue.fills(venue.send("bob", "BUY", 5, 102, tif="FOK")) == []
    assert ended(venue.orders["bob-3"]) == ("EXPIRED", "FOK_NOT_FILLED")
    assert venue.fills(venue.send("bob", "BUY", 4, 101, tif="FOK")) == []
    assert venue.fills(venue.send("bob", "BUY", 4, 102, tif="FOK")) == [("ann", 2, 101), ("cat", 2, 102)]


@rule("MATC-022")
def test_fok_does_not_count_what_a_reduce_only_maker_cannot_deliver() -> None:
    venue = Venue()
    venue.send("ann", "BUY", 3, 100)
    venue.send("bob", "SELL", 3, 100)  # ann is long 3
    venue.send("ann", "SELL", 3, 101, reduce_only=True)
    venue.send("cat", "SELL", 2, 102)
    venue.send("dan", "BUY", 1, 99)
    venue.engine.positions["ann"].size_e8 -= E8  # as a liquidation would, behind the book's back
    venue.engine.positions["dan"] = venue.engine.position("dan")
    venue.engine.positions["dan"].size_e8 += E8

    order = venue.order("eve", "BUY", 5, 102, tif="FOK")
    steps = list(venue.engine.run(order, venue.now_ns, 99))

    assert [type(step) for step in steps] == [Done]
    assert ended(order) == ("EXPIRED", "FOK_NOT_FILLED")


@rule("MATC-023")
def test_post_only_never_takes() -> None:
    venue = Venue()
    venue.send("ann", "SELL", 2, 101)

    venue.send("bob", "BUY", 2, 101, post_only=True)
    venue.send("bob", "BUY", 2, 100, post_only=True)

    assert ended(venue.orders["bob-2"]) == ("REJECTED", "WOULD_TAKE")
    assert venue.orders["bob-3"].status == "OPEN"


@rule("MATC-024")
def test_expired_orders_leave_before_the_next_command_looks() -> None:
    venue = Venue()
    venue.send("ann", "SELL", 2, 101, tif="GTT", expire_ns=4)
    venue.send("cat", "SELL", 2, 102, tif="GTT", expire_ns=4)

    steps = venue.send("bob", "BUY", 2, 102)  # now is 4, expiry is exclusive

    assert [ended(step.orders[0])[0] for step in steps] == ["EXPIRED", "EXPIRED", "OPEN"]
    late = venue.order("dan", "SELL", 1, 105, tif="GTT", expire_ns=5)
    venue.run(late)
    assert ended(late) == ("EXPIRED", "EXPIRED")
    venue.send("ann", "SELL", 1, 105, expire_ns=7)
    assert [type(step) for step in venue.run(Tick())] == [Done]


@rule("MATC-025")
def test_cancel_by_id_is_the_owners_alone() -> None:
    venue = Venue()
    venue.send("ann", "SELL", 2, 101)

    assert venue.run(Cancel("ann-1", "bob")) == [Refused(RejectReason.NOT_OWNER)]
    venue.run(Cancel("ann-1", "ann"))
    assert ended(venue.orders["ann-1"]) == ("CANCELED", "CANCEL_REQUESTED")
    assert venue.run(Cancel("ann-1", "ann")) == [Refused(RejectReason.TOO_LATE_TO_CANCEL)]


@rule("MATC-027")
def test_bulk_cancel_takes_the_traders_orders_below_the_floor() -> None:
    venue = Venue()
    for nonce in (5, 7, 6):
        venue.send("ann", "SELL", 1, 101, nonce=nonce)
    venue.send("bob", "SELL", 1, 101, nonce=1)

    steps = venue.run(CancelBelow("ann", 7))

    assert [step.orders[0].nonce for step in steps] == [5, 6]
    assert [order.nonce for order in venue.engine.book.orders()] == [7, 1]


@rule("MATC-026")
def test_less_at_the_same_price_keeps_the_place() -> None:
    venue = Venue()
    venue.send("ann", "SELL", 5, 101)
    venue.send("bob", "SELL", 5, 101)

    steps = venue.send("ann", "SELL", 3, 101, replaces="TOY-PERP:ann-1")

    assert [ended(step.orders[0]) for step in steps] == [("CANCELED", "REPLACED"), ("OPEN", "")]
    assert [order.uuid for order in venue.engine.book.orders()] == ["ann-3", "bob-2"]
    assert venue.orders["ann-3"].seq == 1
    assert venue.fills(venue.send("cat", "BUY", 4, 101)) == [("ann", 3, 101), ("bob", 1, 101)]


@rule("MATC-028")
@pytest.mark.parametrize(("qty", "price"), [(6, 101), (5, 102)])
def test_more_or_another_price_goes_to_the_end(qty: int, price: int) -> None:
    venue = Venue()
    venue.send("ann", "SELL", 5, 101)
    venue.send("bob", "SELL", 5, price)

    venue.send("ann", "SELL", qty, price, replaces="TOY-PERP:ann-1")

    assert [order.uuid for order in venue.engine.book.orders()] == ["bob-2", "ann-3"]


@rule("MATC-029")
def test_replacing_what_is_gone_or_anothers_adds_nothing() -> None:
    venue = Venue()
    venue.send("ann", "SELL", 5, 101)

    venue.send("bob", "SELL", 5, 101, replaces="TOY-PERP:ann-1")
    venue.send("ann", "SELL", 5, 101, replaces="TOY-PERP:nobody")

    assert ended(venue.orders["bob-2"]) == ("REJECTED", "NOT_OWNER")
    assert ended(venue.orders["ann-3"]) == ("REJECTED", "TOO_LATE_TO_CANCEL")
    assert venue.orders["ann-1"].status == "OPEN"


@rule("MATC-015", "FEES-002", "FEES-003")
def test_a_fill_says_who_pays_what() -> None:
    venue = Venue(TOY)
    venue.send("ann", "SELL", 2, 100)

    (fill,) = venue.send("bob", "BUY", 1, 110)

    assert isinstance(fill, Fill)
    fee, margin = 500_000, 100 * E6
    assert (fill.maker_fee, fill.taker_fee, fill.fees) == (fee, fee, 2 * fee)
    assert (fill.margin, fill.clearing) == (2 * margin, 0)
    ann, bob = fill.postings
    assert (ann.trader, ann.available, ann.reserved) == ("ann", 0, -(margin + fee))
    assert bob == (
        "bob",
        "USDC",
        10 * E6 + 50_000,
        -(110 * E6 + 550_000),
    )  # the better price comes back at once


@rule("MATC-015", "FEES-004", "RISK-022")
def test_a_spot_fill_moves_cash_against_base() -> None:
    venue = Venue(SPOT)
    venue.send("ann", "SELL", 2, 100)

    (fill,) = venue.send("bob", "BUY", 1, 100)

    assert [tuple(posting) for posting in fill.postings] == [
        ("ann", "USDC", 100 * E6 - 500_000, 0),
        ("ann", "sTOY", 0, -E8),
        ("bob", "USDC", 0, -(100 * E6 + 500_000)),
        ("bob", "sTOY", E8, 0),
    ]
    assert venue.position("bob") == 1
    assert venue.engine.open_interest_e8 == 0


def test_open_interest_counts_long_positions() -> None:
    venue = Venue()
    venue.send("ann", "SELL", 3, 100)
    venue.send("bob", "BUY", 3, 100)
    assert venue.engine.open_interest_e8 == 3 * E8

    venue.send("bob", "SELL", 2, 100)
    venue.send("cat", "BUY", 2, 100)  # bob passes two on
    assert venue.engine.open_interest_e8 == 3 * E8

    venue.send("ann", "BUY", 1, 100)
    venue.send("cat", "SELL", 1, 100)
    assert venue.engine.open_interest_e8 == 2 * E8


def test_a_fill_becomes_a_trade() -> None:
    venue = Venue()
    venue.send("ann", "SELL", 2, 100)
    (fill,) = venue.send("bob", "BUY", 1, 100, accepted_ns=10)
    assert isinstance(fill, Fill)

    trade = fill.to_trade("0190", 7, 110)

    assert (trade.seq, trade.trade_no, trade.latency_ns) == (2, 7, 100)
    assert (trade.maker, trade.taker, trade.aggressor_side) == ("ann", "bob", "BUY")
    assert trade.notional == 100 * E6


def test_state_hash_sees_every_part() -> None:
    def story(price: int, last: str) -> str:
        venue = Venue()
        venue.send("ann", "SELL", 2, price)
        venue.send(last, "BUY", 1, price)
        return venue.engine.state_hash()

    assert story(100, "bob") == story(100, "bob")
    assert len({story(100, "bob"), story(101, "bob"), story(100, "cat")}) == 3
