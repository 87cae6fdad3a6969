"""Is a reservation enough by itself, whatever fills first? Yes under gross and pair, no under max."""

from __future__ import annotations

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from system.model.order import BUY, SELL
from system.model.units import PPM
from system.risk.netting import NettingRule, OpenOrder, order_margin, paying_e8, uncovered
from system.risk.reservations import Payoff, Terms, margin_cost
from tests.rules import rule

ONE = 10**8
K = 10**9
SELF_FUNDING = [NettingRule.GROSS, NettingRule.PAIR]


def terms(payoff: Payoff, im_ppm: int) -> Terms:
    return Terms(payoff=payoff, fee_ppm=0, im_ppm=im_ppm, max_price_e6=100 * K)


BOOKS = st.tuples(
    st.lists(st.tuples(st.integers(10, 49), st.integers(1, 4)), max_size=5),  # buys below 50
    st.lists(st.tuples(st.integers(51, 95), st.integers(1, 4)), max_size=5),  # sells above
    st.integers(-6, 6),  # position
    st.lists(st.tuples(st.booleans(), st.integers(1, 4)), max_size=12),  # which side fills, how much
)


def posted(size: int, price_e6: int, its: Terms) -> int:
    side = BUY if size > 0 else SELL
    return margin_cost(its, side, price_e6, abs(size)) if size else 0


@rule("RISK-050", "RISK-051", "RISK-052", "RISK-054")
@pytest.mark.parametrize("netting", SELF_FUNDING)
@pytest.mark.parametrize("payoff", [Payoff.LINEAR, Payoff.CAPPED])
@given(books=BOOKS, im_ppm=st.sampled_from([PPM, 500_000, 100_000]))
def test_margin_and_reservation_never_grow_by_a_fill(
    netting: NettingRule,
    payoff: Payoff,
    books: tuple[list[tuple[int, int]], list[tuple[int, int]], int, list[tuple[bool, int]]],
    im_ppm: int,
) -> None:
    buys, sells, lots, fills = books
    its = terms(payoff, im_ppm)
    cost = partial(margin_cost, its)
    listed = [(BUY, *order) for order in buys] + [(SELL, *order) for order in sells]
    orders = [OpenOrder(seq, side, price * K, qty * ONE) for seq, (side, price, qty) in enumerate(listed)]
    size, margin = lots * ONE, posted(lots * ONE, 50 * K, its)
    total = margin + order_margin(size, orders, netting, cost)
    for is_buy, wanted in fills:
        # the book fills the best price of a side first, and the oldest at one price
        side = [order for order in orders if (order.side == BUY) == is_buy]
        if not side:
            continue
        best = min(side, key=lambda o: (-o.price_e6 if is_buy else o.price_e6, o.seq))
        qty = min(wanted * ONE, best.leaves_e8)
        orders[orders.index(best)] = OpenOrder(best.seq, best.side, best.price_e6, best.leaves_e8 - qty)
        orders = [order for order in orders if order.leaves_e8]
        closed = min(qty, abs(size)) if (size > 0) != is_buy else 0
        margin -= margin * closed // abs(size) if closed else 0
        margin += margin_cost(its, best.side, best.price_e6, qty - closed)
        size += qty if is_buy else -qty
        after = margin + order_margin(size, orders, netting, cost)
        assert after <= total
        total = after


@rule("RISK-053", "RISK-054")
def test_max_is_short_once_the_dearer_side_fills() -> None:
    """Flat, bids for 1 at 59,000 and 58,000, an offer of 1 at 61,000; then the offer is taken."""
    cost = partial(margin_cost, terms(Payoff.LINEAR, PPM))
    bids = [OpenOrder(1, BUY, 59_000_000_000, ONE), OpenOrder(2, BUY, 58_000_000_000, ONE)]
    offer = OpenOrder(3, SELL, 61_000_000_000, ONE)

    before = {rule.value: order_margin(0, [*bids, offer], rule, cost) for rule in NettingRule}
    after = {rule.value: 61_000_000_000 + order_margin(-ONE, bids, rule, cost) for rule in NettingRule}

    assert before == {"gross": 178_000_000_000, "pair": 119_000_000_000, "max": 117_000_000_000}
    assert after == {"gross": 119_000_000_000, "pair": 119_000_000_000, "max": 119_000_000_000}


@rule("RISK-050", "RISK-052")
def test_the_best_priced_orders_close_and_the_dearer_of_a_pair_pays() -> None:
    orders = [
        OpenOrder(1, SELL, 62 * K, ONE),
        OpenOrder(2, SELL, 61 * K, ONE),
        OpenOrder(3, BUY, 59 * K, ONE // 2),
        OpenOrder(4, BUY, 58 * K, ONE),
    ]
    assert paying_e8(ONE, orders, NettingRule.GROSS) == [ONE, 0, ONE // 2, ONE]
    # the sell at 62 stands beside 0.5 at 59 and 0.5 at 58
    assert paying_e8(ONE, orders, NettingRule.PAIR) == [ONE, 0, 0, ONE // 2]
    assert paying_e8(ONE, orders, NettingRule.MAX) == [0, 0, ONE // 2, ONE]
    # of a capped future up to 100 a sell at 70 needs 30, so the buy pays
    capped = partial(margin_cost, terms(Payoff.CAPPED, PPM))
    two = [OpenOrder(1, BUY, 40 * K, ONE), OpenOrder(2, SELL, 70 * K, ONE)]
    assert paying_e8(0, two, NettingRule.PAIR, capped) == [ONE, 0]


@rule("RISK-055")
@given(books=BOOKS, funds=st.integers(0, 20 * 50 * K))
def test_what_is_not_covered_is_cancelled_newest_first(
    books: tuple[list[tuple[int, int]], list[tuple[int, int]], int, list[tuple[bool, int]]],
    funds: int,
) -> None:
    buys, sells, lots, _ = books
    cost = partial(margin_cost, terms(Payoff.LINEAR, PPM))
    listed = [(BUY, *order) for order in buys] + [(SELL, *order) for order in sells]
    orders = [OpenOrder(seq, side, price * K, qty * ONE) for seq, (side, price, qty) in enumerate(listed)]
    cancelled = uncovered(lots * ONE, orders, NettingRule.PAIR, cost, funds)
    kept = [order for at, order in enumerate(orders) if at not in cancelled]

    assert order_margin(lots * ONE, kept, NettingRule.PAIR, cost) <= funds
    for count in range(len(cancelled)):  # one cancel less is not enough
        rest = [order for at, order in enumerate(orders) if at not in cancelled[:count]]
        assert order_margin(lots * ONE, rest, NettingRule.PAIR, cost) > funds
        paying = paying_e8(lots * ONE, rest, NettingRule.PAIR, cost)
        assert orders[cancelled[count]].seq == max(
            order.seq for order, qty in zip(rest, paying, strict=True) if qty
        )
