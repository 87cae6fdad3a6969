"""What each preset answers, case by case."""

from __future__ import annotations

import msgspec
import pytest

from system.model.units import PPM
from system.risk.liquidation.bitmex_tiers import BitmexTiers
from system.risk.liquidation.case import (
    Alert,
    Case,
    Close,
    Deleverage,
    Done,
    LiquidationTerms,
    TakeOver,
    Wait,
    last_safe_price_e6,
)
from system.risk.liquidation.close_out import (
    InventoryFill,
    add_inventory,
    fund_limit_price_e6,
    partial_qty_e8,
    shortage_qty,
)
from system.risk.liquidation.dydx import Dydx
from system.risk.liquidation.hyperliquid import COOLDOWN_NS, Hyperliquid
from system.risk.liquidation.presets import PRESETS, preset
from system.risk.liquidation.standard import Standard
from system.risk.liquidation.vega_staged import VegaStaged, disposal_qty_e8
from system.risk.tiers import brackets
from tests.rules import rule

K = 10**9
ONE = 10**8
TICK, LOT = 100_000, 10_000
SECOND = 1_000_000_000
TERMS = LiquidationTerms(im_ppm=100_000, tick_e6=TICK, lot_e8=LOT)


def case(mark: int, **changes: object) -> Case:
    """Ten times long 1 BTC from 60,000: liquidated below 56,842.1, bankrupt at 54,000."""
    usual = Case(
        terms=TERMS,
        size_e8=ONE,
        cost=60 * K,
        margin=6 * K,
        mark_e6=mark,
        band_low_e6=mark * 95 // (100 * TICK) * TICK,
        band_high_e6=mark * 105 // (100 * TICK) * TICK,
        now_ns=100 * SECOND,
    )
    return msgspec.structs.replace(usual, **changes)


def short(mark: int, **changes: object) -> Case:
    """The same short: liquidated above 62,857.1, bankrupt at 66,000."""
    return case(mark, **{"size_e8": -ONE, "cost": -60 * K, **changes})


FULL = msgspec.structs.replace(TERMS, im_target_ppm=0, min_liq_qty_e8=ONE)  # closes all at once


@rule("LIQU-001")
@pytest.mark.parametrize("name", list(PRESETS))
def test_every_preset_ends_a_healthy_case_and_begins_with_an_alert(name: str) -> None:
    assert preset(name).next_step(case(57 * K)) == Done()
    assert preset(name).next_step(case(50 * K, size_e8=0, cost=0, margin=0)) == Done()
    assert preset(name).next_step(case(56 * K, open_orders=True)) == Alert()
    assert preset(name).next_step(short(64 * K, open_orders=True)) == Alert()


def test_an_unknown_preset_is_told_with_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"one of standard, bitmex_tiers.*was 'none'"):
        preset("none")


