"""The three tiers of statistics say what the trades say."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from typing import Any

from sim.invariants.ledger import limit_orders, market_accounts, trades
from sim.invariants.registry import Found, invariant
from sim.invariants.state import State
from sim.invariants.verdict import Violation
from system.metrics.queries import all_time
from system.model import keys
from system.model.keys import Item
from system.model.order import BUY
from system.model.units import PPM

_NS = 10**9
_MINUTE_NS = 60 * _NS
_TTL_NS = 48 * 3600 * _NS
_LAST_ROLL_UP_NS = 11 * _MINUTE_NS
"""So long after midnight the last of a day's roll-ups has been done."""
_SUMS = ("volume", "volume_e8", "buy_volume", "trades", "fees")
_PRICES = ("open_e6", "high_e6", "low_e6", "close_e6")
Row = dict[str, int]


@invariant("stats_against_trades")
def check(state: State) -> Found:
    """Each minute, each rolled-up day and the all-time row add up to the trades they stand for, exactly.

    Volume, quantity, bought volume, number of trades and fees are sums over Trades; open, high,
    low and close are its prices; the latency histogram counts one value per trade, as each has
    one aggressor. The fees, less each order's rebate, are also what the market's account holds. In
    the end, each day that is over must have been rolled up.
    Source: identities R1 to R6 of the metrics (rule CONS-012); design document section 5.
    """
    minutes, days, total = _added_up(trades(state))
    looked_at = 0
    for table, expected in ((keys.STATS_INTRADAY, minutes), (keys.STATS_DAILY, days)):
        rows = {
            (row["PK"][7:], row["SK"]): row for row in state.items(table) if not row["PK"].endswith(keys.FINE)
        }
        for place in sorted(set(rows) | set(expected)):
            if place not in rows and (table == keys.STATS_DAILY or _expired(place[1], state.now_ns)):
                continue
            looked_at += 1
            where = f"{table} {place[0]} {place[1]}"
            if table == keys.STATS_DAILY and not state.final and place[1] == _being_rolled_up(state.now_ns):
                yield from _no_more(where, expected.get(place, {}), rows[place])
                continue
            yield from _compare(where, expected.get(place, {}), rows.get(place, {}), (*_SUMS, *_PRICES))
        if table == keys.STATS_DAILY and state.final:
            for symbol, day in sorted(set(days) - set(rows)):
                if day < _label(state.now_ns, "%Y-%m-%d"):
                    yield Violation(f"{table} {symbol} {day}", "a row, the day is over", "none")
    if rows_of_all_time := state.items(keys.STATS_LIFETIME):
        looked_at += 1
        row = all_time(rows_of_all_time)
        by_market = [name for name in (*total, *row) if name.startswith("volume_e8#")]
        names = [name for name in _SUMS if name != "volume_e8"] + sorted(set(by_market))
        yield from _compare(f"{keys.STATS_LIFETIME} {keys.LIFETIME_PK}", total, row, names)
    if total and not state.items(keys.STATS_LIFETIME):
        yield Violation(keys.STATS_LIFETIME, "one row", "none")
    rebates = _rebates(state)
    for account in market_accounts(state):
        looked_at += 1
        fees = sum(row["fees"] for (symbol, _), row in minutes.items() if symbol == account.symbol)
        fees -= rebates.get(account.symbol, 0)
        if fees != account.fees:
            where = f"{account.symbol}: fees of the market's account"
            yield Violation(
                where, f"{fees}, of the trades", f"{account.fees} uUSDC", abs(fees - account.fees)
            )
    return looked_at


def _rebates(state: State) -> dict[str, int]:
    """Return what of each market's fees came back: of every order one share, rounded down. Rule: FEES-006."""
    sums: dict[str, int] = defaultdict(int)
    shares = {symbol: spec.rebate_ppm for symbol, spec in state.specs.items() if spec.rebate_ppm}
    for row in limit_orders(state) if shares else ():
        sums[row["symbol"]] += row["fee_paid"] * shares.get(row["symbol"], 0) // PPM
    return sums


def _added_up(trades: list[Item]) -> tuple[dict[tuple[str, str], Row], dict[tuple[str, str], Row], Row]:
    """Return what the trades add up to by (market, minute), by (market, day), and in all."""
    minutes: dict[tuple[str, str], Row] = defaultdict(lambda: defaultdict(int))
    days: dict[tuple[str, str], Row] = defaultdict(lambda: defaultdict(int))
    total: Row = defaultdict(int)
    names: dict[int, tuple[str, str]] = {}  # minute and day by minute number; strftime is slow
    for trade in sorted(trades, key=_number):
        symbol, price = trade["symbol"], trade["price_e6"]
        sums = {
            "volume": trade["notional"],
            "buy_volume": trade["notional"] if trade["aggressor_side"] == BUY else 0,
            "trades": 1,
            "fees": trade["maker_fee"] + trade["taker_fee"],
        }
        minute = trade["ts_ns"] // _MINUTE_NS
        labels = names.get(minute)
        if labels is None:
            label = _label(trade["ts_ns"], "%Y-%m-%dT%H:%M")
            labels = names[minute] = (label, label[:10])
        places = (minutes[symbol, labels[0]], days[symbol, labels[1]])
        for name, amount in sums.items():
            total[name] += amount
            for row in places:
                row[name] += amount
        total["volume_e8#" + symbol] += trade["qty_e8"]
        for row in places:
            row["volume_e8"] += trade["qty_e8"]
            row.setdefault("open_e6", price)
            row["high_e6"] = max(price, row.get("high_e6", price))
            row["low_e6"] = min(price, row.get("low_e6", price))
            row["close_e6"] = price
    return minutes, days, total


def _compare(where: str, expected: Row, was: dict[str, Any], names: tuple[str, ...] | list[str]) -> Found:
    for name in names:
        right, kept = expected.get(name, 0), was.get(name, 0)
        if right != kept:
            yield Violation(f"{where}: {name}", f"{right}, of the trades", str(kept), abs(right - kept))
    counted = sum(count for name, count in was.items() if name.startswith("h_"))
    if counted != expected.get("trades", 0):
        right = expected.get("trades", 0)
        size = abs(right - counted)
        yield Violation(f"{where}: latencies counted", f"{right}, one a trade", str(counted), size)
    return 0


def _no_more(where: str, expected: Row, was: dict[str, Any]) -> Found:
    """A fill may be committed behind its day's first roll-up, and is missing until the next (ROLL-002)."""
    for name in _SUMS:
        right, kept = expected.get(name, 0), was.get(name, 0)
        if kept > right:
            yield Violation(f"{where}: {name}", f"at most {right}, of the trades", str(kept), kept - right)
    return 0


def _number(trade: Item) -> int:
    number: int = trade["trade_no"]
    return number


def _label(ts_ns: int, form: str) -> str:
    return datetime.fromtimestamp(ts_ns // _NS, UTC).strftime(form)


def _being_rolled_up(now_ns: int) -> str:
    """Return the day before, until its last roll-up; then none."""
    day = _label(now_ns - _LAST_ROLL_UP_NS, "%Y-%m-%d")
    return "" if day == _label(now_ns, "%Y-%m-%d") else day


def _expired(minute: str, now_ns: int) -> bool:
    """Tell whether a minute's row may have been swept away by its TTL."""
    began_ns = int(datetime.strptime(minute + "+0000", "%Y-%m-%dT%H:%M%z").timestamp()) * _NS
    return now_ns - began_ns >= _TTL_NS
