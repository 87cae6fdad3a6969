"""Market states, bands and caps, and the orders that wait for a price."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from system.matcher.steps import (
    Cancel,
    Done,
    Expire,
    Mark,
    MoveMargin,
    Refused,
    SetState,
    StateChanged,
    Tick,
)
from system.model.market import MarketKind, MarketSpec, MarketState
from system.model.units import NS
from tests.rules import rule
from tests.unit.matcher.venue import E6, E8, TOY, Venue, ended

S = MarketState


def enter(venue: Venue, state: MarketState) -> list[MarketState]:
    return [step.state for step in venue.run(SetState(state)) if isinstance(step, StateChanged)]


def mark(venue: Venue, price: int) -> None:
    venue.run(Mark(price * E6, venue.now_ns))


def plain(**terms: Any) -> MarketSpec:
    """Return TOY with its mark at the index, so that a story can set it."""
    return replace(TOY, mark="INDEX", **terms)


@rule("MATC-012", "MATC-060")
@pytest.mark.parametrize(
    ("state", "maker", "taker"),
    [
        (S.ACTIVE, ("OPEN", ""), ("FILLED", "")),
        (S.POST_ONLY, ("OPEN", ""), ("REJECTED", "WOULD_TAKE")),
        (S.CANCEL_ONLY, ("REJECTED", "EXCHANGE_CLOSED"), ("REJECTED", "EXCHANGE_CLOSED")),
        (S.PAUSED, ("REJECTED", "EXCHANGE_CLOSED"), ("REJECTED", "EXCHANGE_CLOSED")),
        (S.SETTLING, ("REJECTED", "EXCHANGE_CLOSED"), ("REJECTED", "EXCHANGE_CLOSED")),
    ],
)
def test_the_state_decides_what_an_order_may_do(state, maker, taker):
    venue = Venue()
    venue.send("ann", "SELL", 1, 101, uuid="there")
    if state is not S.ACTIVE:
        enter(venue, state)
    venue.send("bob", "BUY", 1, 99, uuid="maker")
    venue.send("bob", "BUY", 1, 101, uuid="taker")
    assert ended(venue.orders["maker"]) == maker
    assert ended(venue.orders["taker"]) == taker
    venue.run(Cancel("there", "ann"))
    assert venue.orders["there"].status != "OPEN"


@rule("MATC-061", "MATC-062")
def test_a_pause_ends_through_post_only():
    venue = Venue()
    assert enter(venue, S.PAUSED) == [S.PAUSED]
    assert enter(venue, S.ACTIVE) == [S.POST_ONLY]
    assert enter(venue, S.ACTIVE) == []
    venue.now_ns += TOY.cooldown_s * NS - 3
    venue.run(Tick())
    assert venue.engine.state is S.POST_ONLY
    assert [type(step) for step in venue.run(Tick())] == [StateChanged]
    assert venue.engine.state is S.ACTIVE
    assert enter(venue, S.POST_ONLY) == [S.POST_ONLY]
    assert enter(venue, S.ACTIVE) == [S.ACTIVE]


@rule("MATC-013", "MATC-063")
def test_a_market_with_open_contracts_stays_settling():
    venue = Venue()
    venue.send("ann", "SELL", 2, 101)
    venue.send("bob", "BUY", 1, 101)
    assert enter(venue, S.CLOSED) == [S.SETTLING]
    assert len(venue.engine.book) == 0
    assert enter(venue, S.SETTLING) == []
    assert enter(venue, S.ACTIVE) == []


@rule("MATC-033")
def test_no_trade_prints_outside_the_band_of_the_mark():
    venue = Venue(plain(band_ppm=50_000, calms=False))
    venue.send("ann", "SELL", 1, 99)
    mark(venue, 200)
    venue.send("bob", "BUY", 1, 100, uuid="late")
    assert ended(venue.orders["late"]) == ("REJECTED", "PRICE_BAND")
    mark(venue, 100)
    venue.send("bob", "BUY", 1, 100, uuid="again")
    assert venue.orders["again"].status == "FILLED"


@rule("MATC-064", "MATC-065")
@pytest.mark.parametrize(("maker", "there", "taker"), [("SELL", 99, "BUY"), ("BUY", 101, "SELL")])
def test_a_taker_at_the_band_calms_the_market_until_what_is_beyond_it_has_gone(maker, there, taker):
    venue = Venue(plain(band_ppm=50_000))
    venue.send("ann", maker, 1, there, uuid="stale")
    mark(venue, 200 if maker == "SELL" else 50)
    venue.reference_price_e6 = venue.engine.house.mark_e6
    steps = venue.send("bob", taker, 1, there, uuid="late")
    assert [type(step) for step in steps] == [Done, StateChanged]
    assert ended(venue.orders["late"]) == ("REJECTED", "PRICE_BAND")
    assert (venue.engine.state, venue.orders["stale"].status) == (S.POST_ONLY, "OPEN")

    venue.now_ns += TOY.cooldown_s * NS
    fair = venue.reference_price_e6 // E6
    venue.send("cat", maker, 1, fair, uuid="fresh")
    assert venue.engine.state is S.ACTIVE
    assert ended(venue.orders["stale"]) == ("CANCELED", "PRICE_BAND")
    venue.send("bob", taker, 1, fair, uuid="again")
    assert venue.orders["again"].status == "FILLED"


@rule("MATC-064")
@pytest.mark.parametrize("terms", [{"calms": False}, {"cooldown_s": 0}])
def test_a_market_that_is_not_to_be_calmed(terms):
    venue = Venue(plain(band_ppm=50_000, **terms))
    venue.send("ann", "SELL", 1, 99)
    mark(venue, 200)
    venue.send("bob", "BUY", 1, 100, uuid="late")
    assert ended(venue.orders["late"]) == ("REJECTED", "PRICE_BAND")
    assert venue.engine.state is S.ACTIVE


@rule("MATC-022")
@rule("MATC-033")
def test_what_lies_beyond_the_band_fills_no_fok():
    venue = Venue(plain(band_ppm=50_000))
    mark(venue, 100)
    venue.send("ann", "SELL", 1, 104)
    venue.send("cat", "SELL", 1, 106)
    venue.send("bob", "BUY", 2, 106, tif="FOK", uuid="fok")
    assert ended(venue.orders["fok"]) == ("EXPIRED", "FOK_NOT_FILLED")
    assert venue.orders["fok"].cum_qty_e8 == 0


@rule("MATC-033")
def test_an_older_mark_changes_nothing():
    venue = Venue(plain())
    mark(venue, 100)
    venue.run(Mark(50 * E6, venue.engine.house.state.index_ns))
    assert venue.engine.house.mark_e6 == 100 * E6


@rule("MATC-034")
def test_open_interest_has_a_cap():
    venue = Venue(replace(TOY, oi_cap_e8=2 * E8))
    venue.send("ann", "SELL", 5, 100)
    venue.send("bob", "BUY", 2, 100)
    venue.send("cat", "BUY", 1, 100, uuid="more")
    assert ended(venue.orders["more"]) == ("REJECTED", "OPEN_INTEREST_CAP")
    assert venue.engine.open_interest_e8 == 2 * E8


@rule("MATC-022")
@rule("MATC-034")
def test_what_would_pass_the_cap_fills_no_fok():
    venue = Venue(replace(TOY, oi_cap_e8=2 * E8))
    venue.send("ann", "SELL", 5, 100)
    venue.send("bob", "BUY", 1, 100)
    venue.send("cat", "BUY", 2, 100, tif="FOK", uuid="more")
    assert ended(venue.orders["more"]) == ("EXPIRED", "FOK_NOT_FILLED")
    venue.send("cat", "BUY", 1, 100, tif="FOK", uuid="enough")
    assert venue.orders["enough"].status == "FILLED"


@rule("MATC-046")
def test_a_trade_group_does_not_meet_itself():
    venue = Venue()
    venue.send("ann", "SELL", 1, 100, trade_group="desk")
    venue.send("bob", "BUY", 1, 100, trade_group="desk", uuid="own")
    venue.send("cat", "BUY", 1, 100, trade_group="other", uuid="other")
    assert ended(venue.orders["own"]) == ("EXPIRED_IN_MATCH", "SELF_TRADE")
    assert venue.orders["other"].status == "FILLED"


@rule("MATC-045")
def test_the_takers_own_mode_comes_first():
    venue = Venue()
    venue.send("ann", "SELL", 1, 100, stp="NONE", uuid="maker")
    venue.send("ann", "BUY", 1, 100, stp="EXPIRE_MAKER", uuid="taker")
    assert ended(venue.orders["maker"]) == ("EXPIRED_IN_MATCH", "SELF_TRADE")
    assert venue.orders["taker"].status == "OPEN"


def long_with_stop(trigger: int, on: str = "MARK", **terms) -> Venue:
    """Let bob be long 2 with a stop below, and a bid of cat's to sell to."""
    venue = Venue(plain())
    venue.send("ann", "SELL", 2, 100)
    venue.send("bob", "BUY", 2, 100)
    venue.send("cat", "BUY", 5, 90)
    terms = {"order_type": "MARKET", "tif": "IOC", "reduce_only": True, **terms}
    venue.send("bob", "SELL", 3, 80, uuid="stop", trigger_e6=trigger * E6, trigger_on=on, **terms)
    return venue


