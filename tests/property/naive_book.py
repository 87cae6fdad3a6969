"""The reference book: one list, sorted when asked. Obvious, slow, and shares no line with the real one."""

from __future__ import annotations

from typing import NamedTuple


class Resting(NamedTuple):
    """What the naive book knows of an order."""

    side: str
    price: int
    place: int  # smaller was here earlier
    uuid: str
    qty: int


class NaiveBook:
    """Bids and asks in one list each, in the order in which they trade."""

    def __init__(self) -> None:
        self.resting: list[Resting] = []

    def side(self, side: str) -> list[Resting]:
        """Return one side, first to trade first."""
        sign = -1 if side == "BUY" else 1
        return sorted((o for o in self.resting if o.side == side), key=lambda o: (sign * o.price, o.place))

    def add(self, order: Resting) -> None:
        self.resting.append(order)

    def remove(self, uuid: str) -> None:
        self.resting = [order for order in self.resting if order.uuid != uuid]

    def reduce(self, uuid: str, by: int) -> None:
        self.resting = [o._replace(qty=o.qty - by) if o.uuid == uuid else o for o in self.resting]
        self.resting = [order for order in self.resting if order.qty]

    def swap(self, old: str, new: str, qty: int) -> None:
        self.resting = [o._replace(uuid=new, qty=qty) if o.uuid == old else o for o in self.resting]

    def best(self, side: str) -> int | None:
        orders = self.side(side)
        return orders[0].price if orders else None

    def depth(self, side: str) -> list[tuple[int, int]]:
        """Return (price, quantity) per price, best first."""
        prices = dict.fromkeys(order.price for order in self.side(side))
        return [(price, sum(o.qty for o in self.side(side) if o.price == price)) for price in prices]

    def take(self, side: str, limit: int, qty: int) -> list[tuple[str, int, int]]:
        """Match an arriving order of `side`; return (maker, price, quantity) per fill."""
        fills = []
        for maker in self.side("SELL" if side == "BUY" else "BUY"):
            out_of_reach = maker.price > limit if side == "BUY" else maker.price < limit
            if out_of_reach or not qty:
                break
            traded = min(qty, maker.qty)
            fills.append((maker.uuid, maker.price, traded))
            self.reduce(maker.uuid, traded)
            qty -= traded
        return fills
