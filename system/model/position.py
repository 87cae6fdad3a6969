"""What a trader holds in one market: signed size, signed cost, and the margin locked for it."""

from __future__ import annotations

from typing import Any

import msgspec

from system.model import keys


class Position(msgspec.Struct, kw_only=True):
    """The net state of one (trader, market). Only the matcher changes one.

    There is no average price in it: `cost / size` is that, for display only. Signed cost keeps
    the sums over all traders exact. In a spot market the row counts what was traded, margin 0.

    Units: size_e8 1e-8 base, positive for long; cost uUSDC, positive for long; margin, realised,
    fees, relief uUSDC.
    """

    trader: str
    symbol: str
    size_e8: int = 0
    cost: int = 0
    margin: int = 0
    realised: int = 0  # sum of realised profit and loss, fees not counted
    fees: int = 0
    trades: int = 0
    version: int = 0
    adjusted: int = 0  # funding, liquidation fees, settlement: what moved its money beside fills
    plan: int = 0  # the last plan of the clearing house that has moved it
    relief: int = 0  # of the holds of its trader's orders here, what netting does not reserve (MATC-080)
    claiming: int = 0  # what its end has paid, reserved until the chain has paid it too (EXPI-011)

    @property
    def key(self) -> keys.Key:
        return keys.Key("TRADER#" + self.trader, "MARKET#" + self.symbol)

    def to_item(self) -> dict[str, Any]:
        """Return the whole Positions row."""
        item: dict[str, Any] = {
            "PK": "TRADER#" + self.trader,
            "SK": "MARKET#" + self.symbol,
            "trader": self.trader,
            "symbol": self.symbol,
            "size_e8": self.size_e8,
            "cost": self.cost,
            "margin": self.margin,
            "realised": self.realised,
            "fees": self.fees,
            "trades": self.trades,
            "version": self.version,
        }
        if self.adjusted:
            item["adjusted"] = self.adjusted
        if self.plan:
            item["plan"] = self.plan
        if self.relief:
            item["relief"] = self.relief
        if self.claiming:
            item["claiming"] = self.claiming
        return item


_FIELDS = Position.__struct_fields__


def position_from_item(item: dict[str, Any]) -> Position:
    """Read a Positions row."""
    return Position(**{name: item[name] for name in _FIELDS if name in item})
