"""What a desk writes down of an order and of a position."""

from __future__ import annotations

from sim.client.requests import Draft
from system.model.market import MarketKind
from system.model.order import TERMINAL

TERMINAL_STATES = frozenset(TERMINAL)


class OpenOrder:
    """An order from its sending to its end.

    Units: price_e6 uUSDC per 1.0 base, *_e8 1e-8 base, hold in hold_asset's smallest unit.
    """

    __slots__ = (
        "client_order_id",
        "cum_notional",
        "cum_qty_e8",
        "fee_paid",
        "hold",
        "hold_asset",
        "leaves_e8",
        "leaving",
        "market",
        "nonce",
        "order_id",
        "price_e6",
        "qty_e8",
        "side",
        "status",
        "symbol",
    )

    def __init__(self, draft: Draft, nonce: int, client_order_id: str, hold_asset: str, hold: int) -> None:
        self.symbol = draft.symbol
        self.side = draft.side
        self.qty_e8 = draft.qty_e8
        self.leaves_e8 = draft.qty_e8
        self.price_e6 = draft.price_e6
        self.market = draft.market
        self.nonce = nonce
        self.client_order_id = client_order_id
        self.order_id = ""  # "" until the exchange has accepted it
        self.status = "SENT"
        self.leaving = False  # a cancel or a replacement is under way
        self.hold_asset = hold_asset
        self.hold = hold
        self.cum_qty_e8 = 0
        self.cum_notional = 0
        self.fee_paid = 0

    @property
    def done(self) -> bool:
        return self.status in TERMINAL_STATES


class Position:
    """What a trader has in a market, as the last positionUpdate said. Units: size 1e-8 base, else uUSDC."""

    __slots__ = ("cost", "margin", "realised", "size_e8", "version")

    def __init__(self) -> None:
        self.size_e8 = 0
        self.cost = 0
        self.margin = 0
        self.realised = 0
        self.version = 0

    def cash(self, kind: MarketKind) -> int:
        """Return what this position has added to free USDC so far, fees apart."""
        if kind is MarketKind.SPOT:
            return -self.cost
        if kind is MarketKind.OPTION:  # premiums moved in cash
            return self.realised - self.cost - self.margin
        return self.realised - self.margin
