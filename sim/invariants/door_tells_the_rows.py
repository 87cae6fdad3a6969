"""What the door shows is what the tables have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from sim.invariants.ledger import limit_orders, trades
from sim.invariants.registry import Found, invariant
from sim.invariants.state import State
from sim.invariants.verdict import Violation
from system.metrics.histogram import buckets_of, estimate_us
from system.model import keys
from system.model.keys import Item
from system.model.market import MARGINED
from system.model.units import DAY_NS, MINUTE_NS, NS, QTY_SCALE

_MOST = 12
"""So many traders are asked about, and so many pages of each are read."""
_PAGE = 7
_OF_AN_ORDER = ("status", "qty_e8", "leaves_e8", "cum_qty_e8", "cum_notional", "fee_paid", "hold")
_OF_A_POSITION = ("size_e8", "cost", "margin", "realised", "fees")
_OF_A_BALANCE = ("available", "reserved", "exiting", "backed")
_OF_A_PRINT = ("symbol", "trade_no", "price_e6", "qty_e8", "aggressor_side", "ts_ns")
_SUMS = ("volume", "buy_volume", "trades", "fees")
_PRICES = ("open_e6", "high_e6", "low_e6", "close_e6")
_QUANTILES = ((50, "latency_p50_us"), (95, "latency_p95_us"), (99, "latency_p99_us"))


@invariant("door_tells_the_rows", at_end_only=True)
def check(state: State) -> Found:
    """When all is quiet, every GET says what the tables have: nothing left out, nothing twice, newest first.

    Orders, fills, positions with their profit at the mark, balances, prints, the last 24 hours, minutes and
    all time, with the quantiles of all latencies together. Pages are read one after the other.
    Source: GET routes, design document section 6; rules QURY-001 to QURY-003 (rule CONS-041).
    """
    newest_first: list[Item] = sorted(trades(state), key=_sk, reverse=True)
    orders = sorted(limit_orders(state), key=_sk, reverse=True)
    looked_at = 0
    for trader in sorted(state.accounts)[:_MOST]:
        mine = [row for row in orders if row["trader"] == trader]
        looked_at += yield from _orders(state, trader, mine)
        fills = [row for row in newest_first if trader in (row["maker"], row["taker"])]
        looked_at += yield from _fills(state, trader, fills)
        looked_at += yield from _positions(state, trader)
    for symbol in state.specs:
        prints = [row for row in newest_first if row["symbol"] == symbol]
        looked_at += yield from _market(state, symbol, prints)
    return looked_at


def _sk(row: Item) -> str:
    sk: str = row["SK"]
    return sk


def _pages(state: State, route: str, name: str, **query: str) -> Iterator[Any]:
    """Iterate what is on the first pages of a list."""
    after = ""
    for _ in range(_MOST):
        said = state.ask(route, limit=str(_PAGE), **query, **({"next": after} if after else {}))
        yield from said[name]
        after = said["next"] or ""
        if not after:
            yield None  # that was all
            return


def _listed(where: str, shown: Iterable[Any], rows: list[Item], names: tuple[str, ...]) -> Found:
    """Compare a list that the door has shown with the rows that it should show, both newest first."""
    place = 0
    for one in shown:
        if one is None:
            if place < len(rows):
                yield Violation(where, f"{len(rows)} in all", str(place), len(rows) - place)
            return place
        if place == len(rows):
            yield Violation(where, f"{len(rows)} in all", "more")
            return place
        yield from _same(f"{where}, number {place + 1}", one, rows[place], names)
        place += 1
    return place


def _same(where: str, said: dict[str, Any], row: Item, names: Iterable[str]) -> Iterator[Violation]:
    for name in names:
        expected, was = str(row.get(name, 0)), str(said.get(name, 0))
        if expected != was:
            yield Violation(f"{where}: {name}", f"{expected}, as in its row", was)


def _orders(state: State, trader: str, rows: list[Item]) -> Found:
    shown = _pages(state, "GET /orders", "orders", trader=trader)
    return (yield from _listed(f"orders of {trader}", shown, rows, ("uuid", *_OF_AN_ORDER)))


def _fills(state: State, trader: str, rows: list[Item]) -> Found:
    expected = []
    for row in rows:
        role = "maker" if row["maker"] == trader else "taker"
        fee, order = row[f"{role}_fee"], row[f"{role}_order_id"]
        expected.append({**row, "role": role, "fee": fee, "order_id": order})
    shown = _pages(state, "GET /trades", "fills", trader=trader)
    names = ("trade_no", "symbol", "role", "fee", "order_id", "price_e6", "qty_e8")
    return (yield from _listed(f"fills of {trader}", shown, expected, names))


def _positions(state: State, trader: str) -> Found:
    said = state.ask("GET /positions", trader=trader)
    rows = [row for row in state.items(keys.POSITIONS) if row["trader"] == trader]
    yield from _listed(
        f"positions of {trader}", (*said["positions"], None), rows, ("symbol", *_OF_A_POSITION)
    )
    pk = keys.trader_pk(trader)
    held = [row for row in state.items(keys.BALANCES) if row["PK"] == pk]
    yield from _listed(f"balances of {trader}", (*said["balances"], None), held, _OF_A_BALANCE)
    marks = {row["symbol"]: row.get("mark_e6", 0) for row in _markets(state)}
    for row, one in zip(rows, said["positions"], strict=False):
        mark_e6 = marks[row["symbol"]]
        if mark_e6 and state.specs[row["symbol"]].kind in MARGINED:
            worth = row["size_e8"] * mark_e6 // QTY_SCALE - row["cost"]
            where = f"positions of {trader}, {row['symbol']}"
            yield from _same(where, one, {"unrealised": worth, "mark_e6": mark_e6}, ("unrealised", "mark_e6"))
    return len(rows) + len(held)


def _markets(state: State) -> list[Item]:
    return [row for row in state.items(keys.MARKETS) if row["SK"] == keys.META]


def _market(state: State, symbol: str, prints: list[Item]) -> Found:
    shown = _pages(state, "GET /markets/{symbol}/trades", "trades", symbol=symbol)
    trades_only = (one for one in shown if one is None or "trade_no" in one)
    looked_at = yield from _listed(f"prints of {symbol}", trades_only, prints, _OF_A_PRINT)
    pk = keys.market_pk(symbol)
    rows = [row for row in state.items(keys.STATS_INTRADAY) if row["PK"] == pk and not _is_over(row, state)]
    rows.sort(key=_sk)
    stats = state.ask("GET /stats/{symbol}", symbol=symbol, minutes="1440")
    told = {one["minute"]: one for one in stats["intraday"]}
    if sorted(told) != [row["SK"] for row in rows][-1440:]:
        yield Violation(f"minutes of {symbol}", f"{len(rows)} minutes", f"{len(told)}, or others")
    for row in rows:
        yield from _statistics(f"{symbol} at {row['SK']}", told.get(row["SK"], {}), [row], (*_SUMS, *_PRICES))
    ticker = state.ask("GET /markets/{symbol}/ticker", symbol=symbol)
    recent = _recent(rows, state.now_ns)
    sums = {name: sum(row.get(name, 0) for row in recent) for name in ("volume", "volume_e8", "trades")}
    yield from _same(f"the last 24 hours of {symbol}", ticker["day"], sums, sums)
    all_time = state.items(keys.STATS_LIFETIME)
    yield from _statistics(f"all time, asked with {symbol}", stats["lifetime"], all_time, _SUMS)
    return looked_at + len(rows) + 2


def _is_over(row: Item, state: State) -> bool:
    return bool("ttl" in row and row["ttl"] * NS <= state.now_ns)


def _recent(rows: list[Item], now_ns: int) -> list[Item]:
    """Return the minutes of the last 24 hours, the present one among them."""
    first_ns = now_ns - now_ns % MINUTE_NS - DAY_NS + MINUTE_NS
    first = datetime.fromtimestamp(first_ns // NS, UTC).strftime("%Y-%m-%dT%H:%M")
    return [row for row in rows if row["SK"] >= first]


def _statistics(
    where: str, said: dict[str, Any], rows: list[Item], names: Iterable[str]
) -> Iterator[Violation]:
    """Compare sums, and the quantiles of all latencies of the rows together."""
    yield from _same(where, said, {name: sum(row.get(name, 0) for row in rows) for name in names}, names)
    counts: Counter[int] = Counter()
    for row in rows:
        counts.update(buckets_of(row))
    latencies = [index for index in sorted(counts) for _ in range(counts[index])]
    if latencies:
        expected = {
            name: round(estimate_us(latencies[percent * (len(latencies) - 1) // 100]))
            for percent, name in _QUANTILES
        }
        yield from _same(where, said, expected, expected)
