"""One trader's resting orders in one market, kept sorted: what netting relieves, found fast. RISK-056.

The rules are those of netting.py; there they are said for any list of orders, here they are answered
for orders that come and go one by one. Own orders that cross each other are left to the former.
"""

from __future__ import annotations

from bisect import bisect_left, insort

from system.model.order import BUY, Order
from system.model.units import PPM, QTY_SCALE
from system.risk.netting import NettingRule, OpenOrder, paying_e8
from system.risk.positions import margin_step


class Side:
    """Orders of one side, best priced first, with their sums; `scaled` is price times quantity, unrounded."""

    __slots__ = ("_leaves", "_sign", "orders", "qty_e8", "ranks", "scaled")

    def __init__(self, sign: int) -> None:
        self._sign = sign  # of the price in a rank: the best order comes first
        self.ranks: list[tuple[int, int, str]] = []
        self.orders: dict[str, Order] = {}
        self._leaves: dict[str, int] = {}  # as they are in the sums
        self.qty_e8 = 0
        self.scaled = 0

    def look(self, order: Order, leaves_e8: int) -> None:
        """Take an order in, let it shrink, or at 0 out."""
        uuid, price_e6 = order.uuid, order.limit_price_e6
        before = self._leaves.get(uuid, 0)
        if leaves_e8 == before:
            return
        self.qty_e8 += leaves_e8 - before
        self.scaled += price_e6 * (leaves_e8 - before)
        rank = (self._sign * price_e6, order.seq, uuid)
        if not leaves_e8:
            del self._leaves[uuid], self.orders[uuid]
            del self.ranks[bisect_left(self.ranks, rank)]
            return
        if not before:
            insort(self.ranks, rank)
            self.orders[uuid] = order
        self._leaves[uuid] = leaves_e8

    def best_e6(self) -> int:
        """Return the price of the best order; there must be one."""
        return abs(self.ranks[0][0])

    def first(self, qty_e8: int) -> int:
        """Return price times quantity of the best priced quantity."""
        if qty_e8 >= self.qty_e8:
            return self.scaled
        if 2 * qty_e8 > self.qty_e8:
            return self.scaled - self._walk(self.qty_e8 - qty_e8, from_worst=True)
        return self._walk(qty_e8, from_worst=False)

    def _walk(self, qty_e8: int, *, from_worst: bool) -> int:
        ranks, leaves = self.ranks, self._leaves
        place, step = (len(ranks) - 1, -1) if from_worst else (0, 1)
        found = 0
        while qty_e8:
            rank, _, uuid = ranks[place]
            some = min(qty_e8, leaves[uuid])
            found += abs(rank) * some
            qty_e8 -= some
            place += step
        return found


class Stake:
    """Both sides."""

    __slots__ = ("asks", "bids")

    def __init__(self) -> None:
        self.bids = Side(-1)
        self.asks = Side(1)

    def look(self, order: Order, leaves_e8: int) -> None:
        """Note how much of an order rests now."""
        (self.bids if order.side == BUY else self.asks).look(order, leaves_e8)

    def relief(self, size_e8: int, rule: NettingRule, im_ppm: int) -> int:
        """Return what the orders need not hold together, in uUSDC. Rule: RISK-056.

        It is rounded once, so that what leaves one order for its partner is never short by a
        rounding, and it is never more than the margin of all orders.
        """
        scaled = self._relieved(size_e8, rule)
        if not scaled:
            return 0
        unit = PPM * QTY_SCALE
        relief = scaled * im_ppm // unit
        paying = (self.bids.scaled + self.asks.scaled - scaled) * im_ppm
        if paying < (len(self.bids.ranks) + len(self.asks.ranks)) * unit:
            relief = min(relief, sum(_margin(order, im_ppm) for order in self._orders()))
        return relief

    def _relieved(self, size_e8: int, rule: NettingRule) -> int:
        bids, asks = self.bids, self.asks
        if not (bids.ranks and asks.ranks):
            if size_e8 > 0:
                return asks.first(size_e8)
            return bids.first(-size_e8)
        if rule is NettingRule.MAX:
            buys, sells = bids.first(max(0, -size_e8)), asks.first(max(0, size_e8))
            return buys + sells + min(bids.scaled - buys, asks.scaled - sells)
        if bids.best_e6() >= asks.best_e6():
            return self._slowly(size_e8, rule)
        if size_e8 >= 0:  # the buys are the cheaper halves
            return asks.first(size_e8) + bids.first(max(0, asks.qty_e8 - size_e8))
        return bids.first(asks.qty_e8 - size_e8)

    def _slowly(self, size_e8: int, rule: NettingRule) -> int:
        orders = self._orders()
        paying = self._paying(orders, size_e8, rule)
        return sum(
            order.limit_price_e6 * (order.leaves_e8 - qty_e8)
            for order, qty_e8 in zip(orders, paying, strict=True)
        )

    def newest_paying(self, size_e8: int, rule: NettingRule) -> Order | None:
        """Return which order to cancel where they are not covered, None where none rests. Rule: RISK-055.

        Where none pays, a rounding is what is missing.
        """
        orders = self._orders()
        paying = self._paying(orders, size_e8, rule)
        some = [order for order, qty in zip(orders, paying, strict=True) if qty] or orders
        return max(some, key=_seq) if some else None

    def _orders(self) -> list[Order]:
        return [*self.bids.orders.values(), *self.asks.orders.values()]

    def _paying(self, orders: list[Order], size_e8: int, rule: NettingRule) -> list[int]:
        seen = [OpenOrder(order.seq, order.side, order.limit_price_e6, order.leaves_e8) for order in orders]
        return paying_e8(size_e8, seen, rule)


def _margin(order: Order, im_ppm: int) -> int:
    return margin_step(order.cum_notional, order.limit_price_e6 * order.leaves_e8 // QTY_SCALE, im_ppm)


def _seq(order: Order) -> tuple[int, str]:
    return order.seq, order.uuid
