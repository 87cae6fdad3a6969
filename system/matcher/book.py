"""The order book of one market in price-time priority: step 6 of docs/walk.md, MATC-001 to MATC-005.

Two ladders of price levels. A ladder keeps its prices in one sorted list with the best price
last, so that reading and dropping the best is free. A level is a queue of orders linked in
both directions, so that any order leaves it in constant time.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from hashlib import blake2b
from heapq import heapify, heappop, heappush

from system.model.order import BUY, Order

Depth = list[tuple[int, int]]
"""(price_e6, quantity_e8) per level, best first."""

_STALE_MIN = 64  # below this many dead entries the expiry heap is not worth rebuilding


class Level:
    """All orders at one price, oldest first."""

    __slots__ = ("newest", "oldest", "price_e6", "qty_e8")

    def __init__(self, price_e6: int) -> None:
        self.price_e6 = price_e6
        self.qty_e8 = 0
        self.oldest: Entry | None = None
        self.newest: Entry | None = None

    def front(self) -> Order:
        """Return the order that trades first; a level in a ladder is never empty."""
        oldest = self.oldest
        assert oldest is not None
        return oldest.order

    def __iter__(self) -> Iterator[Order]:
        entry = self.oldest
        while entry is not None:
            yield entry.order
            entry = entry.newer


class Entry:
    """One order's place in its level."""

    __slots__ = ("level", "newer", "older", "order")

    def __init__(self, order: Order, level: Level, older: Entry | None) -> None:
        self.order = order
        self.level = level
        self.older = older
        self.newer: Entry | None = None


class Ladder:
    """The price levels of one side."""

    __slots__ = ("_keys", "_sign", "levels")

    def __init__(self, best_is_highest: bool) -> None:
        self._sign = 1 if best_is_highest else -1
        self._keys: list[int] = []  # price for bids, minus price for asks: the best is always last
        self.levels: dict[int, Level] = {}

    def best(self) -> Level | None:
        """Return the level that trades first."""
        keys = self._keys
        return self.levels[keys[-1] * self._sign] if keys else None

    def open(self, price_e6: int) -> Level:
        """Add an empty level."""
        key = price_e6 * self._sign
        keys = self._keys
        keys.insert(bisect_left(keys, key), key)
        level = self.levels[price_e6] = Level(price_e6)
        return level

    def close(self, price_e6: int) -> None:
        """Remove a level that has become empty."""
        key = price_e6 * self._sign
        keys = self._keys
        if keys[-1] == key:
            keys.pop()
        else:
            del keys[bisect_left(keys, key)]
        del self.levels[price_e6]

    def __iter__(self) -> Iterator[Level]:
        """Yield the levels, best first."""
        sign = self._sign
        for key in reversed(self._keys):
            yield self.levels[key * sign]

    def depth(self, levels: int) -> Depth:
        """Return price and quantity of the best levels."""
        sign, table = self._sign, self.levels
        if levels <= 0:
            return []
        prices = [key * sign for key in self._keys[: -levels - 1 : -1]]
        return [(price, table[price].qty_e8) for price in prices]


