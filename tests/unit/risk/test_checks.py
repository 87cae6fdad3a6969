"""What may enter, one refusal at a time."""

from __future__ import annotations

from typing import Any

import pytest

from system.model.errors import RejectReason
from system.model.market import MarketState
from system.model.order import Order
from system.risk.checks import accept
from system.risk.holds import band
from tests.rules import rule
from tests.unit.matcher.venue import BTC, E6, SPOT, Venue

MARK_E6 = 60_000 * E6
NOW_NS = 1_000


def good(**changes: Any) -> Order:
    order = Venue(BTC, reference_price_e6=MARK_E6).order("ann", "BUY", 100, 600_000)
    for name, value in changes.items():
        setattr(order, name, value)
    return order


def refusal(order: Order, mark_e6: int = MARK_E6, state: MarketState = MarketState.ACTIVE) -> tuple[str, str]:
    rejected = accept(order, BTC, state, mark_e6, NOW_NS)
    return (rejected.reason, rejected.field) if rejected else ("", "")


def test_a_good_order_enters() -> None:
    assert accept(good(), BTC, MarketState.ACTIVE, MARK_E6, NOW_NS) is None


@rule(
    "RISK-001", "RISK-002", "RISK-003", "RISK-004", "RISK-005", "RISK-006", "RISK-007", "RISK-008",
    "RISK-009", "FEES-005",
)  # fmt: skip
@pytest.mark.parametrize(
    ("changes", "reason", "field"),
    [
        ({"symbol": "ETH-PERP"}, RejectReason.UNKNOWN_SYMBOL, "symbol"),
        ({"limit_price_e6": 60_000 * E6 + 1}, RejectReason.INCORRECT_TICK, "limit_price_e6"),
        ({"limit_price_e6": 0}, RejectReason.INCORRECT_TICK, "limit_price_e6"),
        ({"limit_price_e6": -100_000}, RejectReason.INCORRECT_TICK, "limit_price_e6"),
        ({"qty_e8": 10_001}, RejectReason.INCORRECT_QUANTITY, "qty_e8"),
        ({"qty_e8": 0}, RejectReason.INCORRECT_QUANTITY, "qty_e8"),
        ({"qty_e8": -10_000}, RejectReason.INCORRECT_QUANTITY, "qty_e8"),
        ({"qty_e8": 10**13 + 10_000}, RejectReason.ORDER_EXCEEDS_LIMIT, "qty_e8"),
        ({"limit_price_e6": 63_000_100_000}, RejectReason.PRICE_BAND, "limit_price_e6"),
        ({"limit_price_e6": 11_999_900_000}, RejectReason.PRICE_BAND, "limit_price_e6"),
        ({"side": "SELL", "limit_price_e6": 56_999_900_000}, RejectReason.PRICE_BAND, "limit_price_e6"),
        ({"side": "SELL", "limit_price_e6": 300_000_100_000}, RejectReason.PRICE_BAND, "limit_price_e6"),
        ({"order_type": "MARKET"}, RejectReason.INCOMPATIBLE_FLAGS, "tif"),
        ({"stp": "NONE"}, RejectReason.INCOMPATIBLE_FLAGS, "stp"),
        (
            {"order_type": "MARKET", "tif": "IOC", "post_only": True},
            RejectReason.INCOMPATIBLE_FLAGS,
            "post_only",
        ),
        ({"tif": "IOC", "post_only": True}, RejectReason.INCOMPATIBLE_FLAGS, "post_only"),
        ({"tif": "FOK", "post_only": True}, RejectReason.INCOMPATIBLE_FLAGS, "post_only"),
        ({"reduce_only": True, "post_only": True}, RejectReason.INCOMPATIBLE_FLAGS, "post_only"),
        ({"tif": "GTT"}, RejectReason.BAD_REQUEST, "expire_s"),
        ({"tif": "GTT", "expire_ns": NOW_NS}, RejectReason.EXPIRED, "expire_s"),
        ({"expire_ns": NOW_NS - 1}, RejectReason.EXPIRED, "expire_s"),
        ({"max_fee_bps": 49}, RejectReason.FEE_ABOVE_SIGNED, "max_fee_bps"),
    ],
)
def test_refused(changes: dict[str, Any], reason: RejectReason, field: str) -> None:
    assert refusal(good(**changes)) == (reason, field)


@rule("RISK-005", "RISK-006")
@pytest.mark.parametrize(
    ("side", "price_e6"),
    [
        ("BUY", 63_000_000_000),
        ("BUY", 12_000_000_000),
        ("SELL", 57_000_000_000),
        ("SELL", 300_000_000_000),
    ],
)
def test_the_edges_themselves_are_inside(side: str, price_e6: int) -> None:
    assert refusal(good(side=side, limit_price_e6=price_e6)) == ("", "")


@rule("RISK-001")
@pytest.mark.parametrize("state", [MarketState.PAUSED, MarketState.CLOSED])
def test_a_closed_door(state: MarketState) -> None:
    assert refusal(good(), state=state) == (RejectReason.EXCHANGE_CLOSED, "symbol")


@rule("RISK-005")
def test_no_price_no_order() -> None:
    assert refusal(good(), mark_e6=0) == (RejectReason.NO_REFERENCE_PRICE, "symbol")


@rule("RISK-003")
def test_small_orders_only_to_close() -> None:
    dust = {"qty_e8": 10_000, "limit_price_e6": 9_999 * E6}

    assert refusal(good(**dust), mark_e6=10_000 * E6) == (RejectReason.INCORRECT_QUANTITY, "qty_e8")
    assert refusal(good(**dust, reduce_only=True), mark_e6=10_000 * E6) == ("", "")


@rule("RISK-007")
def test_nothing_to_reduce_in_a_spot_market() -> None:
    order = Venue(SPOT).order("ann", "SELL", 1, 100, reduce_only=True)

    rejected = accept(order, SPOT, MarketState.ACTIVE, 100 * E6, NOW_NS)
    assert rejected is not None
    assert (rejected.reason, rejected.field) == (RejectReason.INCOMPATIBLE_FLAGS, "reduce_only")


@rule("RISK-027")
def test_band_is_rounded_inward() -> None:
    """Source: golden RES-PERP-SELL-BAND for the round case; the odd one by hand."""
    assert band(60_000 * E6, 50_000, 100_000) == (57_000 * E6, 63_000 * E6)
    assert band(60_000_010_000, 50_000, 100_000) == (57_000_100_000, 63_000_000_000)
