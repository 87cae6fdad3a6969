"""A fill as the Trades table, its stream and the lake hold it."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

TradeType = Literal["TRADE", "LIQUIDATION", "ADL"]

# settlementStatus of a trade, in order; PENDING is written by the matcher, the rest by settlement
PENDING = "PENDING"
BATCHED = "BATCHED"
SUBMITTED = "SUBMITTED"
CONFIRMED = "CONFIRMED"
SKIPPED = "SKIPPED"  # the contract refused this fill and said why
LEDGER = "LEDGER"  # stays in the ledger: the contracts do not know such a market

# of margin_floors
MAKER_FLOOR = 1
TAKER_FLOOR = 2


class Trade(msgspec.Struct, frozen=True, kw_only=True):
    """One fill between a resting (maker) and an arriving (taker) order, at the maker's price.

    Units: price_e6 uUSDC per base, qty_e8 1e-8 base, notional and fees uUSDC, ts_ns UTC.
    """

    symbol: str
    uuid: str
    seq: int  # sequence number of the taker's command in its market
    trade_no: int  # 1, 2, 3, ... in its market, without holes
    trade_type: TradeType
    price_e6: int
    qty_e8: int
    notional: int
    aggressor_side: str
    maker_order_id: str
    taker_order_id: str
    maker: str  # trader uuid
    taker: str
    maker_fee: int
    taker_fee: int
    latency_ns: int  # taker's acceptance to this commit
    ts_ns: int
    settlement: str = PENDING
    margin_floors: int = 0
    """Of which sides (1 the maker's, 2 the taker's) the initial margin of this fill was rounded down.

    It is rounded up once for each order (RISK-011), so each fill's step of it goes up or down.
    """
    liquidation_fee: int = 0  # of a forced close, to the insurance fund
    deficit: int = 0  # of a forced close: what its margin did not cover
    taken: int = 0  # of an ADL trade: what the deleveraged side lost against the mark
    overshoot: int = 0  # how much of that was not needed to cover the other side's deficit

    def to_item(self) -> dict[str, Any]:
        item: dict[str, Any] = {
            "PK": "MARKET#" + self.symbol,
            "SK": "TS#" + self.uuid,
            "maker_key": "TRADER#" + self.maker,
            "taker_key": "TRADER#" + self.taker,
            "symbol": self.symbol,
            "uuid": self.uuid,
            "seq": self.seq,
            "trade_no": self.trade_no,
            "tradeType": self.trade_type,
            "price_e6": self.price_e6,
            "qty_e8": self.qty_e8,
            "notional": self.notional,
            "aggressor_side": self.aggressor_side,
            "maker_order_id": self.maker_order_id,
            "taker_order_id": self.taker_order_id,
            "maker": self.maker,
            "taker": self.taker,
            "maker_fee": self.maker_fee,
            "taker_fee": self.taker_fee,
            "latency_ns": self.latency_ns,
            "ts_ns": self.ts_ns,
            "settlementStatus": self.settlement,
        }
        if self.margin_floors:
            item["margin_floors"] = self.margin_floors
        if self.trade_type != "TRADE":
            item["liquidation_fee"] = self.liquidation_fee
            item["deficit"] = self.deficit
        if self.trade_type == "ADL":
            item["taken"] = self.taken
            item["overshoot"] = self.overshoot
        return item
