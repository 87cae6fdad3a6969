"""Holds of single orders. Source: derived vectors RES-* and FEE-TELESCOPE* of the specification."""

from __future__ import annotations

import msgspec
import pytest

from system.model.market import MarketSpec
from system.model.order import Side
from system.model.units import fee_step
from system.risk.holds import fee_ceil, hold_asset, hold_before_match, hold_resting, worst_price
from tests.rules import rule
from tests.unit.matcher.venue import BTC, E6, SPOT, Venue

TEN_TIMES = msgspec.structs.replace(BTC, im_ppm=100_000)
SPOT_BTC = msgspec.structs.replace(BTC, symbol="sBTC-USDC", kind=SPOT.kind, base="sBTC")


def hold(spec: MarketSpec, side: Side, limit_usdc: int, lots: int) -> tuple[int, int]:
    """Return the hold before matching and when resting, at a reference of 60 000."""
    order = Venue(spec, reference_price_e6=60_000 * E6).order("ann", side, lots, limit_usdc * 10)
    before = hold_before_match(order, spec)
    order.leaves_e8 = order.qty_e8
    return before, hold_resting(order, spec)


@rule("RISK-020", "RISK-021", "RISK-022", "RISK-023", "RISK-024")
@pytest.mark.parametrize(
    ("spec", "side", "limit_usdc", "lots", "before", "resting"),
    [
        (SPOT_BTC, "BUY", 60_000, 10_000, 60_300 * E6, 60_300 * E6),
        (SPOT_BTC, "SELL", 60_000, 10_000, 100_000_000, 100_000_000),
        (BTC, "BUY", 60_000, 5_000, 30_150 * E6, 30_150 * E6),
        (TEN_TIMES, "BUY", 60_000, 5_000, 3_150 * E6, 3_150 * E6),
        (BTC, "SELL", 59_000, 10_000, 63_315 * E6, 59_295 * E6),
        (BTC, "SELL", 70_000, 10_000, 70_350 * E6, 70_350 * E6),  # above the band: it can only rest
    ],
)
def test_vector(spec: MarketSpec, side: Side, limit_usdc: int, lots: int, before: int, resting: int) -> None:
    assert hold(spec, side, limit_usdc, lots) == (before, resting)


@rule("RISK-021", "RISK-022")
def test_asset_of_the_hold() -> None:
    cases: list[tuple[MarketSpec, Side, str]] = [
        (SPOT_BTC, "SELL", "sBTC"),
        (SPOT_BTC, "BUY", "USDC"),
        (BTC, "SELL", "USDC"),
    ]
    for spec, side, asset in cases:
        order = Venue(spec, reference_price_e6=60_000 * E6).order("ann", side, 1, 600_000)
        assert hold_asset(order, spec) == asset


@rule("RISK-023")
def test_worst_price_of_a_sell_is_the_upper_edge() -> None:
    assert worst_price("SELL", 59_000 * E6, 60_000 * E6, BTC) == 63_000 * E6
    assert worst_price("BUY", 59_000 * E6, 60_000 * E6, BTC) == 59_000 * E6


@rule("FEES-001")
@pytest.mark.parametrize(
    ("notionals", "fees"),
    [
        ([1, 1, 1, 198, 1], [1, 0, 0, 1, 0]),
        ([30_000_000_000, 29_999_900_000, 100_000], [150_000_000, 149_999_500, 500]),
    ],
)
def test_fees_telescope(notionals: list[int], fees: list[int]) -> None:
    traded = 0
    charged: list[int] = []
    for notional in notionals:
        traded += notional
        charged.append(fee_step(traded, sum(charged), 5_000))

    assert charged == fees
    assert sum(charged) == fee_ceil(traded, 5_000)


@rule("RISK-025")
def test_hold_of_a_part_filled_order_counts_what_was_paid() -> None:
    order = Venue(BTC, reference_price_e6=60_000 * E6).order("ann", "BUY", 10, 600_000)
    order.leaves_e8, order.cum_qty_e8 = 60_000, 40_000
    order.cum_notional, order.fee_paid = 23_999_999, 120_000  # of 24 USDC at the limit, fee rounded up

    # 36 USDC margin; fee ceil(0.5 % of 59.999999) - 0.12
    assert hold_resting(order, BTC) == 36_000_000 + 300_000 - 120_000
