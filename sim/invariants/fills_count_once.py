"""Every fill is in its two orders and its two positions, once."""

from __future__ import annotations

from collections import defaultdict

from sim.invariants.ledger import limit_orders, named, trades
from sim.invariants.registry import Found, invariant
from sim.invariants.state import State
from sim.invariants.verdict import Violation
from system.model import keys
from system.model.market import MarketState
from system.model.order import BUY, SELL

_SUMS = ("cum_qty_e8", "cum_notional", "fee_paid")


@invariant("fills_count_once")
def check(state: State) -> Found:
    """What an order has traded and paid is the sum over its trades, and so is a position's size.

    The resting order of a trade was sequenced before the arriving one, the price is its limit, and both
    belong to the traders that the trade names, on the sides that it names.
    Source: exactly-once fills, issue of the simulated world; FIX CumQty (14) (rule CONS-030).
    """
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    sizes: dict[tuple[str, str], int] = defaultdict(int)
    orders = {f"{row['symbol']}:{row['uuid']}": row for row in limit_orders(state)}
    rows = trades(state)
    for trade in rows:
        where = f"{trade['symbol']} trade {trade['trade_no']}"
        other = SELL if trade["aggressor_side"] == BUY else BUY
        for role, side in (("maker", other), ("taker", trade["aggressor_side"])):
            signed = trade["qty_e8"] if side == BUY else -trade["qty_e8"]
            sizes[trade[role], trade["symbol"]] += signed
            order_id = trade[f"{role}_order_id"]
            done = sums[order_id]
            for place, amount in enumerate((trade["qty_e8"], trade["notional"], trade[f"{role}_fee"])):
                done[place] += amount
            order = orders.get(order_id)
            if order is not None and (order["trader"], order["side"]) != (trade[role], side):
                expected = f"{role} {order['trader']}, {order['side']}, as in its order"
                yield Violation(where, expected, f"{trade[role]}, {side}")
        maker, taker = orders.get(trade["maker_order_id"]), orders.get(trade["taker_order_id"])
        if maker is not None and trade["price_e6"] != maker["limit_price_e6"]:
            expected = f"the resting order's price, {maker['limit_price_e6']}"
            yield Violation(where, expected, str(trade["price_e6"]))
        # a stop order that is triggered has the number of the command that moved the price
        first = trade["seq"] - (0 if taker is not None and taker.get("trigger_e6") else 1)
        if maker is not None and taker is not None and maker["seq"] > first:
            yield Violation(where, f"a maker sequenced before {trade['seq']}", str(maker["seq"]))
    for order_id, order in orders.items():
        for place, name in enumerate(_SUMS):
            was, traded = order[name], sums[order_id][place]
            if was != traded:
                where = f"{named(order)}: {name}"
                yield Violation(where, f"{traded}, the sum of its trades", str(was), abs(was - traded))
    ended = {row["symbol"] for row in state.items(keys.MARKETS) if row.get("status") in _SETTLES}
    for row in state.items(keys.POSITIONS):
        place_of = (row["trader"], row["symbol"])
        size_e8 = sizes.pop(place_of, 0)
        if row["size_e8"] != size_e8 and row["symbol"] not in ended:
            where = f"trader {row['trader']}: size in {row['symbol']}"
            size = abs(row["size_e8"] - size_e8)
            yield Violation(where, f"{size_e8}, the sum of its trades", str(row["size_e8"]), size)
    return len(orders) + len(rows)


_SETTLES = (MarketState.SETTLING.value, MarketState.CLOSED.value)
"""In these states a position ends by settlement, not by a trade."""
