"""A stake answers for orders that come and go what the rules of netting say of all orders at once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from system.model.order import OPEN, Order, Side
from system.model.units import PPM
from system.risk.netting import NettingRule, OpenOrder, paying_e8
from system.risk.stake import Stake
from tests.rules import rule

LOT = 10**6
E6 = 10**6

MOVES = st.lists(
    st.tuples(st.sampled_from(["BUY", "SELL"]), st.integers(1, 60), st.integers(0, 9), st.integers(0, 12)),
    max_size=40,
)


def an_order(seq: int, side: Side, price: int, lots: int) -> Order:
    return Order(
        symbol="TOY-PERP",
        uuid=str(seq),
        trader="ann",
        account="ann",
        order_type="LIMIT",
        side=side,
        tif="GTC",
        qty_e8=lots * LOT,
        limit_price_e6=price * E6,
        nonce=seq,
        max_fee_bps=50,
        seq=seq,
        status=OPEN,
        leaves_e8=lots * LOT,
    )


@rule("RISK-056")
@pytest.mark.parametrize("netting", [NettingRule.PAIR, NettingRule.MAX])
@given(moves=MOVES, lots=st.integers(-20, 20), im_ppm=st.sampled_from([PPM, 333_333, 100_000]))
def test_relief_is_the_margin_of_what_the_rule_lets_off(
    netting: NettingRule, moves: list[tuple[Side, int, int, int]], lots: int, im_ppm: int
) -> None:
    """Orders may cross: self-trade prevention can be off."""
    stake, orders = Stake(), list[Order]()
    for seq, (side, price, qty, victim) in enumerate(moves, 1):
        if qty:
            order = an_order(seq, side, price, qty)
            orders.append(order)
            stake.look(order, order.leaves_e8)
        elif victim < len(orders):
            order = orders[victim]
            order.leaves_e8 //= 2 * LOT
            order.leaves_e8 *= LOT  # some of it is filled, or all
            stake.look(order, order.leaves_e8)
            orders = [order for order in orders if order.leaves_e8]
        relief = stake.relief(lots * LOT, netting, im_ppm)
        seen = [OpenOrder(o.seq, o.side, o.limit_price_e6, o.leaves_e8) for o in orders]
        paying = paying_e8(lots * LOT, seen, netting)
        let_off = sum(o.limit_price_e6 * (o.leaves_e8 - pays) for o, pays in zip(orders, paying, strict=True))
        most = sum(-(-o.limit_price_e6 * o.leaves_e8 // 10**8 * im_ppm // PPM) for o in orders)
        assert relief == min(let_off * im_ppm // (PPM * 10**8), most)
