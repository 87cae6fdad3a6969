"""What the rooms say to each other: commands on the market's queue, and news on channels.

A command is always the JSON of a DynamoDB stream record, whether the Pipe carried it or a job
sent it, so that the matcher reads one shape. News is a list of messages in one publication.

Every message of a channel has a number, `seq`: 1, 2, 3 ... Of `market.*` and `admin.*` the matcher gives
it, as each has one writer; `trader.*` hears of many markets, and is numbered where they meet: fan-out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec
import orjson

from system.model import dynamo_json, keys, news
from system.model.keys import Item
from system.model.order import Order, order_from_item
from system.model.position import Position


class Command(NamedTuple):
    """One sequenced command: its kind (`orderType` of the row), and the order or the row itself."""

    # LIMIT, MARKET, CANCEL, STATE, FUNDING, EXPIRE, MARGIN, LEVEL, INSURE, MINT, REDEEM
    # without a row: MINUTE, MARK, LIQUIDATE
    kind: str
    uuid: str
    accepted_ns: int
    order: Order | None  # of LIMIT and MARKET
    item: Item  # of the others


def command_of(row: Item) -> Command:
    """Return the command that a row of Orders is."""
    kind = row["orderType"]
    if kind in ("LIMIT", "MARKET"):
        return _order_command(order_from_item(row))
    return Command(kind, row["uuid"], row["accepted_ns"], None, row)


def _order_command(order: Order) -> Command:
    return Command(order.order_type, order.uuid, order.accepted_ns, order, {})


def command_body(item: Item) -> str:
    """Return the queue body of a command that has no row of its own (MINUTE)."""
    return orjson.dumps({"eventName": "INSERT", "dynamodb": {"NewImage": dynamo_json.marshal(item)}}).decode()


def read_command(body: str) -> Command:
    """Read a queue body back."""
    try:
        image = _decode_order(body).dynamodb.NewImage
    except msgspec.ValidationError:  # no order, but a command of another kind
        return command_of(dynamo_json.unmarshal(orjson.loads(body)["dynamodb"]["NewImage"]))
    return _order_command(Order(*map(_value, msgspec.structs.astuple(image))))


def _order_decoder() -> Callable[[str], Any]:
    """Make the decoder of a stream record whose image is an order, its fields in the order of Order's own.

    Nearly every command is one, so its typed values (`{"N": "1"}`) are read straight into slots:
    that takes half the time of dicts, an item, and an order out of the item.
    """
    values = []
    for field in msgspec.structs.fields(Order):
        kind = "N" if field.type is int else "BOOL" if field.type is bool else "S"
        typed: Any = msgspec.defstruct(
            "Typed", [("value", field.type)], rename={"value": kind}, frozen=True, gc=False
        )
        # attributes that say nothing are left out of the row; one default serves all orders
        default = () if field.required else (typed(field.default),)
        values.append((field.name, typed, *default))
    rename = {field.name: field.encode_name for field in msgspec.structs.fields(Order)}
    image = msgspec.defstruct("OrderImage", values, kw_only=True, rename=rename, gc=False)
    change = msgspec.defstruct("Change", [("NewImage", image)], gc=False)
    record = msgspec.defstruct("Record", [("dynamodb", change)], gc=False)
    return msgspec.json.Decoder(record, strict=False).decode  # not strict: a number comes as text


_value = attrgetter("value")
_decode_order = _order_decoder()


def minute_command(symbol: str, minute: str, now_ns: int) -> Item:
    """Return the command that makes a market take its minute's gauges and remove what has expired."""
    return {"orderType": "MINUTE", "symbol": symbol, "uuid": minute, "accepted_ns": now_ns}


WITHOUT_ROW = ("MINUTE", "MARK", "LIQUIDATE")
"""Kinds of commands that are no rows of Orders; applying one twice does nothing more."""


def mark_command(symbol: str, now_ns: int, index_e6: int, *, valid: bool, standing: str) -> Item:
    """Return the command that tells a market the index of a moment, or that there is none."""
    return {
        "orderType": "MARK",
        "symbol": symbol,
        "uuid": f"mark-{now_ns}",
        "accepted_ns": now_ns,
        "index_e6": index_e6,
        "valid": valid,
        "standing": standing,
    }


def liquidate_command(symbol: str, now_ns: int, called: Sequence[str] = ()) -> Item:
    """Return the command that makes a market look after positions that are due or wait.

    Under cross margin only those of the traders `called` are closed (RISK-046).
    """
    return {
        "orderType": "LIQUIDATE",
        "symbol": symbol,
        "uuid": f"scan-{now_ns}",
        "accepted_ns": now_ns,
        "called": list(called),
    }


def margin_command(symbol: str, uuid: str, trader: str, amount: int, now_ns: int) -> Item:
    """Return the Orders row that brings a market the margin that another one has reserved for it."""
    return {
        "PK": keys.market_pk(symbol),
        "SK": keys.event_sk(uuid),
        "orderType": "MARGIN",
        "symbol": symbol,
        "uuid": uuid,
        "trader": trader,
        "amount": amount,
        "hold": amount,
        "hold_asset": "USDC",
        "status": "PENDING",
        "accepted_ns": now_ns,
    }


