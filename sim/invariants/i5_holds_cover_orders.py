"""Every live order is paid for in advance."""

from __future__ import annotations

from collections import defaultdict

from sim.invariants.ledger import USDC, balances, limit_orders, named
from sim.invariants.registry import Found, invariant
from sim.invariants.state import State
from sim.invariants.verdict import Violation
from system.model import keys
from system.model.keys import Item
from system.model.market import MarketKind, MarketSpec
from system.model.order import BUY, LIVE, PENDING
from system.model.units import PPM, QTY_SCALE


@invariant("I5_holds_cover_orders")
def check(state: State) -> Found:
    """A live order holds at least its worst remaining obligation; nothing else is held.

    The obligation is computed here anew from the market's terms, not with the system's own rule:
    notional or margin of what is left at the worst price it may still be filled at, and the fee
    that the whole order then owes. The holds of a trader's orders must be what Balances says is
    reserved.
    Source: identity I5 (rule CONS-005); "all orders fully pre-paid", design document section 1.
    """
    looked_at = 0
    held: dict[tuple[str, str], int] = defaultdict(int)
    for row in limit_orders(state):
        looked_at += 1
        hold = row["hold"]
        if row["status"] not in LIVE:
            if hold:
                yield Violation(named(row), "hold 0, the order has ended", str(hold), abs(hold))
            continue
        asset, needed = _obligation(row, state.specs[row["symbol"]])
        if row["hold_asset"] != asset:
            yield Violation(named(row), f"a hold in {asset}", f"in {row['hold_asset']}", needed)
        if hold < needed:
            yield Violation(named(row), f"hold of at least {needed}", str(hold), needed - hold)
        held[row["trader"], row["hold_asset"]] += hold
    for row in state.items(keys.ORDERS):
        if row["orderType"] in ("MARGIN", "INSURE") and row["status"] == PENDING:
            held[row["trader"], USDC] += row["hold"]  # on its way into a market
    reserved = {(row.trader, row.asset): row.reserved for row in balances(state)}
    for trader, asset in sorted(set(held) | set(reserved)):
        expected, was = held[trader, asset], reserved.get((trader, asset), 0)
        if expected != was:
            where = f"trader {trader}: reserved {asset}"
            yield Violation(where, f"{expected}, the holds of the live orders", f"{was}", abs(expected - was))
    return looked_at


def _obligation(row: Item, spec: MarketSpec) -> tuple[str, int]:
    """Return the asset and amount that an order may still have to pay."""
    leaves, buy = row["leaves_e8"], row["side"] == BUY
    if spec.kind is MarketKind.SPOT and not buy:
        return spec.base, leaves
    if row.get("reduce_only"):
        return USDC, 0  # it only closes, and pays out of what that sets free
    if spec.kind is MarketKind.OPTION and not buy:
        most = spec.cap_e6 - spec.strike_e6 if spec.option_type == "CALL" else spec.strike_e6
        return USDC, most * leaves // QTY_SCALE
    price = row["limit_price_e6"]
    if row["status"] == PENDING and not buy:
        # not matched yet: it may sell above its limit, up to the band, and then owes more
        price = max(price, row["worst_price_e6"])
    traded, notional = row.get("cum_notional", 0), price * leaves // QTY_SCALE
    fee = _ceil(traded + notional, spec.fee_ppm) - row.get("fee_paid", 0) if leaves else 0
    if spec.kind in (MarketKind.SPOT, MarketKind.OPTION):
        return USDC, notional + fee
    return USDC, _ceil(traded + notional, spec.im_ppm) - _ceil(traded, spec.im_ppm) + fee


def _ceil(amount: int, ppm: int) -> int:
    return -(-amount * ppm // PPM)
