"""What a trader knows of a market: its published terms, and what the market channel has said."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import orjson

from system.model.market import MarketKind, MarketSpec
from system.model.order import BUY, Side
from system.model.units import PPM, QTY_SCALE, div_ceil


@lru_cache(maxsize=16)
def parse(raw: bytes) -> Any:
    """Parse a socket message; every subscriber of a channel shares one result, so nobody may change it.

    Subscribers hear a message one right after the other: a larger cache would only hold memory.
    """
    return orjson.loads(raw)


class MarketView:
    """One market as seen by one trader: late by its link's delay, and only public data.

    Prices are uUSDC per 1.0 base and None until somebody has said them.
    """

    __slots__ = (
        "_asks",
        "_bids",
        "_in_full",
        "_mark_ns",
        "_trade_no",
        "depth_seq",
        "funding_e12",
        "index_e6",
        "last_price_e6",
        "mark_e6",
        "spec",
    )

    def __init__(self, spec: MarketSpec) -> None:
        self.spec = spec
        self._in_full = not spec.margined
        self.mark_e6: int | None = None
        self.index_e6: int | None = None
        self.funding_e12 = 0  # what longs paid last, as a share of the index
        self.last_price_e6: int | None = None
        self._bids: Sequence[Sequence[Any]] = ()
        self._asks: Sequence[Sequence[Any]] = ()
        self.depth_seq = -1
        self._mark_ns = -1
        self._trade_no = -1

    # --- what it says ---------------------------------------------------------------------------

    @property
    def best_bid_e6(self) -> int | None:
        return int(self._bids[0][0]) if self._bids else None

    @property
    def best_ask_e6(self) -> int | None:
        return int(self._asks[0][0]) if self._asks else None

    @property
    def mid_e6(self) -> int | None:
        """The middle of the best bid and ask, None when a side is empty."""
        if not self._bids or not self._asks:
            return None
        return (int(self._bids[0][0]) + int(self._asks[0][0])) // 2

    @property
    def reference_e6(self) -> int | None:
        """The best guess of a fair price: the mark, else the mid, else the last trade."""
        return self.mark_e6 or self.mid_e6 or self.last_price_e6

    def levels(self, side: Side) -> list[tuple[int, int]]:
        """Return the published depth of a side as (price_e6, qty_e8), best first."""
        return [(int(level[0]), int(level[1])) for level in (self._bids if side == BUY else self._asks)]

    # --- arithmetic with the market's terms -----------------------------------------------------

    def tick_down(self, price_e6: int) -> int:
        """Return the nearest price of the grid at or below, at least one tick."""
        tick_e6 = self.spec.tick_e6
        return max(price_e6 // tick_e6, 1) * tick_e6

    def tick_up(self, price_e6: int) -> int:
        """Return the nearest price of the grid at or above."""
        tick_e6 = self.spec.tick_e6
        return -(-price_e6 // tick_e6) * tick_e6

    def lots_for(self, usdc: int, price_e6: int) -> int:
        """Return the quantity (1e-8 base, whole lots, maybe 0) that `usdc` uUSDC are worth at a price."""
        lot_e8 = self.spec.lot_e8
        return usdc * QTY_SCALE // price_e6 // lot_e8 * lot_e8

    def band_e6(self, side: Side) -> int | None:
        """Return the worst price the exchange admits for a taker now, on the grid inside the band."""
        if self.mark_e6 is None:
            return None
        if side == BUY:
            return self.tick_down(self.mark_e6 * (PPM + self.spec.band_ppm) // PPM)
        return self.tick_up(div_ceil(self.mark_e6 * (PPM - self.spec.band_ppm), PPM))

    def hold(self, side: Side, qty_e8: int, price_e6: int, *, resting: bool) -> tuple[str, int]:
        """Return what the exchange will reserve for an order: (asset, units). Public rule HOLD-001."""
        spec, in_full = self.spec, self._in_full
        if in_full and side != BUY:
            if spec.kind is MarketKind.OPTION:
                return "USDC", spec.max_payoff_e6 * qty_e8 // QTY_SCALE
            return spec.base, qty_e8
        if side != BUY and not resting and self.mark_e6 is not None:
            # before it is matched a sell is paid for at the far band edge: a better fill costs more margin
            price_e6 = max(price_e6, self.tick_up(self.mark_e6 * (PPM + spec.band_ppm) // PPM))
        worth = price_e6 * qty_e8 // QTY_SCALE
        margin = worth if in_full else -(-worth * spec.im_ppm // PPM)
        return "USDC", margin - (-worth * spec.fee_ppm // PPM)

    # --- what it hears --------------------------------------------------------------------------

    def hear(self, message: dict[str, Any]) -> None:
        """Take one message of the market channel; late and repeated ones change nothing."""
        kind, data = message["kind"], message["data"]
        if kind == "depth":
            if message["seq"] > self.depth_seq:
                self.depth_seq = message["seq"]
                self._bids, self._asks = data["bids"], data["asks"]
        elif kind == "trade":
            if data["trade_no"] > self._trade_no:
                self._trade_no = data["trade_no"]
                self.last_price_e6 = int(data["price_e6"])
        elif kind == "markPrice":
            self.hear_mark(int(data["mark_e6"]), message["ts_ns"])
            self.index_e6 = int(data["index_e6"]) or self.index_e6
        elif kind == "fundingRate":
            self.funding_e12 = int(data["rate_e12"])

    def hear_mark(self, mark_e6: int, ts_ns: int) -> None:
        """Take a mark price said at `ts_ns` (UTC)."""
        if ts_ns > self._mark_ns and mark_e6 > 0:
            self._mark_ns = ts_ns
            self.mark_e6 = mark_e6