def scheduled_command(kind: str, symbol: str, label: str, now_ns: int, **terms: int | str) -> Item:
    """Return the Orders row of a command that a schedule asks for once; its label is its identity.

    The market is part of its uuid, as the queue drops a second message of one uuid, whatever its group.
    """
    uuid = f"{kind.lower()}-{symbol}-{label}"
    return {
        "PK": "MARKET#" + symbol,
        "SK": "TS#" + uuid,
        "orderType": kind,
        "symbol": symbol,
        "uuid": uuid,
        "status": "PENDING",
        "accepted_ns": now_ns,
        **terms,
    }


def market_channel(symbol: str) -> str:
    return "market." + symbol


def trader_channel(trader: str) -> str:
    return "trader." + trader


def depth(
    symbol: str, seq: int, now_ns: int, bids: list[tuple[int, int]], asks: list[tuple[int, int]]
) -> news.Depth:
    """The top of the book; each level is [price_e6, qty_e8] as decimal strings, best first."""
    return {
        "channel": "market." + symbol,
        "seq": seq,
        "kind": "depth",
        "ts_ns": now_ns,
        "data": {
            "bids": [(str(price), str(qty)) for price, qty in bids],
            "asks": [(str(price), str(qty)) for price, qty in asks],
        },
    }


def trade(
    symbol: str, seq: int, now_ns: int, price_e6: int, qty_e8: int, side: str, trade_no: int
) -> news.Trade:
    """A print: every fill, at the maker's price."""
    return {
        "channel": "market." + symbol,
        "seq": seq,
        "kind": "trade",
        "ts_ns": now_ns,
        "data": {
            "price_e6": str(price_e6),
            "qty_e8": str(qty_e8),
            "aggressor_side": side,
            "trade_no": trade_no,
        },
    }


def mark_price(symbol: str, seq: int, now_ns: int, mark_e6: int, index_e6: int) -> news.MarkPrice:
    """The mark of a moment, and the index that it was made of."""
    return {
        "channel": "market." + symbol,
        "seq": seq,
        "kind": "markPrice",
        "ts_ns": now_ns,
        "data": {"mark_e6": str(mark_e6), "index_e6": str(index_e6)},
    }


def funding_rate(seq: int, now_ns: int, row: Item) -> news.FundingRate:
    """A funding payment, for 1.0 base and as a share of the index; `row` is its synthetic trade."""
    return {
        "channel": "market." + row["symbol"],
        "seq": seq,
        "kind": "fundingRate",
        "ts_ns": now_ns,
        "data": {
            "boundary_ns": str(row["boundary_ns"]),
            "funding_per_unit_e6": str(row["funding_per_unit_e6"]),
            "rate_e12": str(row["rate_e12"]),
            "index_e6": str(row["index_e6"]),
            "mark_e6": str(row["mark_e6"]),
            "active_s": str(row["active_s"]),
            "model": row["model"],
            "capped": row["capped"],
            "reason": row["reason"],
        },
    }


def liquidation_alert(
    position: Position, seq: int, now_ns: int, mark_e6: int, stage: str
) -> news.LiquidationAlert:
    """A trader's position is closed by force: about to be, deleveraged, or settled for ever.

    `data.seq` is the market's command that did it.
    """
    return {
        "channel": "trader." + position.trader,
        "kind": "liquidationAlert",
        "ts_ns": now_ns,
        "data": {
            "symbol": position.symbol,
            "seq": seq,
            "stage": stage,
            "size_e8": str(position.size_e8),
            "margin": str(position.margin),
            "mark_e6": str(mark_e6),
        },
    }


def order_update(order: Order, now_ns: int) -> news.OrderUpdate:
    """What became of an order; `data.seq` is its own, as in its row."""
    return {
        "channel": "trader." + order.trader,
        "kind": "orderUpdate",
        "ts_ns": now_ns,
        "data": {
            "order_id": order.id,
            "symbol": order.symbol,
            "seq": order.seq,
            "side": order.side,
            "client_order_id": order.client_order_id,
            "status": order.status,
            "leaves_e8": str(order.leaves_e8),
            "cum_qty_e8": str(order.cum_qty_e8),
            "cum_notional": str(order.cum_notional),
            "fee_paid": str(order.fee_paid),
            "limit_price_e6": str(order.limit_price_e6),
            "reason": order.reason,
        },
    }


def position_update(row: Item, now_ns: int) -> news.PositionUpdate:
    """A position after a fill; `data.version` is the position's own, without holes."""
    return {
        "channel": "trader." + row["trader"],
        "kind": "positionUpdate",
        "ts_ns": now_ns,
        "data": {
            "symbol": row["symbol"],
            "version": row["version"],
            "size_e8": str(row["size_e8"]),
            "cost": str(row["cost"]),
            "margin": str(row["margin"]),
            "realised": str(row["realised"]),
        },
    }


def state_change(symbol: str, seq: int, now_ns: int, state: str) -> news.StateChange:
    """A market changed its state; for admins."""
    return {
        "channel": "admin." + symbol,
        "seq": seq,
        "kind": "stateChange",
        "ts_ns": now_ns,
        "data": {"state": state},
    }
