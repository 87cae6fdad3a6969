"""What orders reserve, capped futures, and CXPT."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from system.model.market import MarketKind, MarketSpec
from system.model.order import BUY, SELL, Order, Side
from system.model.position import Position
from system.model.units import PPM, QTY_SCALE, ppm_ceil
from system.risk.capped import capped_effect
from system.risk.holds import hold_at
from system.risk.positions import margin_step, settle_fill
from system.risk.rebates import rebate_step
from system.risk.redemption import issue, synth_coverage_ppm, vault_shares
from system.risk.reservations import (
    Payoff,
    Terms,
    order_cost,
    pays_fee_from_proceeds,
    reservation,
    reserved_in_base,
    terms_of,
    unit_loss_e6,
    worst_price_e6,
)
from tests.rules import rule

K = 10**9
FEE = 5_000
TICK, LOT = 10_000, 10_000


def terms(payoff: Payoff, im_ppm: int = PPM) -> Terms:
    return Terms(
        payoff=payoff, fee_ppm=FEE, im_ppm=im_ppm, max_price_e6=100 * K, strike_e6=60 * K, cap_e6=180 * K
    )


@rule("RISK-060", "RISK-061")
@pytest.mark.parametrize(
    ("payoff", "side", "im_ppm", "reserved"),
    [
        (Payoff.SPOT, BUY, PPM, 50_250_000_000),
        (Payoff.SPOT, SELL, PPM, 10**8),  # of the base
        (Payoff.LINEAR, BUY, PPM, 50_250_000_000),
        (Payoff.LINEAR, SELL, 100_000, 5_250_000_000),
        (Payoff.CAPPED, BUY, PPM, 50_250_000_000),
        (Payoff.CAPPED, SELL, PPM, 50_250_000_000),
        (Payoff.CALL, BUY, PPM, 50_250_000_000),
        (Payoff.CALL, SELL, PPM, 120_000_000_000),
        (Payoff.PUT, BUY, PPM, 50_250_000_000),
        (Payoff.PUT, SELL, PPM, 60_000_000_000),
    ],
)
def test_the_table_of_reservations(payoff: Payoff, side: Side, im_ppm: int, reserved: int) -> None:
    assert reservation(terms(payoff, im_ppm), side, 50 * K, 10**8) == reserved


@rule("RISK-062")
def test_only_a_linear_sell_is_worst_above_its_limit() -> None:
    for payoff in Payoff:
        for side in (BUY, SELL):
            worst = worst_price_e6(terms(payoff), side, 50 * K, 55 * K)
            assert worst == (55 * K if (payoff, side) == (Payoff.LINEAR, SELL) else 50 * K)


FILLS = st.lists(st.tuples(st.integers(1, 20), st.integers(0, 40)), min_size=1, max_size=12)


@rule("RISK-061", "RISK-062", "RISK-063")
@given(
    st.sampled_from(list(Payoff)),
    st.sampled_from([BUY, SELL]),
    FILLS,
    st.sampled_from([PPM, 33_333, 100_000]),
)
def test_a_reservation_covers_every_fill_and_what_is_left(
    payoff: Payoff, side: Side, fills: list[tuple[int, int]], im_ppm: int
) -> None:
    """Each fill at its limit or better needs no more than was reserved, and no more after it."""
    its = terms(payoff, im_ppm)
    limit, upper = 50 * K, 50 * K + 40 * TICK
    worst = worst_price_e6(its, side, limit, upper)
    left = sum(lots for lots, _ in fills) * LOT
    traded = fee_paid = 0
    held = reservation(its, side, worst, left)
    for lots, better in fills:
        price = limit - better * TICK if side == BUY else limit + better * TICK
        qty = lots * LOT
        notional = price * qty // QTY_SCALE
        fee = ppm_ceil(traded + notional, FEE) - fee_paid
        if payoff is Payoff.LINEAR:
            spent = margin_step(traded, notional, im_ppm)
        elif reserved_in_base(its, side):
            spent = qty
        else:
            spent = unit_loss_e6(its, side, price) * qty // QTY_SCALE
        if pays_fee_from_proceeds(its, side):
            assert fee <= notional
        else:
            spent += fee
        traded, fee_paid, left = traded + notional, fee_paid + fee, left - qty
        after = reservation(its, side, worst, left, traded, fee_paid)
        assert held >= spent + after
        held = after
    assert held == 0


@rule("RISK-068")
def test_an_order_cost_also_holds_the_fee_of_its_end() -> None:
    assert order_cost(50 * K, 45 * K, 100_000, 550) == 5_052_250_000


PERP = MarketSpec(
    symbol="X-PERP", kind=MarketKind.PERP, base="X", underlying="X", tick_e6=TICK, lot_e8=LOT, im_ppm=33_333
)
FUTURE = msgspec.structs.replace(PERP, symbol="X-27JUN25", kind=MarketKind.FUTURE)
CALL = msgspec.structs.replace(
    PERP, kind=MarketKind.OPTION, option_type="CALL", strike_e6=60 * K, cap_e6=180 * K
)
MARKETS = (
    PERP,
    FUTURE,
    msgspec.structs.replace(PERP, symbol="sX-USDC", kind=MarketKind.SPOT),
    CALL,
    msgspec.structs.replace(CALL, option_type="PUT", cap_e6=0),
)


@rule("RISK-060", "RISK-063")
@pytest.mark.parametrize("spec", MARKETS, ids=lambda spec: spec.option_type or spec.kind.value)
@given(
    side=st.sampled_from([BUY, SELL]),
    lots=st.integers(1, 10**6),
    traded_lots=st.integers(0, 10**6),
    ticks=st.integers(1, 10**7),
)
def test_what_the_matcher_holds_is_this_reservation(
    spec: MarketSpec, side: Side, lots: int, traded_lots: int, ticks: int
) -> None:
    traded = traded_lots * ticks * TICK * LOT // QTY_SCALE
    paid = ppm_ceil(traded, FEE)
    order = Order(
        symbol=spec.symbol,
        uuid="o",
        trader="t",
        account="0xt",
        subaccount=0,
        order_type="LIMIT",
        side=side,
        tif="GTC",
        post_only=False,
        reduce_only=False,
        qty_e8=(lots + traded_lots) * LOT,
        limit_price_e6=ticks * TICK,
        expire_ns=0,
        nonce=1,
        max_fee_bps=50,
        signature="",
        cum_notional=traded,
        fee_paid=paid,
    )
    held = hold_at(order, spec, ticks * TICK, lots * LOT)
    assert held == reservation(terms_of(spec), side, ticks * TICK, lots * LOT, traded, paid)


MAX = 100 * K


@rule("RISK-070", "RISK-071")
@given(st.lists(st.tuples(st.booleans(), st.integers(1, 30), st.integers(0, 100)), max_size=40))
def test_both_sides_of_a_capped_future_hold_its_highest_price(fills: list[tuple[bool, int, int]]) -> None:
    ann, ben = Position(trader="a", symbol="X"), Position(trader="b", symbol="X")
    cash = 0
    for ann_buys, lots, price in fills:
        side = 1 if ann_buys else -1
        for who, sign in ((ann, side), (ben, -side)):
            effect = capped_effect(who, sign * lots * LOT, price * K, MAX)
            assert effect is not None, "full collateral can always close"
            cash += effect.pay_out - effect.margin_in
            settle_fill(who, effect, 0)
            full = who.cost if who.size_e8 > 0 else MAX * -who.size_e8 // QTY_SCALE + who.cost
            assert full <= who.margin <= full + len(fills), "the price of the other side, and rounding"
    assert ann.size_e8 + ben.size_e8 == 0
    assert cash + ann.margin + ben.margin - ann.cost - ben.cost == 0


@rule("RISK-080")
@given(st.lists(st.integers(0, 1_000), max_size=20), st.integers(0, PPM))
def test_rebates_of_an_order_are_one_rounded_down_share(fees: list[int], rebate_ppm: int) -> None:
    total = paid = 0
    for fee in fees:
        total += fee
        step = rebate_step(total - fee, total, rebate_ppm)
        assert 0 <= step <= fee + 1
        paid += step
    assert paid == total * rebate_ppm // PPM <= total


@rule("RISK-081", "RISK-082")
@given(st.lists(st.integers(-(10**12), 10**12)))
def test_cxpt_is_backed_one_to_one_both_ways(amounts: list[int]) -> None:
    moves = [issue(amount) for amount in amounts]
    assert sum(move.backing for move in moves) * 100 == sum(move.supply_e8 for move in moves)


@rule("RISK-083", "RISK-084")
def test_shares_and_coverage() -> None:
    assert vault_shares(5, 0, 0) == 5
    assert vault_shares(5, 100, 100) == 5
    assert vault_shares(5, 100, 101) == 4
    assert synth_coverage_ppm(30 * K, 10**8, 60 * K) == 500_000
    assert synth_coverage_ppm(30 * K, 0, 60 * K) is None
