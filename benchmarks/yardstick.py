"""The yardstick: a plain price-time book in plain Python, and a bare loop of traders around it.

Its cost is the unit in which everything else is expressed, so it must not change: what is made
faster here makes everything else look slower. No money, no ledger, no messages, no history.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import NamedTuple

from benchmarks.workload import CANCEL, LIMIT, Clockwork, Trader, Workload


class Order:
    """A resting or arriving order."""

    __slots__ = ("is_buy", "lots", "number", "price", "trader")

    def __init__(self, number: int, trader: int, is_buy: bool, price: int, lots: int) -> None:
        self.number = number
        self.trader = trader
        self.is_buy = is_buy
        self.price = price
        self.lots = lots


class Trade(NamedTuple):
    """What two orders exchanged."""

    maker: int
    taker: int
    price: int
    lots: int


class Side:
    """One side's levels: keys sorted with the best last, and at each the orders by age."""

    __slots__ = ("_sign", "keys", "levels")

    def __init__(self, is_buy: bool) -> None:
        self._sign = 1 if is_buy else -1
        self.keys: list[int] = []
        self.levels: dict[int, dict[int, Order]] = {}

    def best(self) -> int | None:
        return self.keys[-1] * self._sign if self.keys else None

    def add(self, order: Order) -> None:
        level = self.levels.get(order.price)
        if level is None:
            level = self.levels[order.price] = {}
            key = order.price * self._sign
            self.keys.insert(bisect_left(self.keys, key), key)
        level[order.number] = order

    def remove(self, order: Order) -> None:
        level = self.levels[order.price]
        del level[order.number]
        if not level:
            del self.levels[order.price]
            del self.keys[bisect_left(self.keys, order.price * self._sign)]


class Book:
    """Resting orders by number; `trades` is everything that ever happened."""

    __slots__ = ("asks", "bids", "orders", "trades")

    def __init__(self) -> None:
        self.bids = Side(is_buy=True)
        self.asks = Side(is_buy=False)
        self.orders: dict[int, Order] = {}
        self.trades: list[Trade] = []

    def place(self, order: Order, *, rests: bool) -> list[Order]:
        """Match an order, let the rest wait if it may, and return the resting orders that ended."""
        other = self.asks if order.is_buy else self.bids
        filled: list[Order] = []
        while order.lots:
            price = other.best()
            if price is None or (price > order.price if order.is_buy else price < order.price):
                break
            for maker in list(other.levels[price].values()):
                lots = min(order.lots, maker.lots)
                self.trades.append(Trade(maker.number, order.number, price, lots))
                order.lots -= lots
                maker.lots -= lots
                if not maker.lots:
                    other.remove(maker)
                    del self.orders[maker.number]
                    filled.append(maker)
                if not order.lots:
                    break
        if order.lots and rests:
            (self.bids if order.is_buy else self.asks).add(order)
            self.orders[order.number] = order
        return filled

    def cancel(self, number: int) -> Order | None:
        order = self.orders.pop(number, None)
        if order is not None:
            (self.bids if order.is_buy else self.asks).remove(order)
        return order


class Tally(NamedTuple):
    """What a run of traders came to."""

    orders: int
    cancels: int
    fills: int
    open_orders: int


class Floor:
    """Traders and their books: who has which order open, and what each of their wishes does."""

    def __init__(self, work: Workload) -> None:
        self.work = work
        self.traders = [Trader(work, number) for number in range(work.traders)]
        self.books = [Book() for _ in range(work.markets)]
        self.open: list[dict[int, int]] = [{} for _ in range(work.traders)]
        self.orders = self.cancels = 0

    def act(self, trader: Trader) -> None:
        """Do what a trader wants next."""
        kind, market, is_buy, price, lots = trader.intend()
        mine = self.open[trader.number]
        if kind == CANCEL:
            if mine:
                number, where = next(iter(mine.items()))
                del mine[number]
                trader.open_orders -= 1
                self.books[where].cancel(number)
                self.cancels += 1
            return
        self.orders = number = self.orders + 1
        order = Order(number, trader.number, is_buy, price, lots)
        for maker in self.books[market].place(order, rests=kind == LIMIT):
            del self.open[maker.trader][maker.number]
            self.traders[maker.trader].open_orders -= 1
        if order.lots and kind == LIMIT:
            mine[number] = market
            trader.open_orders += 1

    def tally(self) -> Tally:
        return Tally(
            self.orders,
            self.cancels,
            sum(len(book.trades) for book in self.books),
            sum(len(book.orders) for book in self.books),
        )


def play(work: Workload) -> Tally:
    """Let the traders trade until all orders are sent."""
    floor = Floor(work)
    clockwork = Clockwork(floor.traders)
    while floor.orders < work.orders:
        trader = clockwork.next()
        if not trader.done:
            floor.act(trader)
    return floor.tally()