@rule("LIQU-003", "LIQU-004", "LIQU-030")
def test_standard_closes_at_the_bankruptcy_price_inside_the_band() -> None:
    standard = Standard()
    assert standard.next_step(case(56 * K, terms=FULL)) == Close(ONE, 54 * K, 10_000)
    assert standard.next_step(short(64 * K, terms=FULL)) == Close(ONE, 66 * K, 10_000)
    # a band of 1 %: no order below it
    assert standard.next_step(case(56 * K, terms=FULL, band_low_e6=55_440_000_000)) == Close(
        ONE, 55_440_000_000, 10_000
    )
    # fully paid: all of it, whatever is short
    fully = msgspec.structs.replace(TERMS, im_ppm=PPM)
    eroded = case(3 * K, terms=fully, margin=57 * K + K // 10)
    assert isinstance(step := standard.next_step(eroded), Close)
    assert step.qty_e8 == ONE


@rule("LIQU-004", "LIQU-013")
def test_standard_closes_only_what_restores_the_target() -> None:
    terms = msgspec.structs.replace(TERMS, min_liq_qty_e8=10 * LOT)
    step = Standard().next_step(case(56 * K, terms=terms))  # equity 2,000 of 5,600 wanted
    assert step == Close(75_640_000, 54 * K, 10_000)  # 3,600 / (56,000 x 8.5 %)
    left = ONE - 75_640_000
    after = 2 * K - 75_640_000 * 56 * K // ONE * 15_000 // PPM
    assert after >= left * 56 * K // ONE * 100_000 // PPM
    tight = msgspec.structs.replace(terms, min_liq_qty_e8=30_000_000)
    assert Standard().next_step(case(56 * K, terms=tight)) == Close(ONE, 54 * K, 10_000)
    assert partial_qty_e8(1, K, 15_000, 15_000, LOT, 7 * LOT) == 7 * LOT, "closing frees nothing"
    assert shortage_qty(1, K, 10_000, 15_000) is None


@rule("LIQU-005", "LIQU-006", "LIQU-014")
def test_standard_retries_then_takes_the_fund_then_deleverages_then_makes_bad_debt() -> None:
    standard = Standard()
    tried = case(56 * K, terms=FULL, rounds=1, last_round_ns=100 * SECOND)
    assert standard.next_step(tried) == Wait(101 * SECOND)
    assert standard.next_step(msgspec.structs.replace(tried, now_ns=101 * SECOND)) == Close(
        ONE, 54 * K, 10_000
    )
    spent = msgspec.structs.replace(tried, rounds=3)
    assert standard.next_step(spent) == Deleverage(ONE, 54 * K, "ranked")

    beyond = case(53 * K, terms=FULL, fund=500_000_000)
    assert standard.next_step(beyond) == Close(ONE, 53_500_000_000, 10_000, widened=True)
    again = msgspec.structs.replace(beyond, widened=True, rounds=1, last_round_ns=100 * SECOND)
    assert standard.next_step(again) == Deleverage(ONE, 54 * K, "ranked")
    few = msgspec.structs.replace(again, deleveraged=True)
    assert standard.next_step(few) == Wait(101 * SECOND)
    last = msgspec.structs.replace(few, now_ns=101 * SECOND)
    assert standard.next_step(last) == Close(ONE, last.band_low_e6, 10_000, widened=True)
    assert fund_limit_price_e6(54 * K, ONE, 10**18, True, TICK) == 0
    assert fund_limit_price_e6(66 * K, ONE, 199_999, False, TICK) == 66 * K + TICK


SCHEDULE = brackets((0, 100_000, 50_000), (20 * K, 120_000, 60_000), (50 * K, 150_000, 70_000))


@rule("LIQU-031", "LIQU-034")
def test_bitmex_goes_down_one_bracket_then_takes_over_and_unwinds() -> None:
    tiered = msgspec.structs.replace(TERMS, schedule=SCHEDULE)
    bitmex = BitmexTiers()
    due = case(56 * K, terms=tiered)  # 6,000 above the bracket's floor
    assert bitmex.next_step(due) == Close(10_720_000, 54 * K, 10_000, all_or_none=True)
    assert bitmex.next_step(msgspec.structs.replace(due, rounds=1)) == TakeOver(ONE, 54 * K)
    assert bitmex.next_step(case(56 * K)) == TakeOver(ONE, 54 * K), "one bracket only"
    assert bitmex.next_step(case(53 * K, terms=tiered)) == TakeOver(ONE, 54 * K), "bankrupt"

    own = case(56 * K, cost=54 * K, margin=0, is_inventory=True)
    assert bitmex.next_step(own) == Close(ONE, 54 * K, residual_to_fund=True)
    beyond = case(53 * K, cost=54 * K, margin=0, is_inventory=True, fund=10**9)
    assert bitmex.next_step(beyond) == Close(ONE, 53 * K, widened=True, residual_to_fund=True)
    spent = msgspec.structs.replace(beyond, widened=True)
    assert bitmex.next_step(spent) == Deleverage(ONE, 54 * K, "ranked")
    tried = msgspec.structs.replace(beyond, rounds=1, last_round_ns=100 * SECOND)
    assert bitmex.next_step(tried) == Wait(101 * SECOND)
    last = msgspec.structs.replace(spent, deleveraged=True)
    assert bitmex.next_step(last) == Close(ONE, last.band_low_e6, widened=True, residual_to_fund=True)


@rule("RISK-036", "RISK-041")
def test_the_index_knows_brackets() -> None:
    tiered = msgspec.structs.replace(TERMS, schedule=SCHEDULE)
    assert last_safe_price_e6(TERMS, ONE, 60 * K, 6 * K) == 56_842_105_264
    price = last_safe_price_e6(tiered, ONE, 60 * K, 6 * K)
    at = case(price, terms=tiered)
    assert not at.is_due
    assert case(price - 1, terms=tiered).is_due


@rule("LIQU-032")
def test_hyperliquid_sells_a_fifth_then_all_and_backs_up_what_is_nearly_lost() -> None:
    hyper = Hyperliquid()
    assert hyper.next_step(case(56 * K)) == Close(ONE, 54 * K, 10_000), "below 100,000 all at once"
    large = case(56 * K, size_e8=10 * ONE, cost=600 * K, margin=60 * K)
    assert hyper.next_step(large) == Close(2 * ONE, 54 * K, 10_000)
    tried = msgspec.structs.replace(large, rounds=1, last_round_ns=90 * SECOND)
    assert hyper.next_step(tried) == Wait(90 * SECOND + COOLDOWN_NS)
    cooled = msgspec.structs.replace(tried, now_ns=120 * SECOND)
    assert hyper.next_step(cooled) == Close(10 * ONE, 54 * K, 10_000)
    # equity 1,800 of 2,790 maintenance: below two thirds
    assert hyper.next_step(case(55_800_000_000)) == TakeOver(ONE, 54 * K)
    own = case(53 * K, cost=54 * K, margin=0, is_inventory=True, prev_mark_e6=56_000_050_000)
    assert hyper.next_step(own) == Deleverage(ONE, 56 * K, "ranked")
    assert hyper.deleverage_price_e6(msgspec.structs.replace(own, prev_mark_e6=53 * K)) == 54 * K
    other = short(67 * K, cost=-66 * K, margin=0, is_inventory=True, prev_mark_e6=64 * K)
    assert hyper.deleverage_price_e6(other) == 64 * K
    assert hyper.deleverage_price_e6(msgspec.structs.replace(other, prev_mark_e6=0)) == 66 * K


@rule("LIQU-033")
def test_dydx_moves_away_from_the_mark_with_health_and_deleverages_below_zero() -> None:
    dydx = Dydx()
    # equity 2,000 of 2,800: two sevenths of the spread, 80 of 280
    assert dydx.next_step(case(56 * K)) == Close(ONE, 55_920 * 10**6, 15_000, widened=True)
    assert dydx.next_step(short(64 * K)) == Close(ONE, 64_120 * 10**6, 15_000, widened=True)
    # nearly bankrupt: 54,010 less 0.5 % would be beyond what an empty fund can pay
    assert dydx.next_step(case(54_010 * 10**6)) == Close(ONE, 54 * K, 15_000, widened=True)
    assert dydx.next_step(case(54_010 * 10**6, fund=100_000_000)) == Close(
        ONE, 53_900 * 10**6, 15_000, widened=True
    )
    beyond = case(53 * K)
    assert dydx.next_step(beyond) == Deleverage(ONE, 54 * K, "pro_rata")
    few = msgspec.structs.replace(beyond, deleveraged=True)
    assert dydx.next_step(few) == Close(ONE, few.band_low_e6, 10_000, widened=True)
    assert dydx.next_step(case(56 * K, rounds=1, last_round_ns=100 * SECOND)) == Wait(101 * SECOND)


@rule("LIQU-035")
def test_vega_takes_over_at_once_and_disposes_in_steps() -> None:
    vega = VegaStaged()
    assert vega.next_step(case(56 * K)) == TakeOver(ONE, 54 * K)
    own = case(56 * K, cost=54 * K, margin=0, is_inventory=True, depth_e8=10 * ONE)
    assert vega.next_step(own) == Close(ONE // 2, 54 * K, widened=True, residual_to_fund=True)
    rich = msgspec.structs.replace(own, fund=100 * K)
    assert vega.next_step(rich) == Close(ONE // 2, 53_200 * 10**6, widened=True, residual_to_fund=True)
    thin = msgspec.structs.replace(own, depth_e8=ONE)
    assert isinstance(step := vega.next_step(thin), Close)
    assert step.qty_e8 == ONE // 10
    assert vega.next_step(msgspec.structs.replace(own, depth_e8=0)) == Wait(110 * SECOND)
    tried = msgspec.structs.replace(own, rounds=1, last_round_ns=95 * SECOND)
    assert vega.next_step(tried) == Wait(105 * SECOND)
    beyond = msgspec.structs.replace(own, mark_e6=53 * K, fund=999_999_999)
    assert vega.next_step(beyond) == Deleverage(ONE, 54 * K, "pro_rata")
    assert isinstance(vega.next_step(msgspec.structs.replace(beyond, fund=10**9)), Close)
    assert disposal_qty_e8(7, 500_000, 10, 100, PPM, 1) == 7
    assert disposal_qty_e8(3, 100_000, 0, 100, PPM, 1) == 1, "a lot at least"


@rule("LIQU-016")
def test_inventory_of_the_other_side_is_closed_first() -> None:
    assert add_inventory(0, 0, ONE, 54 * K) == InventoryFill(ONE, 54 * K, 0)
    assert add_inventory(ONE, 54 * K, ONE, 56 * K) == InventoryFill(2 * ONE, 110 * K, 0)
    assert add_inventory(ONE, 54 * K, -ONE // 2, 56 * K) == InventoryFill(ONE // 2, 27 * K, K)
    assert add_inventory(-ONE, -54 * K, 3 * ONE, 56 * K) == InventoryFill(2 * ONE, 112 * K, -2 * K)
