"""Self-trade prevention: `system.matcher.matching`, one trader on both sides of a book."""

from __future__ import annotations

from collections import defaultdict

import msgspec

from system.matcher.steps import Done, Fill, Reduced, StpMode
from system.model.order import BUY, OPEN, SELL, Order
from tests.golden.adapters import Inputs, Outputs, adapter
from tests.golden.numbers import decimal, units
from tests.unit.matcher.venue import TOY, Venue

DECIMALS = 4
FINE = msgspec.structs.replace(TOY, tick_e6=10 ** (6 - DECIMALS), lot_e8=10 ** (8 - DECIMALS))
FAR = 10**9  # ticks: what a market order is limited by
NEW = "NEW"  # the source's word for an order that rests


def send(venue: Venue, order: Inputs, prevented: dict[str, int]) -> tuple[Order, int]:
    """Place an order of the one trader; return it and how often it traded."""
    side = BUY if order["side"] == "BUY" else SELL
    market = order.get("type") == "MARKET"
    price = (FAR if side == BUY else 1) if market else units(order["price"], DECIMALS)
    terms = {"order_type": "MARKET", "tif": "IOC"} if market else {}
    if "mode" in order:
        terms["stp"] = order["mode"]
    placed = venue.order("ann", side, units(order["qty"], DECIMALS), price, **terms)
    trades = 0
    for step in venue.run(placed):
        if isinstance(step, Done | Reduced):
            prevented[step.order.uuid] += step.prevented_e8
        trades += isinstance(step, Fill)
    return placed, trades


def status(order: Order) -> str:
    return NEW if order.status == OPEN else order.status


@adapter(
    "none",
    "expire_maker",
    "expire_taker",
    "expire_both",
    "taker_mode_wins",
    "market_order_expire_maker",
    "decrement",
)
def self_trade(inputs: Inputs) -> Outputs:
    venue = Venue(FINE, StpMode.NONE)
    prevented: defaultdict[str, int] = defaultdict(int)
    makers = [send(venue, maker, prevented)[0] for maker in inputs["makers"]]
    taker, trades = send(venue, {**inputs["taker"], "mode": inputs["mode"]}, prevented)
    statuses = [status(maker) for maker in makers]
    return {
        "trades": trades,
        "maker_status": statuses[0] if inputs["mode"] == "NONE" and len(makers) == 1 else statuses,
        "maker_prevented": [decimal(prevented[maker.uuid], 8) for maker in makers],
        "maker_remaining": [decimal(maker.leaves_e8, 8) for maker in makers],
        "taker_status": status(taker),
        "taker_prevented": decimal(prevented[taker.uuid], 8),
        "taker_resting_qty": decimal(taker.leaves_e8, 8),
    }
