"""Pure matching: one command in, steps out, no port in sight. Step 6 of docs/walk.md, MATC-010 to MATC-046.

`Engine.run` is a generator: each step's effects are in the engine's book and positions when it is
yielded. A caller whose commit fails must throw the engine away and rebuild it from the store.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import blake2b

from system.matcher.book import Book
from system.matcher.clearing import clear
from system.matcher.fills import Party, effect_of, position_after, release_to, settle
from system.matcher.house import House
from system.matcher.lifecycle import reopen, set_state, stop_at_band, wind_up
from system.matcher.liquidity import crosses, fills_whole, is_own, keeps_place, reaches
from system.matcher.netting import Netting, netted
from system.matcher.steps import (
    Cancel,
    CancelBelow,
    Command,
    Done,
    EndReason,
    Reduced,
    Refused,
    Rested,
    SetState,
    Step,
    StpMode,
)
from system.matcher.stops import Stops, is_triggered, release_stops
from system.model.errors import RejectReason
from system.model.market import MarketKind, MarketSpec, MarketState
from system.model.order import (
    BUY,
    CANCELED,
    EXPIRED,
    EXPIRED_IN_MATCH,
    OPEN,
    PENDING,
    REJECTED,
    SELL,
    UNTRIGGERED,
    Order,
)
from system.model.position import Position
from system.risk.holds import hold_resting
from system.risk.positions import closable_e8

Reason = EndReason | RejectReason

_IMMEDIATE = ("IOC", "FOK")


class Engine:
    """Book, positions and state of one market.

    `positions` must hold the row of every trader with a resting or arriving order; a trader
    without one starts flat. Open interest is carried in, because not all positions are loaded.
    """

    def __init__(
        self,
        spec: MarketSpec,
        positions: dict[str, Position] | None = None,
        state: MarketState = MarketState.ACTIVE,
        stp: StpMode | None = None,
        open_interest_e8: int = 0,
        house: House | None = None,
    ) -> None:
        self.spec = spec
        self.book = Book()
        self.stops = Stops()
        self.house = house or House(spec)
        self.positions = positions if positions is not None else {}
        self.state = state
        self.stp = StpMode(spec.stp) if stp is None else stp
        self.open_interest_e8 = open_interest_e8
        self.last_e6 = self.house.state.last_e6  # price of the last trade
        self.reopens_ns = 0  # when POST_ONLY ends; 0: not by itself
        self._expiry_ns = spec.expiry_ns
        self._liquidates = spec.liquidates
        self._has_positions = spec.kind is not MarketKind.SPOT
        self.netting = Netting(spec) if spec.nets else None
        self._touched: dict[str, None] = {}  # traders whose reduce-only orders must be looked at again

    def restore(self, orders: Iterable[Order]) -> None:
        """Fill the book with the OPEN orders of the store; their seq gives them their places back."""
        for order in sorted(orders, key=_seq):
            if order.trigger_e6:
                self.stops.add(order)
            else:
                self.book.add(order)
        # a crash may have cut off what MATC-036 had to trim; the next command looks after it
        self._touched = dict.fromkeys(self.book.reduce_only)
        if self.netting is not None:
            self.netting.restore(self.book.orders())

    def run(self, command: Command, now_ns: int, seq: int) -> Iterator[Step]:
        """Carry out one sequenced command and yield its effects in order."""
        steps = self._carry_out(command, now_ns, seq)
        return steps if self.netting is None else netted(self, self.netting, steps, now_ns)

    def _carry_out(self, command: Command, now_ns: int, seq: int) -> Iterator[Step]:
        for order in self.book.expired(now_ns):
            yield self.end_resting(order, EXPIRED, RejectReason.EXPIRED, now_ns)
        if self.reopens_ns and now_ns >= self.reopens_ns:
            yield from reopen(self, now_ns)
        if self._expiry_ns and now_ns >= self._expiry_ns and self.state.moves_margin:
            yield from wind_up(self, now_ns)
        if isinstance(command, Order):
            yield from self._place(command, now_ns, seq)
        elif isinstance(command, Cancel):
            yield self._cancel(command, now_ns)
        elif isinstance(command, CancelBelow):
            yield from self._cancel_below(command, now_ns)
        elif isinstance(command, SetState):
            yield from set_state(self, command.state, now_ns)
        else:
            yield from clear(self, command, now_ns, seq)
        if self.stops:
            yield from release_stops(self, now_ns, seq)
        if self._touched:
            yield from self._trim_reduce_only(now_ns)

    def state_hash(self) -> str:
        """Return a hash of state, book and positions that depends on their content only."""
        head = f"{self.spec.symbol} {self.state.value} {self.open_interest_e8} {self.book.content_hash()}\n"
        digest = blake2b(head.encode(), digest_size=16)
        for order in self.stops:
            digest.update(f"{order.uuid} {order.seq} {order.trigger_e6}\n".encode())
        digest.update(repr((self.house.fund, self.house.state.plans, self.house.state.clock)).encode())
        for trader, at in sorted(self.positions.items()):
            if at.trades:
                line = f"{trader} {at.size_e8} {at.cost} {at.margin} {at.realised} {at.fees} {at.trades}\n"
                digest.update(line.encode())
            if at.relief:
                digest.update(f"{trader} {at.relief}\n".encode())
        return digest.hexdigest()

    # commands

    def _place(self, order: Order, now_ns: int, seq: int) -> Iterator[Step]:
        # a redelivered order may have been filled in part before a crash: it goes on from there
        resumed = order.cum_qty_e8 > 0
        order.seq = seq
        order.leaves_e8 = order.qty_e8 - order.cum_qty_e8
        if self.state is not MarketState.ACTIVE and not self.state.admits_makers:
            yield self._end(order, REJECTED, RejectReason.EXCHANGE_CLOSED, now_ns)
            return
        if order.expire_ns and order.expire_ns <= now_ns:
            yield self._end(order, EXPIRED, RejectReason.EXPIRED, now_ns)
            return
        if order.replaces and not resumed:
            yield from self._replace(order, now_ns)
            if order.status != PENDING:
                return
        if order.trigger_e6 and not resumed and not is_triggered(order, self.house.mark_e6, self.last_e6):
            order.status = UNTRIGGERED
            order.updated_ns = now_ns
            self.stops.add(order)
            yield Rested(order, ())
            return
        yield from self.arrive(order, now_ns, resumed=resumed)

    def arrive(self, order: Order, now_ns: int, *, resumed: bool) -> Iterator[Step]:
        """Let an order that may enter meet the book."""
        makers_only = order.post_only or self.state is MarketState.POST_ONLY
        if makers_only and crosses(order, self.book):
            yield self._end(order, REJECTED, RejectReason.WOULD_TAKE, now_ns)
            return
        if order.tif == "FOK" and not resumed and not self._fills(order):
            yield self._end(order, EXPIRED, RejectReason.FOK_NOT_FILLED, now_ns)
            return
        yield from self._match(order, now_ns)
        if order.status == PENDING:
            yield self._rest(order, now_ns)

    def _replace(self, order: Order, now_ns: int) -> Iterator[Step]:
        """Give up the old order; the new one goes on as PENDING unless it took the old one's place."""
        old = self.book.get(order.replaces.rpartition(":")[2])
        if old is None:
            yield self._end(order, REJECTED, RejectReason.TOO_LATE_TO_CANCEL, now_ns)
        elif old.trader != order.trader:
            yield self._end(order, REJECTED, RejectReason.NOT_OWNER, now_ns)
        elif keeps_place(old, order):
            order.seq = old.seq  # the seq is the place: a rebuilt book must sort it there again
            order.status = OPEN
            order.updated_ns = now_ns
            self.book.swap(old.uuid, order)
            yield self._end(old, CANCELED, EndReason.REPLACED, now_ns)
            yield Rested(order, release_to(order, hold_resting(order, self.spec)))
        else:
            yield self.end_resting(old, CANCELED, EndReason.REPLACED, now_ns)

    def _cancel(self, command: Cancel, now_ns: int) -> Step:
        order = self.book.get(command.uuid) or self.stops.get(command.uuid)
        if order is None:
            return Refused(RejectReason.TOO_LATE_TO_CANCEL)
        if order.trader != command.trader:
            return Refused(RejectReason.NOT_OWNER)
        return self.end_resting(order, CANCELED, EndReason.CANCEL_REQUESTED, now_ns)

    def _cancel_below(self, command: CancelBelow, now_ns: int) -> Iterator[Step]:
        for order in self.orders_of(command.trader):
            if order.nonce < command.min_nonce:
                yield self.end_resting(order, CANCELED, EndReason.CANCEL_REQUESTED, now_ns)

    # the clearing house

    def open_positions(self) -> list[Position]:
        """Return all positions, in the order of their traders' ids."""
        return [at for _, at in sorted(self.positions.items())]

    def orders_of(self, trader: str) -> list[Order]:
        """Return a trader's orders that rest or wait, oldest first."""
        mine = [*self.book.by_trader.get(trader, {}).values(), *self.stops.of(trader)]
        return sorted(mine, key=_seq)

    def is_short(self, order: Order) -> bool:
        """Tell whether an order must be cancelled, not filled: netting covers it no longer (MATC-082)."""
        return self.netting is not None and order.trader in self.netting.short

    def touch(self, *traders: str) -> None:
        """Note whose position has changed otherwise than by a fill of the book."""
        for trader in traders:
            self.house.stale[trader] = None
            if self.book.reduce_only:
                self._touched[trader] = None

    def count_open(self, *sizes_e8: int) -> None:
        """Bring open interest up to date: pairs of a size before and after."""
        for before, after in zip(sizes_e8[::2], sizes_e8[1::2], strict=True):
            self.open_interest_e8 += max(after, 0) - max(before, 0)

    # the way of a taker

    def _fills(self, order: Order) -> bool:
        mode = StpMode(order.stp) if order.stp else self.stp
        return fills_whole(order, self, mode)

    def _match(self, taker: Order, now_ns: int) -> Iterator[Step]:
        """Meet the other side, best price first, oldest first, until the taker ends or finds nothing more."""
        ladder = self.book.asks if taker.side == BUY else self.book.bids
        mode = StpMode(taker.stp) if taker.stp else self.stp
        prevents_self_trade = mode is not StpMode.NONE
        lowest_e6, highest_e6 = self.house.band
        while taker.status == PENDING:
            level = ladder.best()
            if level is None:
                return
            price = level.price_e6
            if not reaches(taker, price):
                if taker.side == SELL and price >= taker.limit_price_e6:
                    # pre-paid only up to worst_price_e6; to pass over better bids would break priority
                    yield from stop_at_band(self, taker, price, now_ns)
                return
            if highest_e6 and not lowest_e6 <= price <= highest_e6:  # no trade prints outside (MATC-033)
                yield from stop_at_band(self, taker, price, now_ns)
                return
            maker = level.front()
            if prevents_self_trade and is_own(maker, taker):
                yield from self._prevent(maker, taker, mode, now_ns)
            elif maker.reduce_only or taker.reduce_only:
                yield self._meet_reduce_only(maker, taker, price, now_ns)
            else:
                qty = min(taker.leaves_e8, maker.leaves_e8)
                yield self._meet(maker, taker, price, qty, now_ns)

    def _meet(self, maker: Order, taker: Order, price_e6: int, qty_e8: int, now_ns: int) -> Step:
        """Trade, or remove the side that the trade would bankrupt (MATC-032)."""
        if self.is_short(maker):
            return self.end_resting(maker, CANCELED, EndReason.UNCOVERED, now_ns)
        spec = self.spec
        maker_at = self.position(maker.trader)
        maker_effect = effect_of(maker_at, maker, price_e6, qty_e8, spec, maker.cum_notional)
        if maker_effect is None:
            return self.end_resting(maker, CANCELED, RejectReason.WOULD_BE_BANKRUPT, now_ns)
        taker_at = self.position(taker.trader)
        before = taker_at if taker_at is not maker_at else position_after(maker_at, maker_effect)
        taker_effect = effect_of(before, taker, price_e6, qty_e8, spec, taker.cum_notional)
        if taker_effect is None:
            return self.stop(taker, RejectReason.WOULD_BE_BANKRUPT, now_ns)
        if self._has_positions:
            change = max(maker_effect.size_e8, 0) - max(maker_at.size_e8, 0)
            open_e8 = self.open_interest_e8 + change + max(taker_effect.size_e8, 0) - max(before.size_e8, 0)
            if spec.oi_cap_e8 and open_e8 > max(spec.oi_cap_e8, self.open_interest_e8):
                return self.stop(taker, RejectReason.OPEN_INTEREST_CAP, now_ns)
            self.open_interest_e8 = open_e8
        self.book.reduce_quantity(maker, qty_e8)
        taker.leaves_e8 -= qty_e8
        self.last_e6 = price_e6
        fill = settle(
            spec,
            Party(maker, maker_at, maker_effect),
            Party(taker, taker_at, taker_effect),
            price_e6,
            qty_e8,
            now_ns,
        )
        if self.book.reduce_only:
            self._touched[maker.trader] = self._touched[taker.trader] = None
        if self._liquidates:
            self.house.stale[maker.trader] = self.house.stale[taker.trader] = None
        return fill

    def _meet_reduce_only(self, maker: Order, taker: Order, price_e6: int, now_ns: int) -> Step:
        """Trade no more than what a reduce-only side has to close (MATC-035)."""
        qty = min(taker.leaves_e8, maker.leaves_e8)
        if taker.reduce_only:
            qty = min(qty, closable_e8(self.position(taker.trader), taker.side == BUY))
            if not qty:
                return self.stop(taker, EndReason.REDUCE_ONLY, now_ns)
        if maker.reduce_only:
            qty = min(qty, closable_e8(self.position(maker.trader), maker.side == BUY))
            if not qty:
                return self.end_resting(maker, CANCELED, EndReason.REDUCE_ONLY, now_ns)
        return self._meet(maker, taker, price_e6, qty, now_ns)

    def _prevent(self, maker: Order, taker: Order, mode: StpMode, now_ns: int) -> Iterator[Step]:
        """Keep a trader from trading with himself (MATC-040 to MATC-045)."""
        if mode is StpMode.DECREMENT:
            prevented = min(maker.leaves_e8, taker.leaves_e8)
            if maker.leaves_e8 == prevented:
                yield self.end_resting(maker, EXPIRED_IN_MATCH, EndReason.SELF_TRADE, now_ns, prevented)
            else:
                self.book.reduce_quantity(maker, prevented)
                maker.updated_ns = now_ns
                yield Reduced(maker, prevented, release_to(maker, hold_resting(maker, self.spec)))
            if taker.leaves_e8 == prevented:
                yield self._end(taker, EXPIRED_IN_MATCH, EndReason.SELF_TRADE, now_ns, prevented)
            else:
                taker.leaves_e8 -= prevented  # its hold follows with its next step
            return
        if mode is not StpMode.EXPIRE_TAKER:
            yield self.end_resting(maker, EXPIRED_IN_MATCH, EndReason.SELF_TRADE, now_ns, maker.leaves_e8)
        if mode is not StpMode.EXPIRE_MAKER:
            yield self._end(taker, EXPIRED_IN_MATCH, EndReason.SELF_TRADE, now_ns, taker.leaves_e8)

    def _rest(self, order: Order, now_ns: int) -> Step:
        """Put what is left of a taker into the book, or expire it when it may not wait."""
        if order.tif in _IMMEDIATE or order.order_type == "MARKET":
            return self._end(order, EXPIRED, EndReason.NO_LIQUIDITY, now_ns)
        if order.reduce_only:
            closable = closable_e8(self.position(order.trader), order.side == BUY)
            if not closable:
                return self.stop(order, EndReason.REDUCE_ONLY, now_ns)
            order.leaves_e8 = min(order.leaves_e8, closable)
            self._touched[order.trader] = None
        order.status = OPEN
        order.updated_ns = now_ns
        self.book.add(order)
        return Rested(order, release_to(order, hold_resting(order, self.spec)))

    def _trim_reduce_only(self, now_ns: int) -> Iterator[Step]:
        """Cancel the newest reduce-only orders beyond what their trader's position needs (MATC-036)."""
        touched, self._touched = self._touched, {}
        for trader in touched:
            orders = sorted(self.book.reduce_only.get(trader, {}).values(), key=_seq)
            closable = {side: closable_e8(self.positions.get(trader), side == BUY) for side in (BUY, SELL)}
            for order in orders:  # the oldest are served first, so the newest go without
                left = closable[order.side] - order.leaves_e8
                if left < 0:
                    yield self.end_resting(order, CANCELED, EndReason.REDUCE_ONLY, now_ns)
                else:
                    closable[order.side] = left

    # ends

    def stop(self, taker: Order, reason: Reason, now_ns: int) -> Step:
        """End an arriving order that may not go on: refused as a whole, or its rest cancelled."""
        return self._end(taker, CANCELED if taker.cum_qty_e8 else REJECTED, reason, now_ns)

    def end_resting(
        self, order: Order, status: str, reason: Reason, now_ns: int, prevented_e8: int = 0
    ) -> Step:
        if self.book.remove(order.uuid) is None:
            self.stops.remove(order.uuid)
        return self._end(order, status, reason, now_ns, prevented_e8)

    def _end(self, order: Order, status: str, reason: Reason, now_ns: int, prevented_e8: int = 0) -> Step:
        order.status = status
        order.reason = reason.value
        order.leaves_e8 = 0
        order.updated_ns = now_ns
        return Done(order, release_to(order, 0), prevented_e8)

    def position(self, trader: str) -> Position:
        position = self.positions.get(trader)
        if position is None:
            position = self.positions[trader] = Position(trader=trader, symbol=self.spec.symbol)
        return position


def _seq(order: Order) -> int:
    return order.seq
