"""How a matcher comes to own a market: take the lease, read the book from the store.

The first start and every later one are this same path (crash-only). Rules: LEAS-001, LEAS-002.
"""

from __future__ import annotations

from collections.abc import Iterable

from system.matcher.commit import Watermark, lease_row
from system.matcher.house import INVENTORY, house_from
from system.matcher.matching import Engine
from system.metrics.buckets import LITERAL, MinuteBucket, Tiers
from system.model import keys
from system.model.errors import ConditionFailed, Unavailable
from system.model.keys import Item, Key
from system.model.market import MarketState, spec_from_item
from system.model.order import OPEN, PENDING, UNTRIGGERED, order_from_item
from system.model.position import Position, position_from_item
from system.ports.store import NOT_EXISTS, Clause, Put, Store, Update, query_all

MAX_KEYS_PER_READ = 100  # of get_many
_PRINTS = ("TRADE", "LIQUIDATION")  # what moves the last price


class LeaseHeld(Unavailable):
    """Another matcher owns the market until its lease expires: (symbol, owner, expires_ns)."""


def take_lease(store: Store, symbol: str, owner: str, now_ns: int, lease_ns: int) -> tuple[Watermark, int]:
    """Become the only writer of a market; returns its watermark and open interest.

    Raises:
        LeaseHeld: somebody else's lease has not expired, or was faster.
    """
    key = Key(keys.market_pk(symbol), keys.LEASE)
    row = store.get(keys.MATCHER_LEASES, key)
    expires_ns = now_ns + lease_ns
    if row is None:
        mark = Watermark(owner, 1, 0, 0, 0, 0, "")
        try:
            store.write(Put(keys.MATCHER_LEASES, lease_row(symbol, mark, expires_ns), NOT_EXISTS))
        except ConditionFailed:
            raise LeaseHeld(symbol, "a matcher that was faster", expires_ns) from None
        return mark, 0
    if row["owner"] != owner and row["expires_ns"] > now_ns:
        raise LeaseHeld(symbol, row["owner"], row["expires_ns"])
    token = row["token"] + 1
    put = {"owner": owner, "token": token, "expires_ns": expires_ns}
    when = [Clause("token", "=", row["token"])]
    if row["owner"] != owner:  # it may have come back and renewed its lease since we read
        when.append(Clause("expires_ns", "=", row["expires_ns"]))
    try:
        store.write(Update(keys.MATCHER_LEASES, key, put=put, when=tuple(when)))
    except ConditionFailed:
        raise LeaseHeld(symbol, "a matcher that was faster", expires_ns) from None
    # Read again behind the fence: the last owner may have committed between our read and our token.
    row = store.get(keys.MATCHER_LEASES, key) or row
    told = (row["feed_seq"], row["admin_seq"])
    mark = Watermark(owner, token, row["applied_seq"], row["trade_no"], *told, row["minute"])
    return mark, row["open_interest_e8"]


def rebuild(store: Store, symbol: str, open_interest_e8: int) -> Engine:
    """Read a market's terms, its resting orders and their owners' positions.

    Raises:
        Unavailable: there is no such market.
    """
    pk = keys.market_pk(symbol)
    market = store.get(keys.MARKETS, Key(pk, keys.META))
    if market is None:
        raise Unavailable(f"matcher: expected a market {symbol!r} in {keys.MARKETS}, was none")
    orders = [
        order_from_item(row)
        for row in query_all(store, keys.ORDERS, pk)
        if row["orderType"] in ("LIMIT", "MARKET") and _is_waiting(row)
    ]
    spec = spec_from_item(market)
    house = house_from(
        spec,
        store.get(keys.MARKETS, Key(pk, keys.RISK)),
        store.get(keys.BALANCES, Key(pk, keys.asset_sk("USDC"))),
    )
    engine = Engine(spec, {}, MarketState(market["status"]), open_interest_e8=open_interest_e8, house=house)
    engine.reopens_ns = market.get("reopens_ns", 0)
    engine.last_e6 = _last_price_e6(store, pk) or engine.last_e6
    load_positions(store, engine, (order.trader for order in orders))
    if spec.clears:
        _load_all_positions(store, engine)
    engine.restore(orders)
    return engine


