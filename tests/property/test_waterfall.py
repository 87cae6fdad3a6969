"""Five presets drive liquidations through random books and marks: every sum is exact, to the unit.

The exchange here is a handful of positions, cash, a fund and a book of other people's orders; the
preset is asked for the next step and the step is carried out, as the matcher does it.
"""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from system.model.position import Position
from system.model.units import PPM, QTY_SCALE
from system.risk.insurance import Fund, event_cap, receive, write_off
from system.risk.liquidation.adl import Candidate, deleverage, overshoot, taken
from system.risk.liquidation.case import (
    Alert,
    Case,
    Close,
    Deleverage,
    Done,
    LiquidationTerms,
    Step,
    TakeOver,
    Wait,
    is_due,
)
from system.risk.liquidation.close_out import CloseOut, add_inventory, close_out, cover
from system.risk.liquidation.presets import PRESETS
from system.risk.margin import bankruptcy_price_e6, equity_e8
from system.risk.positions import fill_effect, settle_fill
from system.risk.tiers import brackets
from tests.rules import rule

TICK, LOT = 100_000, 10_000
USDC = 10**6
START = 60_000 * USDC
TRADERS = ("ann", "ben", "cat", "dan")
MAKER, EXCHANGE = "maker", "exchange"
MOST_STEPS = 30

TERMS = {
    "10x": LiquidationTerms(im_ppm=100_000, mm_ppm=50_000, tick_e6=TICK, lot_e8=LOT),
    "100 %": LiquidationTerms(tick_e6=TICK, lot_e8=LOT, event_cap_ppm=500_000),
    "partial": LiquidationTerms(
        im_ppm=100_000, im_target_ppm=60_000, tick_e6=TICK, lot_e8=LOT, min_liq_qty_e8=10 * LOT
    ),
    "no adl": LiquidationTerms(im_ppm=100_000, tick_e6=TICK, lot_e8=LOT, adl=False, max_rounds=1),
    "tiers": LiquidationTerms(
        im_ppm=100_000,
        tick_e6=TICK,
        lot_e8=LOT,
        schedule=brackets((0, 100_000, 40_000), (2_000 * USDC, 120_000, 60_000)),
    ),
}


class Floor:
    """Cash, positions and fund of one market, and what rests in its book."""

    def __init__(self, terms: LiquidationTerms, fund: int) -> None:
        self.terms = terms
        self.fund = Fund(fund)
        self.fees = 0
        self.cash = dict.fromkeys((*TRADERS, MAKER), 10**15)
        self.positions = {name: Position(trader=name, symbol="X") for name in (*TRADERS, MAKER, EXCHANGE)}
        self.resting: list[tuple[int, int]] = []  # price, quantity; all of it the maker's
        self.now = self.allowance = 0
        self.taken = self.deficit = 0
        self.total = self.worth()

    def worth(self) -> int:
        """Everything there is: no step may change it."""
        margins = sum(one.margin - one.cost for one in self.positions.values())
        return sum(self.cash.values()) + margins + self.fees + self.fund.balance - self.fund.bad_debt

    def trade(self, name: str, signed_e8: int, price: int) -> bool:
        effect = fill_effect(self.positions[name], signed_e8, price, self.terms.im_ppm)
        if effect is None:
            return False
        self.cash[name] += effect.pay_out - effect.margin_in
        settle_fill(self.positions[name], effect, 0)
        return True

    def open(self, buyer: str, seller: str, qty_e8: int, price: int) -> None:
        """Trade between two traders, unless it would bankrupt one of them."""
        sides = ((buyer, qty_e8), (seller, -qty_e8))
        if all(fill_effect(self.positions[name], qty, price, self.terms.im_ppm) for name, qty in sides):
            for name, qty in sides:
                self.trade(name, qty, price)

    def put(self, name: str, close: CloseOut) -> None:
        """Book one side of a forced close."""
        covered = cover(self.fund, close)
        self.fund = covered.fund
        self.allowance -= covered.paid
        self.fees += close.fee
        if name != EXCHANGE:
            self.cash[name] += close.pay_out
        else:
            assert close.pay_out == 0
        at = self.positions[name]
        at.size_e8, at.cost, at.margin = close.size_e8, close.cost, close.margin

    def close(self, name: str, step: Close) -> int:
        """Fill a close order from the book, best first; return what was filled."""
        at = self.positions[name]
        is_long = at.size_e8 > 0
        self.resting.sort(reverse=is_long)
        takes = [price for price, _ in self.resting if self.meets(price, step.limit_e6, is_long)]
        within = sum(qty for price, qty in self.resting if price in takes)
        if step.all_or_none and within < step.qty_e8:
            return 0
        left = step.qty_e8
        while left and self.resting and self.resting[0][0] in takes:
            price, qty = self.resting.pop(0)
            filled = min(qty, left)
            if qty > filled:
                self.resting.insert(0, (price, qty - filled))
            if not self.trade(MAKER, filled if is_long else -filled, price):
                continue  # the maker's order is cancelled instead
            close = close_out(
                at.size_e8,
                at.cost,
                at.margin,
                filled,
                price,
                liq_fee_ppm=step.liq_fee_ppm,
                fee_ppm=0 if step.residual_to_fund else self.terms.fee_ppm,
                residual_to_fund=step.residual_to_fund,
            )
            assert step.widened or close.deficit == 0
            self.put(name, close)
            left -= filled
        return step.qty_e8 - left

    @staticmethod
    def meets(price: int, limit: int, is_long: bool) -> bool:
        return price >= limit if is_long else price <= limit

    def take_over(self, name: str, step: TakeOver) -> None:
        at, own = self.positions[name], self.positions[EXCHANGE]
        signed = step.qty_e8 if at.size_e8 > 0 else -step.qty_e8
        self.put(
            name, close_out(at.size_e8, at.cost, at.margin, step.qty_e8, step.price_e6, residual_to_fund=True)
        )
        fill = add_inventory(own.size_e8, own.cost, signed, step.price_e6)
        own.size_e8, own.cost = fill.size_e8, fill.cost
        if fill.realised >= 0:
            self.fund = receive(self.fund, fill.realised)
        else:
            self.fund = write_off(self.fund, -fill.realised)

    def deleverage(self, name: str, step: Deleverage, mark: int) -> bool:
        """Close against the other side; say whether all of it was."""
        at = self.positions[name]
        is_long = at.size_e8 > 0
        names = [
            other for other, one in self.positions.items() if one.size_e8 and (one.size_e8 > 0) != is_long
        ]
        names.remove(EXCHANGE) if EXCHANGE in names else None
        others = [self.positions[other] for other in names]
        chosen = deleverage(
            [Candidate(seq, one.size_e8, one.cost, one.margin) for seq, one in enumerate(others)],
            step.qty_e8,
            step.price_e6,
            mark,
            step.policy,
            LOT,
        )
        self.deficit -= equity_e8(at.size_e8, at.cost, at.margin, mark) // QTY_SCALE
        for other, one, qty in zip(names, others, chosen.closed_e8, strict=True):
            if not qty:
                continue
            self.taken += taken(qty, one.size_e8 > 0, step.price_e6, mark)
            assert self.trade(other, qty if is_long else -qty, step.price_e6), "nobody bankrupts another"
            loser = close_out(
                at.size_e8, at.cost, at.margin, qty, step.price_e6, residual_to_fund=name == EXCHANGE
            )
            assert loser.deficit == 0, "at the bankruptcy price nothing is owed"
            self.put(name, loser)
        return chosen.left_e8 == 0


