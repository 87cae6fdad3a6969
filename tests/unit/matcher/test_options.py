"""Options: premium in cash, the writer's lock to the unit, and no clearing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from system.matcher.settling import expire
from system.matcher.steps import Moved, Refused
from system.model.errors import RejectReason
from system.model.market import MarketKind, MarketSpec, MarketState
from system.model.position import position_from_item
from system.model.units import NS
from tests.rules import rule
from tests.unit.matcher.venue import E6, E8, FUNDS, Venue, ended

JUNE = 1_751_011_200
CALL = MarketSpec(
    symbol="TOY-27JUN25-100-C",
    kind=MarketKind.OPTION,
    base="TOY",
    underlying="TOY",
    tick_e6=E6,
    lot_e8=E8,
    expiry_s=JUNE,
    strike_e6=100 * E6,
    cap_e6=220 * E6,
    option_type="CALL",
    settlement="ledger",
)
PUT = MarketSpec(
    symbol="TOY-27JUN25-100-P",
    kind=MarketKind.OPTION,
    base="TOY",
    underlying="TOY",
    tick_e6=E6,
    lot_e8=E8,
    expiry_s=JUNE,
    strike_e6=100 * E6,
    option_type="PUT",
    settlement="ledger",
)


@rule("OPTN-004", "RISK-019")
@pytest.mark.parametrize(("spec", "lock"), [(CALL, 120), (PUT, 100)])
def test_a_writer_locks_the_largest_payoff_and_gets_the_premium(spec, lock):
    venue = Venue(spec)
    writing = venue.order("ann", "SELL", 2, 10)
    assert writing.hold == 2 * lock * E6
    venue.run(writing)
    venue.send("bob", "BUY", 2, 10)
    assert venue.engine.positions["ann"].margin == 2 * lock * E6
    assert venue.available["ann", "USDC"] == FUNDS - 2 * lock * E6 + 20 * E6 - 100_000
    assert venue.available["bob", "USDC"] == FUNDS - 20 * E6 - 100_000
    assert venue.engine.positions["bob"].margin == 0


@rule("OPTN-004")
def test_buying_back_frees_the_lock_in_the_same_step():
    venue = Venue(CALL)
    venue.send("ann", "SELL", 2, 10)
    venue.send("bob", "BUY", 2, 10)
    venue.send("bob", "SELL", 2, 30, reduce_only=True)
    venue.send("ann", "BUY", 1, 30, reduce_only=True, tif="IOC")
    ann = venue.engine.positions["ann"]
    assert (venue.position("ann"), ann.margin, ann.realised) == (-1, 120 * E6, -20 * E6)
    assert venue.engine.open_interest_e8 == E8


@rule("RISK-028", "MATC-032")
def test_a_closing_that_cannot_pay_its_fee_does_not_happen():
    venue = Venue(CALL)
    venue.send("ann", "SELL", 1, 10)
    venue.send("bob", "BUY", 1, 10)
    venue.send("bob", "SELL", 1, 120, reduce_only=True)
    venue.send("ann", "BUY", 1, 120, reduce_only=True, tif="IOC", uuid="dear")
    assert ended(venue.orders["dear"]) == ("REJECTED", "WOULD_BE_BANKRUPT")
    assert venue.position("ann") == -1


@rule("OPTN-004", "RISK-019")
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["ann", "bob", "cat"]),
            st.sampled_from(["BUY", "SELL"]),
            *(st.integers(1, 5), st.integers(1, 100)),
            st.booleans(),
        ),
        max_size=40,
    )
)
def test_whatever_is_traded_the_lock_is_exact(orders):
    venue = Venue(PUT)
    for trader, side, qty, price, reduce_only in orders:
        venue.send(trader, side, qty, price, reduce_only=reduce_only)


@rule("EXPI-010")
@pytest.mark.parametrize("settlement", ["ledger", "chain"])
def test_only_the_ledger_can_settle_before_the_expiry(settlement):
    venue = Venue(replace(CALL, settlement=settlement))
    venue.send("ann", "SELL", 1, 10)
    venue.send("bob", "BUY", 1, 10)
    venue.engine.state = MarketState.SETTLING
    early = list(expire(venue.engine, 150 * E6, (JUNE - 1) * NS))
    if settlement == "ledger":
        assert venue.engine.state is MarketState.CLOSED
        return
    assert early == [Refused(RejectReason.TOO_EARLY)]
    assert venue.position("bob") == 1
    list(expire(venue.engine, 150 * E6, JUNE * NS))
    assert venue.engine.state is MarketState.CLOSED


@rule("EXPI-011")
@pytest.mark.parametrize("settlement", ["ledger", "chain"])
def test_what_the_chain_has_still_to_pay_cannot_be_spent(settlement):
    venue = Venue(replace(CALL, settlement=settlement))
    venue.send("ann", "SELL", 1, 10)
    venue.send("bob", "BUY", 1, 10)
    venue.engine.state = MarketState.SETTLING
    steps = list(expire(venue.engine, 150 * E6, JUNE * NS))
    moved = [step for step in steps if isinstance(step, Moved) and step.position is not None]
    paid = {one.trader: (one.available, one.reserved) for step in moved for one in step.postings}
    claiming = {step.position.trader: step.position.claiming for step in moved}
    if settlement == "ledger":
        assert paid == {"ann": (70 * E6, 0), "bob": (50 * E6, 0)}
        assert claiming == {"ann": 0, "bob": 0}
    else:
        assert paid == {"ann": (0, 70 * E6), "bob": (0, 50 * E6)}
        assert claiming == {"ann": 70 * E6, "bob": 50 * E6}
    kept = [position_from_item(step.position.to_item()) for step in moved]
    assert kept == [step.position for step in moved]