@rule("MATC-050", "MATC-051", "RISK-028")
def test_a_stop_waits_for_the_mark_and_closes_what_there_is():
    venue = long_with_stop(95)
    stop = venue.orders["stop"]
    assert (stop.status, stop.hold) == ("UNTRIGGERED", 0)
    mark(venue, 96)
    assert stop.status == "UNTRIGGERED"
    mark(venue, 95)
    assert (stop.status, stop.cum_qty_e8, venue.position("bob")) == ("CANCELED", 2 * E8, 0)


@rule("MATC-051")
def test_one_stop_triggers_the_next():
    venue = long_with_stop(95, on="LAST")
    venue.send("dan", "SELL", 1, 90)
    assert venue.position("bob") == 0
    assert venue.position("cat") == 3


@rule("MATC-051")
def test_a_stop_whose_price_is_there_goes_at_once():
    venue = Venue(plain())
    mark(venue, 100)
    venue.send("ann", "SELL", 1, 100)
    venue.send("bob", "BUY", 1, 100)
    venue.send("cat", "BUY", 1, 99)
    venue.send("bob", "SELL", 1, 99, tif="IOC", reduce_only=True, trigger_e6=100 * E6)
    assert venue.position("bob") == 0


@rule("MATC-050", "MATC-052")
def test_a_waiting_stop_is_cancelled_expires_and_sleeps_through_a_pause():
    venue = long_with_stop(95)
    enter(venue, S.CANCEL_ONLY)
    mark(venue, 95)
    assert venue.orders["stop"].status == "UNTRIGGERED"
    venue.run(Cancel("stop", "bob"))
    assert ended(venue.orders["stop"]) == ("CANCELED", "CANCEL_REQUESTED")
    venue = long_with_stop(95, expire_ns=100)
    venue.now_ns = 99
    venue.run(Tick())
    assert ended(venue.orders["stop"]) == ("EXPIRED", "EXPIRED")


