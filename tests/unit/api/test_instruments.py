"""Orders that name their instrument, stop orders at the door, and an option traded through it."""

from __future__ import annotations

import pytest

from system.model.keys import Key, trader_pk
from system.model.market import MarketKind, MarketSpec
from tests.rules import rule
from tests.unit.floor import BTC, E6, E8, SPOT, Floor, trader

JUNE = 1_751_011_200
FUTURE = MarketSpec(
    symbol="BTC-27JUN25",
    kind=MarketKind.FUTURE,
    base="BTC",
    underlying="BTC",
    tick_e6=E6,
    lot_e8=E8 // 100,
    expiry_s=JUNE,
    settlement="ledger",
)
CALL = MarketSpec(
    symbol="BTC-27JUN25-60000-C",
    kind=MarketKind.OPTION,
    base="BTC",
    underlying="BTC",
    tick_e6=E6,
    lot_e8=E8 // 100,
    expiry_s=JUNE,
    strike_e6=60_000 * E6,
    cap_e6=120_000 * E6,
    option_type="CALL",
    settlement="ledger",
)
OPTION_TERMS = {
    "type": "option",
    "future_expiry_s": JUNE,
    "strike_e6": 60_000 * E6,
    "option_type": "CALL",
    "cap_e6": 120_000 * E6,
}


@pytest.fixture(params=["off", "real"])
def floor(request) -> Floor:
    floor = Floor((BTC, SPOT, FUTURE, CALL), signatures=request.param)
    for name in ("ann", "bob"):
        floor.fund(name)
    return floor


@rule("RISK-029", "SIGN-001")
@pytest.mark.parametrize(
    ("symbol", "ticks", "terms"),
    [
        ("BTC-PERP", 60_000, {"type": "perp"}),
        ("BTC-PERP", 60_000, {"type": "perp", "execution": "market"}),
        ("BTC-27JUN25", 60_000, {"type": "future", "future_expiry_s": JUNE}),
        ("BTC-27JUN25-60000-C", 2_000, OPTION_TERMS),
        ("BTC-27JUN25-60000-C", 2_000, {"type": "limit"}),
    ],
)
def test_an_order_may_name_its_instrument(floor, symbol, ticks, terms):
    floor.order("ann", "BUY", 1, ticks, symbol, **terms)


@rule("RISK-029")
@pytest.mark.parametrize(
    ("symbol", "terms", "field"),
    [
        ("sBTC-USDC", {"type": "perp"}, "type"),
        ("BTC-27JUN25", {"type": "future", "future_expiry_s": JUNE + 1}, "expiry_s"),
        ("BTC-27JUN25-60000-C", {**OPTION_TERMS, "cap_e6": 0}, "cap_e6"),
        ("BTC-27JUN25-60000-C", {**OPTION_TERMS, "option_type": "PUT"}, "option_type"),
    ],
)
def test_a_market_of_other_terms_refuses(floor, symbol, terms, field):
    status, said = floor.http("POST /orders", floor.draft("ann", "BUY", 1, 60_000, symbol, **terms))
    assert (status, said["reason"], said["field"]) == (422, "WRONG_INSTRUMENT", field)


@rule("RISK-019")
def test_no_premium_is_above_the_largest_payoff(floor):
    draft = floor.draft("ann", "BUY", 1, 60_001, CALL.symbol)
    assert floor.http("POST /orders", draft)[1]["reason"] == "PRICE_BAND"


@rule("MATC-050")
@pytest.mark.parametrize(
    ("terms", "reason"),
    [
        ({"trigger_e6": -1}, "BAD_REQUEST"),
        ({"trigger_e6": 59_000 * E6}, "INCOMPATIBLE_FLAGS"),
        ({"trigger_e6": 59_000 * E6, "reduce_only": True}, "INCOMPATIBLE_FLAGS"),
        ({"trigger_e6": 1, "reduce_only": True, "tif": "IOC"}, "INCORRECT_TICK"),
    ],
)
def test_what_is_no_stop_order(floor, terms, reason):
    assert floor.http("POST /orders", floor.draft("ann", "SELL", 1, 60_000, **terms))[1]["reason"] == reason


@rule("MATC-050", "MATC-006", "LEAS-003", "COMM-005")
def test_a_stop_waits_through_the_death_of_its_matcher(floor):
    floor.order("ann", "SELL", 1, 60_000)
    floor.order("bob", "BUY", 1, 60_000)
    stop = floor.order("bob", "SELL", 1, 58_000, tif="IOC", reduce_only=True, trigger_e6=59_000 * E6)
    floor.run()
    floor.matcher = floor.new_matcher()
    floor.order("ann", "BUY", 1, 59_000)
    floor.run()
    assert floor.row(stop)["status"] == "UNTRIGGERED"
    assert [order.uuid for order in floor.matcher.seats["BTC-PERP"].engine.stops] == [stop.partition(":")[2]]
    floor.audit()
    floor.cancel("bob", stop, deadline=2**39)
    floor.run()
    assert floor.row(stop)["status"] == "CANCELED"


@rule("OPTN-004", "MARK-005", "COMM-007")
def test_an_option_is_traded_and_stays_in_the_ledger(floor):
    floor.order("ann", "SELL", 3, 2_000, CALL.symbol)
    floor.order("bob", "BUY", 3, 2_000, CALL.symbol, **OPTION_TERMS)
    floor.run()
    floor.audit()
    [trade] = floor.store.scan("Trades")
    assert trade["settlementStatus"] == "LEDGER"


@rule("HOLD-010")
def test_what_an_option_has_paid_out_is_not_spent_on_chain() -> None:
    """Ann's premium is in the ledger only: another option may be bought with it, a perpetual may not."""
    floor = Floor((BTC, CALL))
    floor.fund("ann", amount=601 * E6)
    floor.fund("bob", amount=10_000 * E6)
    for seller, buyer, premium in (("ann", "bob", 5_000), ("bob", "ann", 1_000)):  # written, and bought back
        floor.order(seller, "SELL", 1, premium, CALL.symbol)
        floor.order(buyer, "BUY", 1, premium, CALL.symbol)
        floor.run()
    available, _ = floor.balance("ann")
    row = floor.store.get("Balances", Key(trader_pk(trader("ann")), "ASSET#USDC"))
    assert row is not None
    assert available > 603 * E6
    assert row["backed"] == 601 * E6

    status, said = floor.http("POST /orders", floor.draft("ann", "BUY", 1, 60_000))
    assert (status, said["reason"]) == (422, "INSUFFICIENT_FUNDS")
    assert said["detail"].endswith("and 601000000 of it on chain, where this market settles")
    floor.order("ann", "BUY", 12, 5_000, CALL.symbol)  # for as much


@rule("HOLD-010")
def test_holds_and_releases_on_chain_move_what_is_backed() -> None:
    floor = Floor((BTC, CALL))
    floor.fund("ann", amount=1_000 * E6)
    order_id = floor.order("ann", "BUY", 1, 59_000)
    key = Key(trader_pk(trader("ann")), "ASSET#USDC")
    row = floor.store.get("Balances", key)
    assert row is not None
    assert row["backed"] == row["available"] == 1_000 * E6 - row["reserved"] < 1_000 * E6
    floor.run()

    floor.cancel("ann", order_id)
    floor.run()

    row = floor.store.get("Balances", key)
    assert row is not None
    assert (row["available"], row["reserved"], row["backed"]) == (1_000 * E6, 0, 1_000 * E6)