def liquidate(floor: Floor, name: str, preset: str, mark: int, prev: int) -> list[Step]:
    """Carry out a preset's steps until it is done, or waits with nothing to trade against."""
    at = floor.positions[name]
    floor.allowance = event_cap(floor.fund.balance, floor.terms.event_cap_ppm)
    case = Case(
        terms=floor.terms,
        size_e8=0,
        cost=0,
        margin=0,
        mark_e6=mark,
        prev_mark_e6=prev,
        band_low_e6=mark * 95 // (100 * TICK) * TICK,
        band_high_e6=mark * 105 // (100 * TICK) * TICK,
        now_ns=floor.now,
        open_orders=name != EXCHANGE,
        is_inventory=name == EXCHANGE,
        last_round_ns=floor.now,
    )
    steps: list[Step] = []
    for _ in range(MOST_STEPS):
        case = msgspec.structs.replace(
            case,
            size_e8=at.size_e8,
            cost=at.cost,
            margin=at.margin,
            fund=min(floor.allowance, floor.fund.balance),
            depth_e8=sum(qty for _, qty in floor.resting),
        )
        step = PRESETS[preset].next_step(case)
        assert step == PRESETS[preset].next_step(case)
        steps.append(step)
        if isinstance(step, Done):
            return steps
        if isinstance(step, Alert):
            case = msgspec.structs.replace(case, open_orders=False)
        elif isinstance(step, Close):
            assert 0 < step.qty_e8 <= abs(at.size_e8)
            assert step.limit_e6 >= TICK
            floor.close(name, step)
            case = msgspec.structs.replace(
                case, rounds=case.rounds + 1, last_round_ns=case.now_ns, widened=case.widened or step.widened
            )
        elif isinstance(step, TakeOver):
            floor.take_over(name, step)
        elif isinstance(step, Deleverage):
            done = floor.deleverage(name, step, mark)
            case = msgspec.structs.replace(case, deleveraged=not done)
        elif isinstance(step, Wait):
            assert step.until_ns > case.now_ns
            case = msgspec.structs.replace(case, now_ns=step.until_ns)
        check(floor)
    # a healthy case may wait for its price, and Vega's network only takes its share of a book
    waits = preset == "vega_staged" or not case.is_bankrupt or not reachable(floor, at, case)
    assert waits, "it gave up while there was something to trade with"
    return steps


def reachable(floor: Floor, at: Position, case: Case) -> bool:
    """Whether the book has a price inside the band against this position."""
    best = [price for price, _ in floor.resting]
    return any(price >= case.band_low_e6 if at.size_e8 > 0 else price <= case.band_high_e6 for price in best)


