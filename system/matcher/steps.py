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

from system.matcher.forced_trade import ForcedTrade
from system.model.errors import RejectReason
from system.model.funding import FundingTrade
from system.model.keys import Item
from system.model.market import MarketState
from system.model.order import Order
from system.model.position import Position
from system.model.trade import PENDING, Trade
from system.risk.funding.model import FundingResult


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
    LIQUIDATION = "LIQUIDATION"
    UNCOVERED = "UNCOVERED"


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
    """The index of a moment. The mark, bands, stop orders, funding samples and liquidations follow from it.

    Not `valid`: there is no index now, and nothing of this happens. `standing` is what the time
    without one asks of the market: "", CANCEL_ONLY or PAUSED.
    """

    index_e6: int
    ts_ns: int
    valid: bool = True
    standing: str = ""


class Funding(NamedTuple):
    """Pay the funding of every interval up to a boundary that was not paid yet."""

    boundary_ns: int


class Expire(NamedTuple):
    """Settle the market if its time has come. `price_e6` is an admin's word where there is no average."""

    price_e6: int = 0


class Liquidate(NamedTuple):
    """Look again at positions that are due, and at those that wait for their next round.

    Under cross margin only at those of the traders `called`.
    """

    called: tuple[str, ...] = ()


class MoveMargin(NamedTuple):
    """Add to a trader's margin what the door has reserved (above 0), or take from it (below 0)."""

    trader: str
    amount: int


class Level(NamedTuple):
    """Give a trader's margin to his position in another market, `to`, as far as equity here is above
    `keeps_ppm` of the maintenance margin. Rule: RISK-046.
    """

    trader: str
    to: str
    amount: int
    keeps_ppm: int


class Insure(NamedTuple):
    """Pay into the market's insurance fund what the door has reserved."""

    trader: str
    amount: int


class Convert(NamedTuple):
    """Mint CXPT for USDC that the door has reserved (above 0), or redeem CXPT that it has (below 0)."""

    trader: str
    amount: int  # uUSDC


class Tick(NamedTuple):
    """Nothing but the passing of time: orders whose time has come expire."""


Command = (
    Order
    | Cancel
    | CancelBelow
    | SetState
    | Tick
    | Mark
    | Funding
    | Expire
    | Liquidate
    | MoveMargin
    | Level
    | Insure
    | Convert
)


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
    issued: int = 0  # uUSDC of the fees that back the CXPT of the two rebates

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
    position: Position | None = None  # of its trader, when netting has changed its relief

    @property
    def orders(self) -> tuple[Order]:
        """The orders this step changed."""
        return (self.order,)


class Reduced(msgspec.Struct, frozen=True):
    """A resting order lost quantity without a fill and keeps its place."""

    order: Order
    prevented_e8: int
    postings: tuple[Posting, ...]
    position: Position | None = None

    @property
    def orders(self) -> tuple[Order]:
        """The orders this step changed."""
        return (self.order,)


class Done(msgspec.Struct, frozen=True):
    """An order ended otherwise than by its last fill; `order.status` and `order.reason` say how."""

    order: Order
    postings: tuple[Posting, ...]
    prevented_e8: int = 0  # quantity that self-trade prevention kept from trading
    position: Position | None = None

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


class Accounts(msgspec.Struct, frozen=True):
    """What a step adds to the market's own accounts, in uUSDC; `bad_debt` is owed to the exchange.

    `issued` is added to what is set aside behind CXPT, and as much CXPT comes into circulation.
    """

    fees: int = 0
    clearing: int = 0
    insurance: int = 0
    bad_debt: int = 0
    issued: int = 0

    @property
    def total(self) -> int:
        return self.fees + self.clearing + self.insurance - self.bad_debt + self.issued


class Moved(msgspec.Struct, frozen=True):
    """Money or contracts moved without a fill: funding, margin, settlement, insurance.

    `margin` is what the position's margin has changed by; `position` is None when only accounts moved.
    What is reserved for the market `to` goes there with a command of its own.
    """

    position: Position | None
    postings: tuple[Posting, ...]
    margin: int
    accounts: Accounts
    orders: tuple[Order, ...] = ()
    to: str = ""

    @property
    def passed(self) -> int:
        """What is reserved for the market `to`: all that this step takes from margin and accounts."""
        return -(self.margin + self.accounts.total)


class Forced(msgspec.Struct, frozen=True):
    """A close that no trader asked for, against a resting order (`maker`) or another position (ADL)."""

    trade: ForcedTrade
    maker: Order | None
    positions: tuple[Position, Position]
    postings: tuple[Posting, ...]
    margin: int
    accounts: Accounts

    @property
    def orders(self) -> tuple[Order, ...]:
        """The orders this step changed."""
        return () if self.maker is None else (self.maker,)


class FundingPaid(msgspec.Struct, frozen=True):
    """An interval's funding is decided; the moves follow. `to_trade` is its synthetic trade."""

    result: FundingResult
    paid: int
    received: int
    dust: int
    from_insurance: int
    haircut: int
    unpaid: int
    positions: int
    orders: tuple[Order, ...] = ()
    postings: tuple[Posting, ...] = ()

    def to_row(self, symbol: str, uuid: str, seq: int, ts_ns: int) -> Item:
        """Return the synthetic trade's row, with what the tick moved."""
        result = self.result
        trade = FundingTrade(
            symbol=symbol,
            uuid=uuid,
            seq=seq,
            boundary_ns=result.boundary_ns,
            mark_e6=result.mark_e6,
            index_e6=result.index_e6,
            per_unit_e12=result.per_unit_e12,
            rate_e12=result.rate_e12,
            active_s=result.active_s,
            capped=result.capped,
            reason=result.reason,
            model=result.model,
            ts_ns=ts_ns,
        )
        names = ("paid", "received", "dust", "from_insurance", "haircut", "unpaid", "positions")
        return {**trade.to_item(), **{name: getattr(self, name) for name in names}}


class Alerted(msgspec.Struct, frozen=True):
    """A trader is told that his position is being liquidated."""

    position: Position
    mark_e6: int
    stage: str  # ALERT, LIQUIDATED, DELEVERAGED, SETTLED
    orders: tuple[Order, ...] = ()
    postings: tuple[Posting, ...] = ()


Step = Fill | Rested | Reduced | Done | Refused | StateChanged | Moved | Forced | FundingPaid | Alerted
