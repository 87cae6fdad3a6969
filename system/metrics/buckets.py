"""The minute of a market while it happens: step 6 of docs/walk.md, METR-001 to METR-005.

The market's only writer keeps one `MinuteBucket`. Sums are sent as ADD of what came since the
last commit; prices, and the gauges that moved, as SET of what they are now, which is safe with
one writer. A commit that fails drops the bucket together with the book; `restore` reads it back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import NamedTuple, Protocol

from system.metrics import definitions as names
from system.metrics.histogram import bucket_index, bucket_name
from system.model import keys
from system.model.keys import Item, Key
from system.model.order import BUY
from system.model.trade import Trade
from system.model.units import MINUTE_NS, NS, QTY_SCALE
from system.ports.store import Update

INTRADAY_TTL_S = 48 * 3600
FINE_NS = 5 * NS
_BPS = 10_000


class Tiers(NamedTuple):
    """In which form the tiers are kept: the literal one, unless somebody wants another."""

    sharded: bool = False  # an all-time row for each market, instead of one that all write
    fine: bool = False  # rows of five seconds beside those of a minute

    def lifetime_key(self, symbol: str) -> Key:
        """Return the all-time row that a market adds to."""
        return Key(keys.LIFETIME_PK, "SHARD#" + symbol if self.sharded else keys.META)


LITERAL = Tiers()


class PriceLevel(Protocol):
    """One price of a book and what rests there."""

    price_e6: int
    qty_e8: int


class BookView(Protocol):
    """A book as far as depth is concerned: levels of each side, best first."""

    @property
    def bids(self) -> Iterable[PriceLevel]: ...

    @property
    def asks(self) -> Iterable[PriceLevel]: ...


def minute_label(now_ns: int) -> str:
    """Return the sort key of a minute row.

    >>> minute_label(1_746_303_319_000_000_000)
    '2025-05-03T20:15'
    """
    return datetime.fromtimestamp(now_ns // NS, UTC).strftime("%Y-%m-%dT%H:%M")


def fine_key(symbol: str, now_ns: int) -> Key:
    """Return the key of a row of five seconds; they have a partition of their own beside the minutes.

    >>> fine_key("BTC-PERP", 1_746_303_319_000_000_000)
    Key(pk='MARKET#BTC-PERP#5s', sk='2025-05-03T20:15:15')
    """
    begin = datetime.fromtimestamp((now_ns - now_ns % FINE_NS) // NS, UTC)
    return Key(keys.fine_pk(symbol), begin.strftime("%Y-%m-%dT%H:%M:%S"))


class MinuteBucket:
    """What a market's present minute amounts to, and what of it is not yet committed.

    With `tiers.fine` it keeps the present five seconds in the same way, in a bucket of their own.
    """

    __slots__ = (
        "_buckets",
        "_gauges",
        "_measured",
        "_moved",
        "_prices",
        "_span_ns",
        "_sums",
        "fine",
        "key",
        "minute_ns",
        "symbol",
        "tiers",
    )

    def __init__(self, symbol: str, now_ns: int, tiers: Tiers = LITERAL, span_ns: int = MINUTE_NS) -> None:
        self.symbol = symbol
        self.tiers = tiers
        self.fine = MinuteBucket(symbol, now_ns, span_ns=FINE_NS) if tiers.fine else None
        self._span_ns = span_ns
        self._gauges: dict[str, int] = {}
        self._begin(now_ns)

    def _begin(self, now_ns: int) -> None:
        self.minute_ns = now_ns - now_ns % self._span_ns
        if self._span_ns == MINUTE_NS:
            self.key = Key(keys.market_pk(self.symbol), minute_label(now_ns))
        else:
            self.key = fine_key(self.symbol, now_ns)
        self._sums: list[int] = []  # in the order of SUM_NAMES; empty when nothing was traded
        self._buckets: dict[int, int] = {}
        self._prices: list[int] = []  # open, high, low, close; empty before the first trade
        # what was measured last stays in force; the extremes are those of this minute's measurements
        self._gauges = {name: value for name, value in self._gauges.items() if name in names.GAUGE_NAMES}
        self._moved = self._gauges.copy()  # the new minute's row has none yet
        self._measured = False

    def restore(self, row: Item) -> None:
        """Take prices and gauges up from the minute's row; sums need none, they are added."""
        if names.OPEN in row:
            self._prices = [row[metric.name] for metric in names.PRICES]
        for name in names.GAUGE_NAMES:
            for key in (name, name + "_min", name + "_max"):
                if key in row:
                    self._gauges[key] = row[key]

    def go_on_from(self, minute: Item) -> None:
        """Take the gauges in force from the row of the minute: these five seconds have none yet."""
        self._gauges = {name: minute[name] for name in names.GAUGE_NAMES if name in minute}
        self._moved = self._gauges.copy()

    def _roll(self, now_ns: int) -> None:
        """Begin the next minute when its time has come; a clock that steps back changes nothing."""
        if now_ns >= self.minute_ns + self._span_ns:
            assert not self._sums, f"{self.key}: the last minute's trades were not committed"
            self._begin(now_ns)

    def add_trade(self, trade: Trade) -> None:
        """Count one trade."""
        if self.fine is not None:
            self.fine.add_trade(trade)
        self._roll(trade.ts_ns)
        price, amount = trade.price_e6, trade.notional
        sums = self._sums
        if not sums:
            sums += (0, 0, 0, 0, 0)
        sums[0] += amount
        sums[1] += trade.qty_e8
        if trade.aggressor_side == BUY:
            sums[2] += amount
        sums[3] += 1
        sums[4] += trade.maker_fee + trade.taker_fee
        index = bucket_index(trade.latency_ns)
        self._buckets[index] = self._buckets.get(index, 0) + 1
        prices = self._prices
        if not prices:
            prices += (price, price, price, price)
            return
        if price > prices[1]:
            prices[1] = price
        elif price < prices[2]:
            prices[2] = price
        prices[3] = price

    def gauge(
        self, book: BookView, open_interest_e8: int, now_ns: int, more: Mapping[str, int] | None = None
    ) -> None:
        """Take the minute's gauges: open interest, depth around mid, and what else the market has."""
        if self.fine is not None:
            self.fine.gauge(book, open_interest_e8, now_ns, more)
        self._roll(now_ns)
        self._set(names.OPEN_INTEREST, open_interest_e8)
        for name, value in depth_gauges(book).items():
            self._set(name, value)
        for name, value in (more or {}).items():
            self._set(name, value)

    def open_interest(self, open_interest_e8: int, now_ns: int) -> None:
        """Note the open interest after a fill."""
        if self.fine is not None:
            self.fine.open_interest(open_interest_e8, now_ns)
        self._roll(now_ns)
        self._set(names.OPEN_INTEREST, open_interest_e8)

    def _set(self, name: str, value: int) -> None:
        gauges, moved = self._gauges, self._moved
        low, high = name + "_min", name + "_max"
        gauges[name] = moved[name] = value
        if low not in gauges:
            gauges[low] = moved[low] = gauges[high] = moved[high] = value
        elif value < gauges[low]:
            gauges[low] = moved[low] = value
        elif value > gauges[high]:
            gauges[high] = moved[high] = value
        self._measured = True

    def actions(self) -> list[Update]:
        """Return the updates of this commit; none when nothing was traded or measured."""
        if not self._sums and not self._measured:
            return []
        update = self.update()
        lifetime = Update(
            keys.STATS_LIFETIME,
            self.tiers.lifetime_key(self.symbol),
            put=self._lifetime_gauges(),
            add=self._lifetime_sums(update.add),
        )
        return [update, lifetime] if self.fine is None else [update, lifetime, self.fine.update()]

    def update(self) -> Update:
        """Return what this bucket's own row is told."""
        add = dict(zip(names.SUM_NAMES, self._sums, strict=True)) if self._sums else {}
        for index, count in self._buckets.items():
            add[bucket_name(index)] = count
        put = {"symbol": self.symbol, "ttl": self.minute_ns // NS + INTRADAY_TTL_S, **self._moved}
        for metric, price in zip(names.PRICES, self._prices, strict=False):
            put[metric.name] = price
        return Update(keys.STATS_INTRADAY, self.key, put=put, add=add)

    def _lifetime_sums(self, add: Mapping[str, int]) -> dict[str, int]:
        """Sums over all markets; quantities of different bases do not add, so they stay apart."""
        sums = dict(add)
        if qty_e8 := sums.pop("volume_e8", 0):
            sums[names.of_market("volume_e8", self.symbol)] = qty_e8
        return sums

    def _lifetime_gauges(self) -> dict[str, int]:
        moved = self._moved
        return {
            names.of_market(name, self.symbol): moved[name] for name in names.LIFETIME_GAUGES if name in moved
        }

    def committed(self) -> None:
        """Forget what the commit has added."""
        if self.fine is not None:
            self.fine.committed()
        if not self._sums and not self._measured:
            return  # nothing was, and what is in force waits for the row
        self._sums = []
        self._buckets = {}
        self._moved = {}
        self._measured = False


def depth_gauges(book: BookView) -> dict[str, int]:
    """Return the notional within each distance of mid, by attribute; 0 while a side is empty.

    A level belongs when its price is at most k basis points from mid. Compared as integers:
    with m = bid + ask, price >= mid * (1 - k/1e4) is 2 * price * 1e4 >= m * (1e4 - k).
    """
    bids, asks = iter(book.bids), iter(book.asks)
    best_bid, best_ask = next(bids, None), next(asks, None)
    if best_bid is None or best_ask is None:
        return {names.depth_name(side, bps): 0 for bps in names.DEPTH_BPS for side in ("bid", "ask")}
    twice_mid = best_bid.price_e6 + best_ask.price_e6
    found: dict[str, int] = {}
    for side, best, levels in (("bid", best_bid, bids), ("ask", best_ask, asks)):
        sums = [0] * len(names.DEPTH_BPS)
        level: PriceLevel | None = best
        while level is not None:
            distance = abs(2 * level.price_e6 - twice_mid) * _BPS
            if distance > names.DEPTH_BPS[-1] * twice_mid:
                break
            worth = level.price_e6 * level.qty_e8 // QTY_SCALE
            for place, bps in enumerate(names.DEPTH_BPS):
                if distance <= bps * twice_mid:
                    sums[place] += worth
            level = next(levels, None)
        for place, bps in enumerate(names.DEPTH_BPS):
            found[names.depth_name(side, bps)] = sums[place]
    return found
