"""Stop orders: they wait outside the book until a price reaches their trigger. MATC-050 to MATC-053.

A BUY is triggered when the price is at or above its trigger, a SELL at or below: it limits a loss.
Only orders that never rest may wait here, so a triggered one needs no place in a queue.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heappop, heappush
from typing import TYPE_CHECKING

from system.matcher.steps import Step
from system.model.errors import RejectReason
from system.model.market import MarketState
from system.model.order import BUY, EXPIRED, PENDING, Order

if TYPE_CHECKING:
    from system.matcher.matching import Engine

Waiting = tuple[int, int, str]
"""(trigger, turned so that the first to be reached is the smallest; seq; uuid)"""


class Stops:
    """The waiting stop orders of one market, found by uuid, trader and trigger."""

    __slots__ = ("_heaps", "_orders")

    def __init__(self) -> None:
        self._orders: dict[str, Order] = {}
        self._heaps: dict[tuple[str, bool], list[Waiting]] = {
            (on, buys): [] for on in ("MARK", "LAST") for buys in (False, True)
        }

    def __len__(self) -> int:
        return len(self._orders)

    def __iter__(self) -> Iterator[Order]:
        """Yield the orders, oldest first."""
        return iter(sorted(self._orders.values(), key=_place))

    def get(self, uuid: str) -> Order | None:
        return self._orders.get(uuid)

    def add(self, order: Order) -> None:
        """Let an order wait."""
        buys = order.side == BUY
        trigger = order.trigger_e6 if buys else -order.trigger_e6
        self._orders[order.uuid] = order
        heappush(self._heaps[order.trigger_on, buys], (trigger, order.seq, order.uuid))

    def remove(self, uuid: str) -> Order | None:
        """Take an order out; its heap forgets it when it comes up."""
        return self._orders.pop(uuid, None)

    def of(self, trader: str) -> list[Order]:
        """Return a trader's orders, oldest first."""
        return [order for order in self if order.trader == trader]

    def begun(self) -> list[Order]:
        """Take out the orders that a matcher had triggered before it died in their sweep."""
        return [self._orders.pop(order.uuid) for order in self if order.status == PENDING]

    def reached(self, on: str, price_e6: int) -> list[Order]:
        """Take out every order that a price triggers: the first trigger first, the oldest at one trigger."""
        found: list[Order] = []
        if price_e6 <= 0:
            return found
        for buys, reach in ((True, price_e6), (False, -price_e6)):
            heap = self._heaps[on, buys]
            while heap and heap[0][0] <= reach:
                order = self._orders.pop(heappop(heap)[2], None)
                if order is not None:
                    found.append(order)
        return found

    def expired(self, now_ns: int) -> list[Order]:
        """Return the orders whose time has come; the caller removes them."""
        return [order for order in self if 0 < order.expire_ns <= now_ns]


def is_triggered(order: Order, mark_e6: int, last_e6: int) -> bool:
    """Tell whether its price has reached an order's trigger; an unknown price (0) never has."""
    price_e6 = mark_e6 if order.trigger_on == "MARK" else last_e6
    if price_e6 <= 0:
        return False
    return price_e6 >= order.trigger_e6 if order.side == BUY else price_e6 <= order.trigger_e6


def release_stops(engine: Engine, now_ns: int, seq: int) -> Iterator[Step]:
    """End stop orders whose time has come, and carry out those whose price has. Rule: MATC-051."""
    stops = engine.stops
    for order in stops.expired(now_ns):
        yield engine.end_resting(order, EXPIRED, RejectReason.EXPIRED, now_ns)
    while engine.state is MarketState.ACTIVE:
        reached = (
            stops.begun()
            + stops.reached("MARK", engine.house.mark_e6)
            + stops.reached("LAST", engine.last_e6)
        )
        if not reached:
            return
        for order in reached:
            order.status = PENDING
            order.seq = seq
            yield from engine.arrive(order, now_ns, resumed=order.cum_qty_e8 > 0)


def _place(order: Order) -> tuple[int, str]:
    return order.seq, order.uuid
