"""The bodies of POST and DELETE /orders, and what reads them: amounts as JSON numbers or decimal strings."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from system.model.order import Side, TimeInForce

Signature = Annotated[str, Meta(max_length=132)]
OrderId = Annotated[str, Meta(max_length=80)]


class OrderBody(msgspec.Struct, tag_field="type", forbid_unknown_fields=True, kw_only=True):
    """What every order says; amounts in base units, as in model/order.py."""

    symbol: Annotated[str, Meta(max_length=32)]
    side: Side
    qty_e8: int
    limit_price_e6: int  # MARKET: the worst price the trader signs
    account: str
    nonce: int
    signature: Signature = ""
    subaccount: int = 0
    max_fee_bps: int = 50
    reduce_only: bool = False
    expire_s: int = 0
    stp: Literal["", "NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH", "DECREMENT"] = ""
    trade_group: Annotated[str, Meta(max_length=64)] = ""
    trigger_e6: int = 0  # above 0: a stop order, which waits until the price is there
    trigger_on: Literal["MARK", "LAST"] = "MARK"
    client_order_id: Annotated[str, Meta(max_length=64)] = ""


class LimitBody(OrderBody, tag="limit"):
    """POST /orders, `"type": "limit"`."""

    tif: TimeInForce = "GTC"
    post_only: bool = False
    replaces: OrderId = ""


class MarketBody(OrderBody, tag="market"):
    """POST /orders, `"type": "market"`: an IOC order at the signed worst price."""


class PerpBody(LimitBody, tag="perp"):
    """POST /orders, `"type": "perp"`: the market must be a perpetual."""

    execution: Literal["limit", "market"] = "limit"


class FutureBody(PerpBody, tag="future", kw_only=True):
    """POST /orders, `"type": "future"`: the market must be the future of this expiry."""

    future_expiry_s: int


class OptionBody(FutureBody, tag="option", kw_only=True):
    """POST /orders, `"type": "option"`: the market must be the option of these terms."""

    strike_e6: int
    option_type: Literal["CALL", "PUT"]
    cap_e6: int = 0


Body = LimitBody | MarketBody | PerpBody | FutureBody | OptionBody
ORDER: msgspec.json.Decoder[Body] = msgspec.json.Decoder(Body, strict=False)


class CancelOneBody(msgspec.Struct, forbid_unknown_fields=True):
    """Body of DELETE /orders/{id}; `deadline` in Unix seconds ends the signature's life."""

    account: str
    nonce: int
    deadline: int
    signature: Signature = ""


class CancelManyBody(msgspec.Struct, forbid_unknown_fields=True):
    """Body of DELETE /orders?symbol=: every order of the account with a nonce below `min_nonce`."""

    account: str
    min_nonce: int
    deadline: int
    signature: Signature = ""


CANCEL_ONE: msgspec.json.Decoder[CancelOneBody] = msgspec.json.Decoder(CancelOneBody, strict=False)
CANCEL_MANY: msgspec.json.Decoder[CancelManyBody] = msgspec.json.Decoder(CancelManyBody, strict=False)
