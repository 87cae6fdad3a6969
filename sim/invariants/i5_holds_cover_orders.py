"""Every live order is paid for in advance."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from sim.invariants.ledger import USDC, balances, limit_orders, named, open_positions
from sim.invariants.registry import Found, invariant
from sim.invariants.state import State
from sim.invariants.verdict import Violation
from system.model import keys
from system.model.keys import Item
from system.model.market import MarketKind, MarketSpec
from system.model.order import BUY, LIVE, OPEN, PENDING
from system.model.units import PPM, QTY_SCALE

Orders = dict[tuple[str, str], list[Item]]


@invariant("I5_holds_cover_orders")
def check(state: State) -> Found:
    """A live order holds its worst remaining obligation, a resting one no more; nothing else is held.

    The obligation is computed here anew from the market's terms, not with the system's own rule:
    notional or margin of what is left at the worst price it may still be filled at, and the fee
    that the whole order then owes. What Balances says is reserved must be the holds of a trader's
    orders less his reliefs, and what his ended options are still claiming on chain; and a relief no more
    than the market's netting rule allows: the initial margin of what only closes, and of the cheaper of
    each pair (or side) of the rest.
    Source: identity I5 (rule CONS-005); "all orders fully pre-paid", design document section 1.
    """
    looked_at = 0
    held: dict[tuple[str, str], int] = defaultdict(int)
    resting: Orders = defaultdict(list)
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
        if hold > needed and row["status"] == OPEN:
            yield Violation(named(row), f"hold of {needed}, it rests", str(hold), hold - needed)
        held[row["trader"], row["hold_asset"]] += hold
        if state.specs[row["symbol"]].nets and row["status"] == OPEN and not row.get("reduce_only"):
            resting[row["trader"], row["symbol"]].append(row)
    yield from _reliefs(state, resting, held)
    _under_way(state, held)
    reserved = {(row.trader, row.asset): row.reserved for row in balances(state)}
    for trader, asset in sorted(set(held) | set(reserved)):
        expected, was = held[trader, asset], reserved.get((trader, asset), 0)
        if expected != was:
            where = f"trader {trader}: reserved {asset}"
            yield Violation(
                where, f"{expected}, the holds of the live orders less reliefs", f"{was}", abs(expected - was)
            )
    return looked_at


def _under_way(state: State, held: dict[tuple[str, str], int]) -> None:
    """Add what is reserved without a live order."""
    for row in state.items(keys.ORDERS):
        if row["orderType"] in ("MARGIN", "INSURE", "MINT", "REDEEM") and row["status"] == PENDING:
            held[row["trader"], row["hold_asset"]] += row["hold"]  # on its way into a market
    for row in state.items(keys.POSITIONS):
        held[row["trader"], USDC] += row.get("claiming", 0)  # paid by an end that is not final on chain


def _reliefs(state: State, resting: Orders, held: dict[tuple[str, str], int]) -> Iterator[Violation]:
    """Take the reliefs off what is held, and see that none is more than its market's rule allows."""
    for row in open_positions(state):
        if relief := row.get("relief", 0):
            trader, symbol = row["trader"], row["symbol"]
            most = _most_relief(row["size_e8"], resting[trader, symbol], state.specs[symbol])
            if relief > most:
                where = f"trader {trader} in {symbol}"
                yield Violation(where, f"relief of at most {most}", str(relief), relief - most)
            held[trader, USDC] -= relief


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
    capped = bool(spec.max_price_e6) and not buy
    if row["status"] == PENDING and not buy and not capped:
        # not matched yet: it may sell above its limit, up to the band, and then owes more
        price = max(price, row["worst_price_e6"])
    traded, notional = row["cum_notional"], price * leaves // QTY_SCALE
    fee = _ceil(traded + notional, spec.fee_ppm) - row["fee_paid"] if leaves else 0
    if spec.kind in (MarketKind.SPOT, MarketKind.OPTION):
        return USDC, notional + fee
    if capped:
        return USDC, (spec.max_price_e6 - price) * leaves // QTY_SCALE + fee
    return USDC, _ceil(traded + notional, spec.im_ppm) - _ceil(traded, spec.im_ppm) + fee


def _most_relief(size_e8: int, orders: list[Item], spec: MarketSpec) -> int:
    """Return the initial margin of what a trader's orders need not hold, rounded down."""
    buys = sorted([-o["limit_price_e6"], o["seq"], o["leaves_e8"]] for o in orders if o["side"] == BUY)
    sells = sorted([o["limit_price_e6"], o["seq"], o["leaves_e8"]] for o in orders if o["side"] != BUY)
    closing = sells if size_e8 > 0 else buys
    free = 0
    left = abs(size_e8)
    for order in closing:  # the best priced close first
        qty = min(left, order[2])
        free += abs(order[0]) * qty
        order[2] -= qty
        left -= qty
    if spec.netting == "max":
        free += min(sum(abs(price) * leaves for price, _, leaves in side) for side in (buys, sells))
    else:
        free += _cheaper_halves(buys, sells)
    return free * spec.im_ppm // (PPM * QTY_SCALE)


def _cheaper_halves(buys: list[list[int]], sells: list[list[int]]) -> int:
    """Return price times quantity of the cheaper order of each pair, best priced first."""
    free = buy = sell = 0
    while buy < len(buys) and sell < len(sells):
        qty = min(buys[buy][2], sells[sell][2])
        free += min(abs(buys[buy][0]), sells[sell][0]) * qty
        buys[buy][2] -= qty
        sells[sell][2] -= qty
        buy += not buys[buy][2]
        sell += not sells[sell][2]
    return free


def _ceil(amount: int, ppm: int) -> int:
    return -(-amount * ppm // PPM)
