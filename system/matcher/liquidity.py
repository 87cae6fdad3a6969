"""Look before the leap: may an order meet another, and would a fill-or-kill order be filled? MATC-022."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from system.matcher.book import Book
from system.matcher.fills import effect_of, position_after
from system.matcher.steps import StpMode
from system.model.market import MarketKind, MarketSpec
from system.model.order import BUY, Order
from system.model.position import Position
from system.model.units import QTY_SCALE
from system.risk.positions import closable_e8

if TYPE_CHECKING:
    from system.matcher.matching import Engine


def reaches(order: Order, price_e6: int) -> bool:
    """Tell whether a taker may trade at a price: within its limit, and a SELL not above what it pre-paid."""
    if order.side == BUY:
        return price_e6 <= order.limit_price_e6
    return price_e6 >= order.limit_price_e6 and not 0 < order.worst_price_e6 < price_e6


def crosses(order: Order, book: Book) -> bool:
    """Tell whether an order would trade with the best of the other side at its limit."""
    level = (book.asks if order.side == BUY else book.bids).best()
    if level is None:
        return False
    price = level.price_e6
    return price <= order.limit_price_e6 if order.side == BUY else price >= order.limit_price_e6


def is_own(maker: Order, taker: Order) -> bool:
    """Tell whether two orders are of one owner: one account, or one named trade group (MATC-046)."""
    if maker.trader == taker.trader:
        return True
    return maker.trade_group != "" and maker.trade_group == taker.trade_group


def reachable_makers(taker: Order, engine: Engine, stp: StpMode) -> Iterator[Order]:
    """Yield the resting orders that a taker may meet, in the order in which it would."""
    book = engine.book
    lowest_e6, highest_e6 = engine.house.band
    for level in book.asks if taker.side == BUY else book.bids:
        price = level.price_e6
        if not reaches(taker, price) or (highest_e6 and not lowest_e6 <= price <= highest_e6):
            return
        for maker in level:
            if stp is StpMode.NONE or not is_own(maker, taker):
                yield maker
            elif stp is not StpMode.EXPIRE_MAKER:
                return  # the taker would end or shrink here


class Rehearsal:
    """Positions and open interest as planned fills would leave them; the real ones stay untouched."""

    def __init__(self, positions: dict[str, Position], spec: MarketSpec, open_interest_e8: int) -> None:
        self._actual = positions
        self._spec = spec
        self._planned: dict[str, Position] = {}
        self.open_e8 = open_interest_e8

    def closable_e8(self, order: Order) -> int:
        """Return how much a reduce-only order could still close."""
        return closable_e8(self._at(order.trader), order.side == BUY)

    def trade(self, order: Order, price_e6: int, qty_e8: int, cum_notional: int) -> bool:
        """Plan one side of a fill; False when it would bankrupt that side."""
        before = self._at(order.trader)
        effect = effect_of(before, order, price_e6, qty_e8, self._spec, cum_notional)
        if effect is None:
            return False
        self.open_e8 += max(effect.size_e8, 0) - max(before.size_e8, 0)
        self._planned[order.trader] = position_after(before, effect)
        return True

    def _at(self, trader: str) -> Position:
        flat = Position(trader=trader, symbol=self._spec.symbol)
        return self._planned.get(trader) or self._actual.get(trader) or flat


def fills_whole(taker: Order, engine: Engine, stp: StpMode) -> bool:
    """Trade in shadow, maker by maker as the engine would, and tell whether nothing is left."""
    rehearsal = Rehearsal(engine.positions, engine.spec, engine.open_interest_e8)
    cap_e8 = 0 if engine.spec.kind is MarketKind.SPOT else engine.spec.oi_cap_e8
    left, cum_notional = taker.leaves_e8, taker.cum_notional
    for maker in reachable_makers(taker, engine, stp):
        price = maker.limit_price_e6
        qty = min(left, maker.leaves_e8)
        if maker.reduce_only:
            qty = min(qty, rehearsal.closable_e8(maker))
        if taker.reduce_only and rehearsal.closable_e8(taker) < qty:
            return False
        open_e8 = rehearsal.open_e8
        if not qty or not rehearsal.trade(maker, price, qty, maker.cum_notional):
            continue  # the engine cancels such a maker and goes on
        if not rehearsal.trade(taker, price, qty, cum_notional):
            return False
        if cap_e8 and rehearsal.open_e8 > max(cap_e8, open_e8):
            return False
        cum_notional += price * qty // QTY_SCALE
        left -= qty
        if not left:
            return True
    return False


def keeps_place(old: Order, new: Order) -> bool:
    """Only less quantity at the same price keeps the place in the queue (MATC-026)."""
    return (
        new.side == old.side
        and new.limit_price_e6 == old.limit_price_e6
        and new.qty_e8 <= old.leaves_e8
        and new.order_type == "LIMIT"
        and new.tif in ("GTC", "GTT")
        and new.reduce_only == old.reduce_only
    )