class Book:
    """Resting orders of one market. Orders are found by their uuid."""

    __slots__ = ("_expiring", "_expiring_live", "asks", "bids", "by_trader", "entries", "reduce_only")

    def __init__(self) -> None:
        self.bids = Ladder(best_is_highest=True)
        self.asks = Ladder(best_is_highest=False)
        self.entries: dict[str, Entry] = {}
        self.by_trader: defaultdict[str, dict[str, Order]] = defaultdict(dict)
        self.reduce_only: dict[str, dict[str, Order]] = {}  # by trader; few orders carry the flag
        self._expiring: list[tuple[int, int, str]] = []  # (expire_ns, seq, uuid), dead ones included
        self._expiring_live = 0

    def __len__(self) -> int:
        return len(self.entries)

    def __contains__(self, uuid: str) -> bool:
        return uuid in self.entries

    def get(self, uuid: str) -> Order | None:
        """Return a resting order."""
        entry = self.entries.get(uuid)
        return entry.order if entry is not None else None

    def add(self, order: Order) -> None:
        """Put an order behind all others at its price."""
        ladder = self.bids if order.side == BUY else self.asks
        price = order.limit_price_e6
        level = ladder.levels.get(price)
        if level is None:
            level = ladder.open(price)
        older = level.newest
        entry = level.newest = Entry(order, level, older)
        if older is None:
            level.oldest = entry
        else:
            older.newer = entry
        level.qty_e8 += order.leaves_e8
        self.entries[order.uuid] = entry
        self.by_trader[order.trader][order.uuid] = order
        if order.reduce_only or order.expire_ns:
            self._watch(order)

    def remove(self, uuid: str) -> Order | None:
        """Take an order out; None when it does not rest here."""
        entry = self.entries.pop(uuid, None)
        if entry is None:
            return None
        order, level, older, newer = entry.order, entry.level, entry.older, entry.newer
        if older is None:
            level.oldest = newer
        else:
            older.newer = newer
        if newer is None:
            level.newest = older
        else:
            newer.older = older
        level.qty_e8 -= order.leaves_e8
        if level.oldest is None:
            (self.bids if order.side == BUY else self.asks).close(level.price_e6)
        del self.by_trader[order.trader][uuid]
        if order.reduce_only or order.expire_ns:
            self._unwatch(order)
        return order

    def reduce_quantity(self, order: Order, by_e8: int) -> None:
        """Take quantity off a resting order; it keeps its place, and leaves the book at zero."""
        left = order.leaves_e8 - by_e8
        assert left >= 0, (order.uuid, order.leaves_e8, by_e8)
        if left:
            self.entries[order.uuid].level.qty_e8 -= by_e8
            order.leaves_e8 = left
        else:
            self.remove(order.uuid)
            order.leaves_e8 = 0

    def swap(self, uuid: str, order: Order) -> None:
        """Put an order into the very place of another one of the same side and price."""
        entry = self.entries.pop(uuid)
        old = entry.order
        assert (old.side, old.limit_price_e6) == (order.side, order.limit_price_e6)
        entry.order = order
        entry.level.qty_e8 += order.leaves_e8 - old.leaves_e8
        self.entries[order.uuid] = entry
        del self.by_trader[old.trader][uuid]
        self.by_trader[order.trader][order.uuid] = order
        self._unwatch(old)
        self._watch(order)

    def _watch(self, order: Order) -> None:
        if order.reduce_only:
            self.reduce_only.setdefault(order.trader, {})[order.uuid] = order
        if order.expire_ns:
            heappush(self._expiring, (order.expire_ns, order.seq, order.uuid))
            self._expiring_live += 1

    def _unwatch(self, order: Order) -> None:
        if order.reduce_only:
            closing = self.reduce_only[order.trader]
            del closing[order.uuid]
            if not closing:
                del self.reduce_only[order.trader]
        if order.expire_ns:
            self._expiring_live -= 1
            if len(self._expiring) > 2 * self._expiring_live + _STALE_MIN:
                self._expiring = [item for item in self._expiring if item[2] in self.entries]
                heapify(self._expiring)

    def expired(self, now_ns: int) -> Iterator[Order]:
        """Yield resting orders whose time has come, first the earliest; the caller removes each."""
        while self._expiring and self._expiring[0][0] <= now_ns:
            entry = self.entries.get(heappop(self._expiring)[2])
            if entry is not None:
                yield entry.order

    def best_bid(self) -> int | None:
        """Return the highest buying price."""
        level = self.bids.best()
        return level.price_e6 if level is not None else None

    def best_ask(self) -> int | None:
        """Return the lowest selling price."""
        level = self.asks.best()
        return level.price_e6 if level is not None else None

    def depth(self, levels: int) -> tuple[Depth, Depth]:
        """Return (bids, asks), best first, at most `levels` each."""
        return self.bids.depth(levels), self.asks.depth(levels)

    def orders(self) -> Iterator[Order]:
        """Yield all resting orders: bids then asks, each in the order in which they would trade."""
        for ladder in (self.bids, self.asks):
            for level in ladder:
                yield from level

    def content_hash(self) -> str:
        """Return a hash of what rests in which order; how it came to be leaves no trace."""
        digest = blake2b(digest_size=16)
        for order in self.orders():
            digest.update(
                f"{order.side} {order.limit_price_e6} {order.seq} {order.uuid} {order.leaves_e8}\n".encode()
            )
        return digest.hexdigest()