def check(floor: Floor) -> None:
    assert floor.worth() == floor.total
    assert sum(one.size_e8 for one in floor.positions.values()) == 0
    assert min(one.margin for one in floor.positions.values()) >= 0
    assert floor.fund.balance >= 0 <= floor.fund.bad_debt
    assert floor.fund.balance == 0 or floor.fund.bad_debt == 0
    for one in floor.positions.values():
        if not one.size_e8:
            assert (one.cost, one.margin) == (0, 0)


OPENED = st.lists(
    st.tuples(st.sampled_from(range(4)), st.integers(1, 3), st.integers(1, 60), st.integers(-300, 300)),
    min_size=1,
    max_size=8,
)
MARKS = st.lists(st.integers(-60, 70), min_size=1, max_size=4)  # per cent from the start
BOOK = st.lists(st.tuples(st.integers(-120, 120), st.integers(1, 50)), max_size=8)


@rule("LIQU-001", "LIQU-002", "LIQU-010", "LIQU-015", "LIQU-016", "LIQU-036", "ADEL-003", "ADEL-004")
@pytest.mark.parametrize("preset", list(PRESETS))
@pytest.mark.parametrize("terms", list(TERMS))
@settings(max_examples=60)
@given(opened=OPENED, marks=MARKS, book=BOOK, fund=st.sampled_from([0, 7, 50 * USDC, 10**9 * USDC]))
def test_every_step_conserves_and_no_account_is_below_zero(
    preset: str,
    terms: str,
    opened: list[tuple[int, int, int, int]],
    marks: list[int],
    book: list[tuple[int, int]],
    fund: int,
) -> None:
    floor = Floor(TERMS[terms], fund)
    for buyer, step, lots, away in opened:
        price = START + away * 10 * TICK
        floor.open(TRADERS[buyer], TRADERS[(buyer + step) % 4], lots * LOT, price)
    prev = START
    for moved in marks:
        mark = START * (100 + moved) // (100 * TICK) * TICK
        floor.resting = [(mark + mark * away // 1_000 // TICK * TICK, lots * LOT) for away, lots in book]
        for name in (*TRADERS, MAKER):
            at = floor.positions[name]
            if at.size_e8 and is_due(floor.terms, at.size_e8, at.cost, at.margin, mark):
                steps = liquidate(floor, name, preset, mark, prev)
                assert isinstance(steps[0], Alert)
            if floor.positions[EXCHANGE].size_e8:
                liquidate(floor, EXCHANGE, preset, mark, prev)
            check(floor)
        floor.now += 60_000_000_000
        prev = mark


@rule("ADEL-006")
@pytest.mark.parametrize("policy", ["ranked", "pro_rata"])
def test_deleveraging_a_bankrupt_with_an_empty_fund_overshoots_by_nothing(policy: str) -> None:
    floor = Floor(TERMS["10x"], 0)
    floor.open("ann", "ben", 40 * LOT, START)
    floor.open("ann", "cat", 60 * LOT, START)
    mark = 50_000 * USDC  # ann, ten times long at 60,000, is bankrupt at 54,000
    done = floor.deleverage("ann", Deleverage(100 * LOT, 54_000 * USDC, policy), mark)

    check(floor)
    assert done
    assert floor.deficit == floor.taken == 40 * USDC  # 4,000 for each of 0.01
    assert overshoot(floor.taken, floor.deficit) == 0
    # had the fund paid 15 of it before, the same closes took 15 too much
    assert overshoot(floor.taken, floor.deficit - 15 * USDC) == 15 * USDC
    assert all(one.size_e8 == 0 for one in floor.positions.values())


@rule("LIQU-011", "LIQU-012", "LIQU-010")
@given(
    st.integers(1, 500),
    st.booleans(),
    st.integers(0, 10**9),
    st.integers(0, 10**9),
    st.integers(1, 500),
    st.integers(0, 300),
    st.sampled_from([0, 10_000, PPM]),
)
@example(3, True, 31, 1, 1, 0, 0)  # a third of 1 rounded down would owe a unit
@example(3, False, 29, 1, 1, 0, 0)
def test_any_part_closed_at_the_bankruptcy_price_or_better_owes_nothing(
    lots: int, is_long: bool, cost: int, margin: int, closed: int, better: int, liq_fee_ppm: int
) -> None:
    side = 1 if is_long else -1
    size, qty = side * lots * LOT, min(closed, lots) * LOT
    worst = bankruptcy_price_e6(size, side * cost, margin, TICK)
    price = max(0, worst + side * better * TICK)
    close = close_out(size, side * cost, margin, qty, price, liq_fee_ppm=liq_fee_ppm, fee_ppm=5_000)

    assert close.deficit == 0
    assert min(close.insurance, close.fee, close.pay_out, close.margin) >= 0
    assert margin + close.realised == close.margin + close.insurance + close.fee + close.pay_out
    assert side * cost - close.cost == -close.realised - (-side) * close.notional
    if close.size_e8:
        after = bankruptcy_price_e6(close.size_e8, close.cost, close.margin, TICK)
        assert (after - worst) * side <= 0, "what remains is not nearer to bankruptcy"
