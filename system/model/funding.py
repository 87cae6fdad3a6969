"""A funding tick as the Trades table and its stream hold it: a trade of nothing between nobody."""

from __future__ import annotations

from typing import Any

import msgspec

FUNDING = "FUNDING"


class FundingTrade(msgspec.Struct, frozen=True, kw_only=True):
    """The synthetic trade of one tick. It has no sides and is in no volume, candle, fee or latency.

    `price_e6` is the mark. `per_unit_e12` is what longs pay for 1.0 base in 1e-12 USDC; `rate_e12` the same
    as a share of the index. What each trader paid is in the trader's own rows.
    """

    symbol: str
    uuid: str
    seq: int
    boundary_ns: int
    mark_e6: int
    index_e6: int
    per_unit_e12: int
    rate_e12: int
    active_s: int
    capped: bool
    reason: str
    model: str
    ts_ns: int

    @property
    def funding_per_unit_e6(self) -> int:
        """Return what longs pay for 1.0 base in uUSDC, toward zero: for display."""
        sign = -1 if self.per_unit_e12 < 0 else 1
        return sign * (abs(self.per_unit_e12) // 10**6)

    def to_item(self) -> dict[str, Any]:
        """Return the Trades row; without traders it is in neither of their indexes."""
        return {
            "PK": "MARKET#" + self.symbol,
            "SK": "TS#" + self.uuid,
            "symbol": self.symbol,
            "uuid": self.uuid,
            "seq": self.seq,
            "tradeType": FUNDING,
            "price_e6": self.mark_e6,
            "qty_e8": 0,
            "dF_e12": self.per_unit_e12,
            "rate_e12": self.rate_e12,
            "funding_per_unit_e6": self.funding_per_unit_e6,
            "index_e6": self.index_e6,
            "mark_e6": self.mark_e6,
            "boundary_ns": self.boundary_ns,
            "active_s": self.active_s,
            "capped": self.capped,
            "reason": self.reason,
            "model": self.model,
            "ts_ns": self.ts_ns,
        }
