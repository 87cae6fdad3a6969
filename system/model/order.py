"""An order as the Orders table holds it, and the words around it (FIX where FIX has one)."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal
from uuid import NAMESPACE_URL, uuid5

import msgspec

from system.model import keys

Side = Literal["BUY", "SELL"]
BUY: Side = "BUY"
SELL: Side = "SELL"

OrderType = Literal["LIMIT", "MARKET", "CANCEL", "STATE"]
"""`orderType` discriminates the rows of Orders. CANCEL and STATE rows are sequenced commands."""

TimeInForce = Literal["GTC", "GTT", "IOC", "FOK"]

PENDING = "PENDING"  # accepted and pre-paid, not yet sequenced (FIX PendingNew)
OPEN = "OPEN"  # resting in the book, nothing or a part filled
UNTRIGGERED = "UNTRIGGERED"  # a stop order that waits for its trigger, outside the book
FILLED = "FILLED"
CANCELED = "CANCELED"
EXPIRED = "EXPIRED"  # IOC/MARKET remainder, GTT, FOK
REJECTED = "REJECTED"  # refused by the matcher (post-only, state); the door's refusals leave no row
EXPIRED_IN_MATCH = "EXPIRED_IN_MATCH"  # self-trade prevention
LIVE = (PENDING, OPEN, UNTRIGGERED)
TERMINAL = (FILLED, CANCELED, EXPIRED, REJECTED, EXPIRED_IN_MATCH)


@lru_cache(maxsize=65_536)
def trader_of(account: str) -> str:
    """Return the trader's uuid: version 5 of the wallet address (lower case), so that nobody registers."""
    return str(uuid5(NAMESPACE_URL, "eip155:" + account.lower()))


class Order(msgspec.Struct, rename={"order_type": "orderType"}):
    """One signed order and what became of it. Only the matcher changes one after acceptance.

    Units: price_e6, limit_price_e6 uUSDC per base; *_e8 1e-8 base; hold in `hold_asset`'s unit
    (uUSDC, or 1e-8 base for a spot sell); *_ns UTC; expire_ns 0 means never.

    Made by keywords; only `read_command` fills it by position, which takes a tenth of the time.
    """

    # signed terms
    symbol: str
    uuid: str
    trader: str  # uuid5 of the wallet address
    account: str  # wallet address, checksummed as signed
    order_type: OrderType
    side: Side
    tif: TimeInForce
    qty_e8: int
    limit_price_e6: int  # MARKET: the worst price, signed and pre-paid
    nonce: int
    max_fee_bps: int
    subaccount: int = 0
    post_only: bool = False
    reduce_only: bool = False
    expire_ns: int = 0
    signature: str = ""  # 0x + 130 hex; "" when the run has signatures off
    client_order_id: str = ""
    replaces: str = ""  # order id that this one takes the place of
    stp: str = ""  # self-trade prevention mode; "" means the market's
    trade_group: str = ""  # accounts of one owner: their orders are not to meet either
    trigger_e6: int = 0  # a stop order's price; 0: no stop order
    trigger_on: str = "MARK"  # or LAST: which price it is compared with
    # acceptance
    accepted_ns: int = 0
    received_ns: int = 0
    worst_price_e6: int = 0  # the far band edge at acceptance: a SELL is never filled above it
    hold_asset: str = "USDC"
    hold: int = 0
    # sequenced
    status: str = PENDING
    seq: int = 0
    sequenced_ns: int = 0  # when the matcher took it up
    leaves_e8: int = 0
    cum_qty_e8: int = 0
    cum_notional: int = 0
    fee_paid: int = 0
    updated_ns: int = 0
    reason: str = ""

    @property
    def id(self) -> str:
        return f"{self.symbol}:{self.uuid}"

    @property
    def is_buy(self) -> bool:
        return self.side == BUY

    def to_item(self) -> dict[str, Any]:
        """Return the whole Orders row; attributes that say nothing (no flag, no signature) are left out."""
        item = {
            "PK": "MARKET#" + self.symbol,
            "SK": "TS#" + self.uuid,
            "trader_key": "TRADER#" + self.trader,
            "orderType": self.order_type,
            "symbol": self.symbol,
            "uuid": self.uuid,
            "trader": self.trader,
            "account": self.account,
            "side": self.side,
            "tif": self.tif,
            "qty_e8": self.qty_e8,
            "limit_price_e6": self.limit_price_e6,
            "nonce": self.nonce,
            "max_fee_bps": self.max_fee_bps,
            "accepted_ns": self.accepted_ns,
            "received_ns": self.received_ns,
            "worst_price_e6": self.worst_price_e6,
            "hold_asset": self.hold_asset,
        }
        item |= self.progress()
        # written out: a loop over their names took a quarter of the whole
        if self.signature:
            item["signature"] = self.signature
        if self.client_order_id:
            item["client_order_id"] = self.client_order_id
        if self.replaces:
            item["replaces"] = self.replaces
        if self.expire_ns:
            item["expire_ns"] = self.expire_ns
        if self.subaccount:
            item["subaccount"] = self.subaccount
        if self.post_only:
            item["post_only"] = self.post_only
        if self.reduce_only or self.stp or self.trade_group:
            self._add_rare_terms(item)
        return item

    def progress(self) -> dict[str, Any]:
        """Return what changes after acceptance: the attributes of the row that only its matcher writes."""
        item: dict[str, Any] = {
            "status": self.status,
            "hold": self.hold,
            "leaves_e8": self.leaves_e8,
            "cum_qty_e8": self.cum_qty_e8,
            "cum_notional": self.cum_notional,
            "fee_paid": self.fee_paid,
            "updated_ns": self.updated_ns,
        }
        if self.seq:
            item["seq"] = self.seq
            item["sequenced_ns"] = self.sequenced_ns
        if self.reason:
            item["reason"] = self.reason
        return item

    def _add_rare_terms(self, item: dict[str, Any]) -> None:
        if self.reduce_only:
            item["reduce_only"] = self.reduce_only
        if self.stp:
            item["stp"] = self.stp
        if self.trade_group:
            item["trade_group"] = self.trade_group
        if self.trigger_e6:  # of a reduce-only order only
            item["trigger_e6"] = self.trigger_e6
            item["trigger_on"] = self.trigger_on

    @property
    def key(self) -> keys.Key:
        return keys.Key("MARKET#" + self.symbol, "TS#" + self.uuid)


_convert = msgspec.convert


def order_from_item(item: dict[str, Any]) -> Order:
    """Read an Orders row of type LIMIT or MARKET."""
    return _convert(item, Order)
