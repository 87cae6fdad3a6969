"""What a market is: its symbol, its integers and its state."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Any

import msgspec

from system.model import keys
from system.model.units import FEE_PPM, PPM, QTY_SCALE

PERP_SYMBOL = re.compile(r"^[A-Z0-9]{2,10}-PERP$")
SPOT_SYMBOL = re.compile(r"^[A-Za-z][A-Za-z0-9]{1,10}-USDC$")


class MarketKind(StrEnum):
    SPOT = "SPOT"
    PERP = "PERP"


class MarketState(StrEnum):
    """Admin and clock move a market along these; every move is a sequenced command."""

    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"
    CLOSED = "CLOSED"


class MarketSpec(msgspec.Struct, frozen=True, kw_only=True):
    """The fixed terms of a market.

    Units: `tick_e6` uUSDC per 1.0 base, `lot_e8` 1e-8 base, `*_ppm` parts per million,
    `max_order_e8` 1e-8 base, `min_notional` uUSDC.
    """

    symbol: str
    kind: MarketKind
    base: str
    underlying: str
    tick_e6: int
    lot_e8: int
    min_notional: int = 1_000_000
    max_order_e8: int = 10**13
    fee_ppm: int = FEE_PPM
    im_ppm: int = PPM
    mm_ppm: int = 50_000
    band_ppm: int = 50_000
    funding: str = "none"

    def problem(self) -> str:
        """Return why these terms are illegal, or "" when they are fine. Rule: MARK-001."""
        pattern = PERP_SYMBOL if self.kind is MarketKind.PERP else SPOT_SYMBOL
        if not pattern.match(self.symbol):
            return f"symbol: expected {pattern.pattern} for {self.kind}, was {self.symbol!r}"
        if self.tick_e6 <= 0 or self.lot_e8 <= 0:
            return f"tick and lot: expected above 0, was {self.tick_e6} and {self.lot_e8}"
        if self.tick_e6 * self.lot_e8 % QTY_SCALE:
            return (
                "tick times lot: expected a whole number of uUSDC, "
                f"was {self.tick_e6} * {self.lot_e8} / {QTY_SCALE}"
            )
        if self.kind is MarketKind.PERP and self.im_ppm <= self.mm_ppm:
            return f"im_ppm: expected above mm_ppm {self.mm_ppm}, was {self.im_ppm}"
        return ""

    def to_item(self, state: MarketState, created_ns: int) -> dict[str, Any]:
        """Return the Markets row; oracle fields are added by the oracle job."""
        item: dict[str, Any] = {"PK": keys.market_pk(self.symbol), "SK": keys.META}
        item |= msgspec.structs.asdict(self)
        item["kind"] = self.kind.value
        item["status"] = state.value
        item["created_ns"] = created_ns
        return item


_FIELDS = MarketSpec.__struct_fields__


def spec_from_item(item: dict[str, Any]) -> MarketSpec:
    """Read the fixed terms back from a Markets row."""
    values = {name: item[name] for name in _FIELDS}
    values["kind"] = MarketKind(values["kind"])
    return MarketSpec(**values)
