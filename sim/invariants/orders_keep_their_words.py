"""What a trader signed is what happens."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from sim.invariants.ledger import limit_orders, named, trades
from sim.invariants.registry import Found, invariant
from sim.invariants.state import State
from sim.invariants.verdict import Violation
from system.model import keys
from system.model.keys import Item
from system.model.market import MarketKind, MarketSpec
from system.model.order import BUY, CANCELED, LIVE, OPEN, PENDING
from system.model.units import PPM

_DONE = "DONE"


@invariant("orders_keep_their_words")
def check(state: State) -> Found:
    """No order trades beyond its limit, after its expiry or against its flags; what was cancelled is gone.

    A post-only order is never an aggressor, an IOC or FOK order never rests, a FOK order trades all or
    nothing, a trader does not meet himself where a mode forbids it. Prices are on the tick, quantities on
    the lot. A cancel that was done has ended its trader's order, or all of them below the nonce floor.
    Source: FIX TimeInForce (59), ExecInst (18); Binance, self-trade prevention (rule CONS-031).
    """
    orders = {f"{row['symbol']}:{row['uuid']}": row for row in limit_orders(state)}
    for order in orders.values():
        yield from _of_order(order, state.specs[order["symbol"]], state.now_ns)
    rows = trades(state)
    for trade in rows:
        yield from _of_trade(trade, orders, state.specs[trade["symbol"]])
    commands = [row for row in state.items(keys.ORDERS) if row["orderType"] == "CANCEL"]
    cancels = [row for row in commands if row["status"] == _DONE]
    yield from _cancelled(cancels, orders)
    yield from _without_cause(cancels, orders)
    yield from _replaced(orders)
    return len(orders) + len(rows) + len(cancels)


def _of_order(order: Item, spec: MarketSpec, now_ns: int) -> Iterator[Violation]:
    if order["limit_price_e6"] % spec.tick_e6:
        yield Violation(named(order), f"a price on the tick of {spec.tick_e6}", str(order["limit_price_e6"]))
    if order["qty_e8"] % spec.lot_e8:
        yield Violation(named(order), f"a quantity in lots of {spec.lot_e8}", str(order["qty_e8"]))
    if order["side"] != BUY and spec.kind is not MarketKind.OPTION:
        # its worst price is the band's upper edge at its acceptance, so the lower edge follows
        low = order["worst_price_e6"] * (PPM - spec.band_ppm) // (PPM + spec.band_ppm) - 2 * spec.tick_e6
        if order["limit_price_e6"] < low:
            yield Violation(named(order), f"at least {low}, within the band", str(order["limit_price_e6"]))
    expires_ns = order.get("expire_ns", 0)
    if expires_ns and order["accepted_ns"] >= expires_ns:
        yield Violation(named(order), f"accepted before {expires_ns}", str(order["accepted_ns"]))
    status = order["status"]
    if status == OPEN and (order["tif"] in ("IOC", "FOK") or order["orderType"] == "MARKET"):
        yield Violation(named(order), f"an end at once, it is {order['tif']}", "in the book")
    if order["tif"] == "FOK" and status not in LIVE and order["cum_qty_e8"] not in (0, order["qty_e8"]):
        yield Violation(named(order), f"all or nothing of {order['qty_e8']}", str(order["cum_qty_e8"]))


def _of_trade(trade: Item, orders: dict[str, Item], spec: MarketSpec) -> Iterator[Violation]:
    where = f"{trade['symbol']} trade {trade['trade_no']}"
    maker, taker = orders.get(trade["maker_order_id"]), orders.get(trade["taker_order_id"])
    for order in (maker, taker):
        if order is None:
            continue
        limit, price = order["limit_price_e6"], trade["price_e6"]
        if price > limit if order["side"] == BUY else price < limit:
            yield Violation(f"{where}, {named(order)}", f"no worse than {limit}", str(price))
        expires_ns = order.get("expire_ns", 0)
        if expires_ns and trade["ts_ns"] >= expires_ns:
            yield Violation(f"{where}, {named(order)}", f"before {expires_ns}", str(trade["ts_ns"]))
    if taker is None:
        return
    if taker.get("post_only"):
        yield Violation(f"{where}, {named(taker)}", "only a maker, it is post-only", "a taker")
    if taker["accepted_ns"] + trade["latency_ns"] != trade["ts_ns"]:
        expected = f"latency {trade['ts_ns'] - taker['accepted_ns']}, from the acceptance to the trade"
        yield Violation(where, expected, str(trade["latency_ns"]))
    if maker is not None and (taker.get("stp") or spec.stp) != "NONE":
        group = taker.get("trade_group", "")
        if maker["trader"] == taker["trader"] or (group and group == maker.get("trade_group", "")):
            yield Violation(where, "two traders", f"{taker['trader']} on both sides")


def _cancelled(cancels: list[Item], orders: dict[str, Item]) -> Iterator[Violation]:
    live: dict[tuple[str, str], list[Item]] = defaultdict(list)
    for order in orders.values():
        if order["status"] in LIVE and order["status"] != PENDING:
            live[order["trader"], order["symbol"]].append(order)
    for row in cancels:
        if not row["target"]:
            for order in live[row["trader"], row["symbol"]]:
                if order["nonce"] < row["nonce_floor"] and order["seq"] < row["seq"]:
                    yield Violation(named(order), f"gone, cancelled below nonce {row['nonce_floor']}", "live")
            continue
        order = orders[row["target"]]
        if order["trader"] != row["trader"]:
            yield Violation(f"cancel of {named(order)}", f"by its trader {order['trader']}", row["trader"])
        elif order["status"] != CANCELED:
            yield Violation(named(order), "CANCELED, its cancel was done", order["status"])


def _without_cause(cancels: list[Item], orders: dict[str, Item]) -> Iterator[Violation]:
    """Find orders that say they were cancelled by their trader, and were not."""
    targets = {row["target"] for row in cancels}
    floors: dict[tuple[str, str], int] = {}
    for row in cancels:
        place = (row["trader"], row["symbol"])
        floors[place] = max(floors.get(place, 0), row["nonce_floor"])
    for order_id, order in orders.items():
        if order.get("reason") == "CANCEL_REQUESTED" and order_id not in targets:
            floor = floors.get((order["trader"], order["symbol"]), 0)
            if order["nonce"] >= floor:
                yield Violation(named(order), "a cancel of its trader that names it", f"floor {floor}")


def _replaced(orders: dict[str, Item]) -> Iterator[Violation]:
    """Find orders that live on beside the one that took their place."""
    for order in orders.values():
        old = orders.get(order.get("replaces", ""))
        entered = order["status"] == OPEN or order["cum_qty_e8"]
        if old is not None and old["status"] in LIVE and entered:
            yield Violation(named(old), f"gone, {order['uuid']} has taken its place", "live")
