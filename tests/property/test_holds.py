"""Pre-payment under any history: `Venue` audits I1 to I6 and I9 after every step of every command."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from system.matcher.steps import Cancel, CancelBelow, Fill, SetState, StpMode, Tick
from system.model.market import MarketSpec, MarketState
from system.model.order import Order, Side
from system.risk.checks import accept
from system.risk.holds import band, hold_at
from tests.rules import rule
from tests.unit.matcher.venue import BTC, E6, SPOT, TOY, Venue, up

FINE = msgspec.structs.replace(TOY, tick_e6=10_000, lot_e8=10_000)  # 1 uUSDC a step: every rounding shows
SPECS = st.sampled_from(
    [
        TOY,
        SPOT,
        FINE,
        *(msgspec.structs.replace(FINE, im_ppm=im, mm_ppm=1) for im in (500_000, 100_000, 33_333)),
    ]
)
COMMANDS = st.lists(
    st.fixed_dictionaries(
        {
            "kind": st.sampled_from(["order"] * 12 + ["cancel", "cancel_below", "tick"]),
            "trader": st.integers(0, 3),
            "side": st.sampled_from(["BUY", "SELL"]),
            "qty": st.integers(1, 12),
            "price": st.integers(60, 170),
            "flags": st.sampled_from(
                [{}] * 4
                + [
                    {"tif": "IOC"},
                    {"tif": "FOK"},
                    {"post_only": True},
                    {"reduce_only": True},
                    {"reduce_only": True, "tif": "IOC"},
                    {"reduce_only": True, "tif": "FOK"},
                    {"order_type": "MARKET", "tif": "IOC"},
                ]
            ),
            "expires": st.sampled_from([0, 0, 0, 3, 20]),
            "replace": st.integers(0, 9),
            "draw": st.integers(0, 1000),
        }
    ),
    max_size=45,
)


def carry_out(venue: Venue, command: dict[str, Any]) -> None:
    trader, draw = f"t{command['trader']}", command["draw"]
    resting = sorted(venue.engine.book.entries)
    if command["kind"] == "cancel" and resting:
        order = venue.orders[resting[draw % len(resting)]]
        venue.run(Cancel(order.uuid, order.trader))
    elif command["kind"] == "cancel_below":
        venue.run(CancelBelow(trader, draw % 60))
    elif command["kind"] == "tick":
        venue.run(Tick())
    else:
        terms = dict(command["flags"])
        if venue.spec is SPOT:
            terms.pop("reduce_only", None)
        mine = sorted(venue.engine.book.by_trader.get(trader, ()))
        if mine and command["replace"] > 6 and not terms:
            terms["replaces"] = f"{venue.spec.symbol}:{mine[draw % len(mine)]}"
        if command["expires"]:
            terms["expire_ns"] = venue.now_ns + command["expires"]
        venue.send(trader, command["side"], command["qty"], command["price"], **terms)


@rule("MATC-015", "RISK-020", "RISK-025", "RISK-026", "RISK-016", "FEES-002")
@settings(max_examples=150)
@given(SPECS, st.sampled_from(StpMode), COMMANDS)
def test_no_history_breaks_the_ledger(spec: MarketSpec, stp: StpMode, commands: list[dict[str, Any]]) -> None:
    """The prices move far enough to bankrupt at low margins, so refusals are part of it."""
    venue = Venue(spec, stp, reference_price_e6=115 * spec.tick_e6)
    for command in commands:
        carry_out(venue, command)

    venue.run(SetState(MarketState.CLOSED))
    assert not any(venue.reserved.values())


@rule("MATC-022")
@settings(max_examples=150)
@given(
    SPECS,
    st.sampled_from(StpMode),
    COMMANDS,
    st.sampled_from(["BUY", "SELL"]),
    st.integers(1, 60),
    st.booleans(),
)
def test_fill_or_kill_is_all_or_nothing(
    spec: MarketSpec, stp: StpMode, commands: list[dict[str, Any]], side: Side, qty: int, reduce: bool
) -> None:
    venue = Venue(spec, stp, reference_price_e6=115 * spec.tick_e6)
    for command in commands:
        carry_out(venue, command)

    order = venue.order("t0", side, qty, 115, tif="FOK", reduce_only=reduce and spec is not SPOT)
    filled = sum(step.qty_e8 for step in venue.run(order) if isinstance(step, Fill))

    assert filled in (0, order.qty_e8)
    assert order.status == ("FILLED" if filled else "EXPIRED")


@rule("MATC-014")
@given(COMMANDS, st.integers(1, 5))
def test_a_sweep_cut_by_a_crash_goes_on_to_the_same_end(commands: list[dict[str, Any]], cut: int) -> None:
    """Two venues with one history; in the second the last order is matched in two lives."""
    whole, halved = Venue(TOY, reference_price_e6=115 * E6), Venue(TOY, reference_price_e6=115 * E6)
    for command in commands:
        carry_out(whole, command)
        carry_out(halved, command)
    whole.send("taker", "BUY", 40, 150, uuid="last")

    order = halved.order("taker", "BUY", 40, 150, uuid="last")
    fills = 0
    for step in halved.engine.run(order, whole.now_ns, whole.seq):
        halved.book(step)
        fills += isinstance(step, Fill)
        if fills == cut:
            break  # committed up to here, then the instance died
    if order.status == "PENDING":
        halved.seq, halved.now_ns = whole.seq - 1, whole.now_ns - 1
        reborn = type(halved.engine)(
            TOY, halved.engine.positions, open_interest_e8=halved.engine.open_interest_e8
        )
        reborn.restore(list(halved.engine.book.orders()))
        halved.engine = reborn
        halved.run(order)

    assert msgspec.structs.asdict(order) == msgspec.structs.asdict(whole.orders["last"])
    assert halved.engine.book.content_hash() == whole.engine.book.content_hash()


@rule("RISK-026", "RISK-011", "FEES-001")
@given(
    st.sampled_from([1_000_000, 100_000, 33_333]),
    st.sampled_from([FINE, SPOT]),
    st.integers(1, 500),
    st.lists(st.tuples(st.integers(1, 20), st.integers(0, 50)), max_size=25),
)
def test_a_hold_pays_for_every_fill_and_for_what_is_left(
    im_ppm: int, base: MarketSpec, limit: int, fills: list[tuple[int, int]]
) -> None:
    """I5 in isolation: fills at the limit or better, in any portions."""
    spec = msgspec.structs.replace(base, im_ppm=im_ppm, mm_ppm=1)
    order = Venue(spec).order("t", "BUY", max(1, sum(qty for qty, _ in fills)), limit)
    order.leaves_e8 = order.qty_e8
    held = order.hold
    for qty, better in fills:
        notional = max(1, limit - better) * spec.tick_e6 * qty * spec.lot_e8 // 10**8
        before = order.cum_notional
        order.leaves_e8 -= qty * spec.lot_e8
        order.cum_notional += notional
        fee = up(order.cum_notional * spec.fee_ppm) - order.fee_paid
        order.fee_paid += fee
        paid = notional if spec.kind == "SPOT" else up(order.cum_notional * im_ppm) - up(before * im_ppm)
        left = hold_at(order, spec, order.limit_price_e6, order.leaves_e8)
        assert held >= paid + fee + left
        held = left
    assert order.leaves_e8 or held == 0


@rule("RISK-027")
@given(st.integers(1, 10**12), st.integers(0, 999_999), st.sampled_from([1, 7, 100_000]))
def test_band_edges_are_the_outermost_ticks_inside(reference: int, band_ppm: int, tick: int) -> None:
    lower, upper = band(reference, band_ppm, tick)

    for edge, outward in ((lower, -tick), (upper, tick)):
        assert edge % tick == 0
        outside = abs((edge + outward) * E6 - reference * E6)
        assert outside > reference * band_ppm or (edge + outward - reference) * outward <= 0
    assert lower * E6 >= reference * (E6 - band_ppm)
    assert upper * E6 <= reference * (E6 + band_ppm)


@rule("RISK-005", "RISK-023")
@given(st.sampled_from(["BUY", "SELL"]), st.integers(400_000, 900_000), st.integers(1, 100))
def test_an_accepted_order_is_prepaid_for_any_price_inside_the_band(
    side: Side, ticks: int, lots: int
) -> None:
    """Whatever the maker's price, a fill inside limit and band costs no more than the hold."""
    venue = Venue(BTC, reference_price_e6=60_000 * E6)
    order: Order = venue.order("t", side, lots, ticks)
    if accept(order, BTC, MarketState.ACTIVE, 60_000 * E6, 0) is not None:
        return
    lower, upper = band(60_000 * E6, BTC.band_ppm, BTC.tick_e6)
    reach = (lower, order.limit_price_e6) if side == "BUY" else (order.limit_price_e6, upper)
    for price in reach:
        notional = price * order.qty_e8 // 10**8
        assert order.hold >= notional + -(-notional * 5 // 1000) or price > order.worst_price_e6
