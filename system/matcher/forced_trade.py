"""The trade of a close that no trader asked for: a liquidation, or a deleveraging."""

from __future__ import annotations

import msgspec

from system.model.trade import LEDGER, Trade, TradeType


class ForcedTrade(msgspec.Struct, frozen=True):
    """What the Trades row of a forced close says; the taker is who was closed."""

    trade_type: TradeType
    price_e6: int
    qty_e8: int
    notional: int
    side: str
    maker_order_id: str
    taker_order_id: str
    maker: str
    taker: str
    maker_fee: int
    taker_fee: int
    liquidation_fee: int
    deficit: int  # what the fund or bad debt paid of it
    taken: int = 0
    overshoot: int = 0

    def to_trade(self, symbol: str, uuid: str, trade_no: int, seq: int, ts_ns: int) -> Trade:
        """Return the Trades row. No contract knows such a trade, so it stays in the ledger."""
        return Trade(
            symbol=symbol,
            uuid=uuid,
            seq=seq,
            trade_no=trade_no,
            trade_type=self.trade_type,
            price_e6=self.price_e6,
            qty_e8=self.qty_e8,
            notional=self.notional,
            aggressor_side=self.side,
            maker_order_id=self.maker_order_id,
            taker_order_id=self.taker_order_id,
            maker=self.maker,
            taker=self.taker,
            maker_fee=self.maker_fee,
            taker_fee=self.taker_fee,
            latency_ns=0,
            ts_ns=ts_ns,
            settlement=LEDGER,
            liquidation_fee=self.liquidation_fee,
            deficit=self.deficit,
            taken=self.taken,
            overshoot=self.overshoot,
        )
