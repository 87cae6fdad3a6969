"""The words between the pure engine and the commit: commands in, steps out.

Each step is complete in itself: the orders and positions it names are already changed, and its
postings say what to add to which balance. So the commit may cut a long sweep between any two
steps, and conservation can be read off one step alone (I9): over the accounts of an asset,
available + reserved + margin + fees + clearing add up to zero.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

import msgspec

from system.model.errors import RejectReason
from system.model.market import MarketState
from system.model.order import Order
from system.model.position import Position
from system.model.trade import PENDING, Trade


class StpMode(StrEnum):
    """Self-trade prevention: who gives way when a trader would meet himself. The taker's mode decides."""

    NONE = "NONE"
    EXPIRE_TAKER = "EXPIRE_TAKER"
    EXPIRE_MAKER = "EXPIRE_MAKER"
    EXPIRE_BOTH = "EXPIRE_BOTH"
    DECREMENT = "DECREMENT"


class EndReason(StrEnum):
    """Why an order ended, where `RejectReason` has no word for it. Stored in `Order.reason`."""

    CANCEL_REQUESTED = "CANCEL_REQUESTED"
    REPLACED = "REPLACED"
    REDUCE_ONLY = "REDUCE_ONLY"
    SELF_TRADE = "SELF_TRADE"
    NO_LIQUIDITY = "NO_LIQUIDITY"


class Cancel(NamedTuple):
    """Take one order back."""

    uuid: str
    trader: str


class CancelBelow(NamedTuple):
    """Take back all of a trader's orders with a nonce below a floor."""

    trader: str
    min_nonce: int


class SetState(NamedTuple):
    """Move the market to another state; SETTLING and CLOSED take back every order."""

    state: MarketState


class Mark(NamedTuple):
    """The mark of a moment; bands, stop orders and liquidations follow from it."""

    mark_e6: int
    ts_ns: int


class Tick(NamedTuple):
    """Nothing but the passing of time: orders whose time has come expire."""


Command = Order | Cancel | CancelBelow | SetState | Mark | Tick


class Posting(NamedTuple):
    """What to add to one row of Balances (ADD available, ADD reserved), in the asset's unit."""

    trader: str
    asset: str
    available: int
    reserved: int


class Fill(msgspec.Struct, frozen=True):
    """One trade at the maker's price. `status` of both orders and `hold` are already the new ones."""

    maker: Order
    taker: Order
    price_e6: int
    qty_e8: int
    notional: int
    maker_fee: int
    taker_fee: int
    maker_position: Position
    taker_position: Position
    postings: tuple[Posting, ...]
    margin: int  # added to the two positions' margins together
    fees: int  # ADD fees of the market's account
    clearing: int  # ADD clearing of the market's account
    margin_floors: int = 0  # Trade.margin_floors

    @property
    def orders(self) -> tuple[Order, Order]:
        """The orders this step changed."""
        return self.maker, self.taker

    def to_trade(self, uuid: str, trade_no: int, ts_ns: int, settlement: str = PENDING) -> Trade:
        """Return the Trades row of this fill."""
        maker, taker = self.maker, self.taker
        return Trade(
            symbol=taker.symbol,
            uuid=uuid,
            seq=taker.seq,
            trade_no=trade_no,
            trade_type="TRADE",
            price_e6=self.price_e6,
            qty_e8=self.qty_e8,
            notional=self.notional,
            aggressor_side=taker.side,
            maker_order_id=maker.id,
            taker_order_id=taker.id,
            maker=maker.trader,
            taker=taker.trader,
            maker_fee=self.maker_fee,
            taker_fee=self.taker_fee,
            latency_ns=ts_ns - taker.accepted_ns,
            ts_ns=ts_ns,
            settlement=settlement,
            margin_floors=self.margin_floors,
        )


class Rested(msgspec.Struct, frozen=True):
    """An order entered the book and is OPEN."""

    order: Order
    postings: tuple[Posting, ...]

    @property
    def orders(self) -> tuple[Order]:
        """The orders this step changed."""
        return (self.order,)


class Reduced(msgspec.Struct, frozen=True):
    """A resting order lost quantity without a fill and keeps its place."""

    order: Order
    prevented_e8: int
    postings: tuple[Posting, ...]

    @property
    def orders(self) -> tuple[Order]:
        """The orders this step changed."""
        return (self.order,)


class Done(msgspec.Struct, frozen=True):
    """An order ended otherwise than by its last fill; `order.status` and `order.reason` say how."""

    order: Order
    postings: tuple[Posting, ...]
    prevented_e8: int = 0  # quantity that self-trade prevention kept from trading

    @property
    def orders(self) -> tuple[Order]:
        """The orders this step changed."""
        return (self.order,)


class Refused(msgspec.Struct, frozen=True):
    """A command that changed nothing: a cancel that came too late or for another's order."""

    reason: RejectReason
    orders: tuple[Order, ...] = ()
    postings: tuple[Posting, ...] = ()


class StateChanged(msgspec.Struct, frozen=True):
    """The market is in another state now; `reopens_ns` is when POST_ONLY ends by itself, 0: never."""

    state: MarketState
    reopens_ns: int = 0
    orders: tuple[Order, ...] = ()
    postings: tuple[Posting, ...] = ()


Step = Fill | Rested | Reduced | Done | Refused | StateChanged