@rule("MATC-053")
def test_a_stop_that_was_begun_goes_on():
    venue = long_with_stop(95)
    stop = venue.orders["stop"]
    venue.engine.stops.remove("stop")
    stop.status = "PENDING"  # as a commit in the middle of its sweep leaves it
    venue.engine.restore([stop])
    venue.run(Tick())
    assert venue.position("bob") == 0


@rule("RISK-070", "RISK-071", "RISK-072", "EXPI-009")
def test_a_capped_future_locks_all_that_both_sides_can_lose():
    june = 1_751_011_200
    terms = {"symbol": "TOY-27JUN25", "kind": MarketKind.FUTURE, "expiry_s": june, "settle_window_s": 0}
    venue = Venue(plain(**terms, settlement="ledger", max_price_e6=150 * E6))
    assert not venue.spec.problem()
    venue.now_ns = (june - 600) * NS
    venue.send("ann", "SELL", 2, 100)
    assert venue.reserved["ann", "USDC"] == 2 * 50 * E6 + E6  # and 0.5 % of 200
    venue.send("bob", "BUY", 2, 100)
    margins = [venue.engine.positions[name].margin for name in ("ann", "bob")]
    assert margins == [2 * 50 * E6, 2 * 100 * E6]

    mark(venue, 400)  # four times of what the short has locked: nothing happens to him
    assert venue.engine.house.mark_e6 == 150 * E6
    assert venue.position("ann") == -2
    assert [type(step) for step in venue.run(MoveMargin("ann", -E6))] == [Refused]
    before = venue.available["bob", "USDC"]
    venue.now_ns = (june - 30) * NS
    mark(venue, 400)
    venue.now_ns = june * NS
    venue.run(Expire())
    assert venue.engine.state is S.CLOSED
    assert venue.available["bob", "USDC"] - before == 2 * 150 * E6
    assert (venue.bad_debt, venue.clearing) == (0, 0)


@pytest.mark.parametrize(
    "terms", [{"im_ppm": 500_000}, {"funding": "bitmex"}, {"settlement": "chain"}, {"max_price_e6": E6 + 1}]
)
@rule("RISK-072")
def test_what_a_capped_market_cannot_be(terms):
    whole = {"settlement": "ledger", "max_price_e6": 150 * E6, **terms}
    assert replace(TOY, **whole).problem().startswith("max_price_e6")


@rule("MARK-011", "EXPI-004")
def test_a_futures_mark_leans_on_its_slow_average_and_on_what_settlement_has_seen():
    june = 1_751_011_200
    terms = {"symbol": "TOY-27JUN25", "kind": MarketKind.FUTURE, "expiry_s": june, "settle_window_s": 600}
    venue = Venue(replace(TOY, **terms, settlement="ledger", mark_band_ppm=200_000))
    venue.now_ns = (june - 3_000) * NS
    venue.send("ann", "BUY", 1, 109)
    venue.send("bob", "SELL", 1, 111)
    for _ in range(60):
        venue.now_ns += 30 * NS
        mark(venue, 100)
    assert venue.engine.house.mark_e6 == 110 * E6, "the book's distance of half an hour"
    assert venue.engine.house.state.mark.slow.price_e6(100 * E6) == 110 * E6

    venue.now_ns = (june - 600) * NS
    seen = []
    for _ in range(19):
        venue.now_ns += 30 * NS
        mark(venue, 100)
        seen.append(venue.engine.house.mark_e6 // E6)
    assert seen == sorted(seen, reverse=True)
    assert (seen[0], seen[9], seen[-1]) == (110, 105, 100)
