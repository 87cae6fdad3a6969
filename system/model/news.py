"""News as JSON: what each kind of message on a channel holds. `dexsim asyncapi` shows it to readers."""

from __future__ import annotations

from typing import Annotated, Literal, TypedDict

from msgspec import Meta

from system.model.market import MarketState
from system.model.order import LIVE, TERMINAL

Whole = Annotated[str, Meta(pattern=r"^-?\d+$", description="a whole number of any size, as text")]
MarketChannel = Annotated[str, Meta(pattern=r"^market\.[A-Za-z0-9-]+$")]
TraderChannel = Annotated[str, Meta(pattern=r"^trader\.[0-9a-f-]{36}$")]
AdminChannel = Annotated[str, Meta(pattern=r"^admin\.[A-Za-z0-9-]+$")]
Number = Annotated[int, Meta(ge=1, description="1, 2, 3 ... on its channel, without holes")]
Instant = Annotated[int, Meta(description="UTC in nanoseconds")]
Status = Annotated[str, Meta(extra_json_schema={"enum": [*LIVE, *TERMINAL]})]
State = Annotated[str, Meta(extra_json_schema={"enum": [state.value for state in MarketState]})]
Side = Annotated[str, Meta(extra_json_schema={"enum": ["BUY", "SELL"]})]


class DepthData(TypedDict):
    """Levels are [price_e6, qty_e8], best first."""

    bids: list[tuple[Whole, Whole]]
    asks: list[tuple[Whole, Whole]]


class Depth(TypedDict):
    """The top of the book as it is after a commit: whole, so that an older one says nothing more."""

    channel: MarketChannel
    seq: Number
    kind: Literal["depth"]
    ts_ns: Instant
    data: DepthData


class TradeData(TypedDict):
    price_e6: Whole
    qty_e8: Whole
    aggressor_side: Side
    trade_no: Number


class Trade(TypedDict):
    """A print: every fill, at the maker's price."""

    channel: MarketChannel
    seq: Number
    kind: Literal["trade"]
    ts_ns: Instant
    data: TradeData


class MarkPriceData(TypedDict):
    mark_e6: Whole
    index_e6: Whole


class MarkPrice(TypedDict):
    """The mark of a moment, and the index that it was made of."""

    channel: MarketChannel
    seq: Number
    kind: Literal["markPrice"]
    ts_ns: Instant
    data: MarkPriceData


class FundingRateData(TypedDict):
    boundary_ns: Whole
    funding_per_unit_e6: Whole
    rate_e12: Whole
    index_e6: Whole
    mark_e6: Whole
    active_s: Whole
    model: str
    capped: bool
    reason: str


class FundingRate(TypedDict):
    """A funding payment, for 1.0 base and as a share of the index."""

    channel: MarketChannel
    seq: Number
    kind: Literal["fundingRate"]
    ts_ns: Instant
    data: FundingRateData


class OrderUpdateData(TypedDict):
    """Of two, the one with more `cum_qty_e8`, or with an end, is the newer. `seq` is the order's priority."""

    order_id: str
    symbol: str
    seq: int
    side: Side
    client_order_id: str
    status: Status
    leaves_e8: Whole
    cum_qty_e8: Whole
    cum_notional: Whole
    fee_paid: Whole
    limit_price_e6: Whole
    reason: str


class OrderUpdate(TypedDict):
    """What became of an order."""

    channel: TraderChannel
    kind: Literal["orderUpdate"]
    ts_ns: Instant
    data: OrderUpdateData


class PositionUpdateData(TypedDict):
    """`version` is the position's own: 1, 2, 3 ..."""

    symbol: str
    version: Number
    size_e8: Whole
    cost: Whole
    margin: Whole
    realised: Whole


class PositionUpdate(TypedDict):
    """A position after a fill."""

    channel: TraderChannel
    kind: Literal["positionUpdate"]
    ts_ns: Instant
    data: PositionUpdateData


class LiquidationAlertData(TypedDict):
    """`seq` is the market's command that did it."""

    symbol: str
    seq: int
    stage: str
    size_e8: Whole
    margin: Whole
    mark_e6: Whole


class LiquidationAlert(TypedDict):
    """A trader's position is closed by force: about to be, deleveraged, or settled for ever."""

    channel: TraderChannel
    kind: Literal["liquidationAlert"]
    ts_ns: Instant
    data: LiquidationAlertData


class StateChangeData(TypedDict):
    state: State


class StateChange(TypedDict):
    """A market changed its state; for admins."""

    channel: AdminChannel
    seq: Number
    kind: Literal["stateChange"]
    ts_ns: Instant
    data: StateChangeData


Message = (
    Depth
    | Trade
    | MarkPrice
    | FundingRate
    | OrderUpdate
    | PositionUpdate
    | LiquidationAlert
    | StateChange
)  # fmt: skip
