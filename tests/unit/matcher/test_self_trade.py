"""Self-trade prevention against a venue's published scenarios, told in our own words.

Source: binance-spot-api-docs, faqs/stp_faq.md, scenarios A to G (commit a5e0bc3d). What that
page calls NEW is OPEN here; quantities there are tenths here.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec
import pytest

from system.matcher.steps import Done, Fill, Reduced, StpMode
from tests.rules import rule
from tests.unit.matcher.venue import TOY, Venue

TENTHS = msgspec.structs.replace(TOY, tick_e6=100_000, lot_e8=10_000_000)


class Case(NamedTuple):
    """One trader's own bids meet his own sell."""

    mode: StpMode
    bids: list[tuple[int, int]]  # (quantity, price) in tenths
    sell: tuple[int, int]
    trades: int
    bids_end: list[str]
    sell_end: str
    prevented: list[int]  # tenths, per order that lost some, in order of the steps
    market: bool = False


LADDER = [(12, 12), (13, 11), (81, 10)]
CASES = {
    "A: nobody minds": Case(StpMode.NONE, [(10, 10)], (10, 10), 1, ["FILLED"], "FILLED", []),
    "B: resting bids give way": Case(
        StpMode.EXPIRE_MAKER, LADDER, (30, 10), 0, ["EXPIRED_IN_MATCH"] * 3, "OPEN", [12, 13, 81]
    ),
    "C: the arriving sell gives way": Case(
        StpMode.EXPIRE_TAKER, LADDER, (30, 10), 0, ["OPEN"] * 3, "EXPIRED_IN_MATCH", [30]
    ),
    "D: both go": Case(
        StpMode.EXPIRE_BOTH, [(10, 10)], (30, 10), 0, ["EXPIRED_IN_MATCH"], "EXPIRED_IN_MATCH", [10, 30]
    ),
    "E: the mode is the taker's": Case(
        StpMode.EXPIRE_TAKER, [(10, 10)], (10, 10), 0, ["OPEN"], "EXPIRED_IN_MATCH", [10]
    ),
    "F: a market order finds nothing else": Case(
        StpMode.EXPIRE_MAKER, [(10, 10)], (10, 10), 0, ["EXPIRED_IN_MATCH"], "EXPIRED", [10], market=True
    ),
    "G: both shrink by the smaller": Case(
        StpMode.DECREMENT, [(60, 20)], (20, 20), 0, ["OPEN"], "EXPIRED_IN_MATCH", [20, 20]
    ),
}


@rule("MATC-040", "MATC-041", "MATC-042", "MATC-043", "MATC-044", "MATC-045")
@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_published_scenario(case: Case) -> None:
    venue = Venue(TENTHS, case.mode, reference_price_e6=1_000_000)
    bids = [venue.order("ann", "BUY", qty, price) for qty, price in case.bids]
    for bid in bids:
        venue.run(bid)

    terms: dict[str, Any] = {"order_type": "MARKET", "tif": "IOC"} if case.market else {}
    sell = venue.order("ann", "SELL", *case.sell, **terms)
    sell.worst_price_e6 = 30 * TENTHS.tick_e6
    steps = venue.run(sell)

    assert sum(isinstance(step, Fill) for step in steps) == case.trades
    assert [bid.status for bid in bids] == case.bids_end
    assert sell.status == case.sell_end
    lost = [step.prevented_e8 for step in steps if isinstance(step, Done | Reduced) and step.prevented_e8]
    assert lost == [qty * TENTHS.lot_e8 for qty in case.prevented]


@rule("MATC-044")
def test_decrement_leaves_the_rest_in_the_book() -> None:
    """Scenario G's remainder: 6 minus 2 stay, and what fills them ends the order as shrunk."""
    venue = Venue(TENTHS, StpMode.DECREMENT, reference_price_e6=2_000_000)
    venue.send("ann", "BUY", 60, 20)
    venue.send("ann", "SELL", 20, 20)

    assert venue.fills(venue.send("bob", "SELL", 50, 20)) == [("ann", 40, 20)]
    bid = venue.orders["ann-1"]
    assert (bid.status, bid.reason) == ("EXPIRED_IN_MATCH", "SELF_TRADE")
    assert bid.cum_qty_e8 == 40 * TENTHS.lot_e8


@rule("MATC-044")
def test_decrement_by_a_smaller_resting_order_goes_on_with_the_rest() -> None:
    venue = Venue(TENTHS, StpMode.DECREMENT, reference_price_e6=2_000_000)
    venue.send("ann", "BUY", 20, 20)
    venue.send("bob", "BUY", 20, 19)

    steps = venue.send("ann", "SELL", 50, 19)

    assert venue.fills(steps) == [("bob", 20, 19)]
    assert venue.orders["ann-1"].status == "EXPIRED_IN_MATCH"
    assert venue.orders["ann-3"].leaves_e8 == 10 * TENTHS.lot_e8


@rule("MATC-041")
def test_strangers_before_the_own_order_still_trade() -> None:
    venue = Venue()
    venue.send("bob", "SELL", 1, 101)
    venue.send("ann", "SELL", 1, 102)
    venue.send("bob", "SELL", 1, 103)

    steps = venue.send("ann", "BUY", 3, 103)

    assert venue.fills(steps) == [("bob", 1, 101)]
    assert venue.orders["ann-4"].status == "EXPIRED_IN_MATCH"
    assert venue.orders["ann-2"].status == "OPEN"


@rule("MATC-022")
@pytest.mark.parametrize(
    ("mode", "fills"),
    [(StpMode.EXPIRE_TAKER, 0), (StpMode.EXPIRE_MAKER, 2), (StpMode.NONE, 0), (StpMode.DECREMENT, 0)],
)
def test_fok_counts_only_liquidity_that_prevention_leaves(mode: StpMode, fills: int) -> None:
    venue = Venue(stp=mode)
    venue.send("bob", "SELL", 1, 101)
    venue.send("ann", "SELL", 1, 102)
    venue.send("bob", "SELL", 1, 103)

    qty = 4 if mode is StpMode.NONE else 2
    steps = venue.send("ann", "BUY", qty, 103, tif="FOK")

    assert len(venue.fills(steps)) == fills


def test_permitted_self_trade_leaves_the_position_alone() -> None:
    venue = Venue(stp=StpMode.NONE)
    venue.send("ann", "SELL", 2, 100)
    venue.send("ann", "BUY", 2, 100)

    at = venue.engine.positions["ann"]
    assert (at.size_e8, at.cost, at.margin, at.trades) == (0, 0, 0, 2)
    assert venue.engine.open_interest_e8 == 0