def _last_price_e6(store: Store, pk: str) -> int:
    """Return the price of a market's last trade of the book, 0 when none is among the newest rows.

    The clearing house knows it as of the last mark only. Rows are in the order of their instants, and a
    clock may have stepped back: so their numbers decide.
    """
    rows = store.query(keys.TRADES, pk, descending=True, limit=MAX_KEYS_PER_READ).items
    printed = [row for row in rows if row["tradeType"] in _PRINTS and row["maker"] != INVENTORY]
    return max(printed, key=_trade_no)["price_e6"] if printed else 0


def _trade_no(row: Item) -> int:
    number: int = row["trade_no"]
    return number


def _load_all_positions(store: Store, engine: Engine) -> None:
    """Read every position of a market: funding, liquidation and settlement concern them all.

    They are found by an index, which may be late; the sizes tell when one is missing.

    Raises:
        Unavailable: the index does not show all positions yet.
    """
    symbol = engine.spec.symbol
    seen = query_all(store, keys.POSITIONS, keys.market_pk(symbol), index="market")
    load_positions(store, engine, (row["trader"] for row in seen))
    sizes = [at.size_e8 for at in engine.positions.values()]
    long_e8 = sum(size for size in sizes if size > 0)
    plan = engine.house.state.plan  # in the middle of a settlement one side may be ahead of the other
    ahead = (
        sum(move.size_e8 for move in plan.moves if engine.position(move.trader).plan != plan.number)
        if plan
        else 0
    )
    if sum(sizes) + ahead or long_e8 != engine.open_interest_e8:
        raise Unavailable(
            f"matcher: expected positions of {symbol} that add up to {-ahead} with "
            f"{engine.open_interest_e8} long, was {sum(sizes)} and {long_e8}; the index is late"
        )
    engine.touch(*engine.positions)


def _is_waiting(row: Item) -> bool:
    """Tell whether the matcher has an order in hand: resting, waiting for its trigger, or just triggered."""
    if row["status"] == PENDING:
        return "trigger_e6" in row and "seq" in row
    return row["status"] in (OPEN, UNTRIGGERED)


def load_positions(store: Store, engine: Engine, traders: Iterable[str]) -> None:
    """Give the engine the positions that it lacks; who has none starts flat, and is not asked for again."""
    positions, symbol = engine.positions, engine.spec.symbol
    lacking = [trader for trader in dict.fromkeys(traders) if trader not in positions]
    if not lacking:
        return
    wanted = [Key(keys.trader_pk(trader), keys.market_pk(symbol)) for trader in lacking]
    for row in read_many(store, keys.POSITIONS, wanted):
        positions[row["trader"]] = position_from_item(row)
    for trader in lacking:
        if trader not in positions:
            positions[trader] = Position(trader=trader, symbol=symbol)


def read_many(store: Store, table: str, wanted: list[Key]) -> list[Item]:
    """Read any number of items, as many at a time as one call may."""
    rows: list[Item] = []
    for start in range(0, len(wanted), MAX_KEYS_PER_READ):
        rows += store.get_many(table, wanted[start : start + MAX_KEYS_PER_READ])
    return rows


def load_bucket(store: Store, symbol: str, now_ns: int, tiers: Tiers = LITERAL) -> MinuteBucket:
    """Return the accumulator of the present minute, restored from its row when there is one."""
    bucket = MinuteBucket(symbol, now_ns, tiers)
    row = store.get(keys.STATS_INTRADAY, bucket.key)
    if row is not None:
        bucket.restore(row)
    fine = bucket.fine
    if fine is not None:
        own = store.get(keys.STATS_INTRADAY, fine.key)
        if own is not None:
            fine.restore(own)
        elif row is not None:
            fine.go_on_from(row)
    return bucket
