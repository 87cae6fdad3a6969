"""What a liquidation preset sees, and the steps it answers with: LIQU-001 to LIQU-006.

The matcher asks `preset.next_step(case)`, carries the step out, and asks again with what came of
it, until the answer is Done or Wait. A preset holds no state: all of it is in the case.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from system.model.order import BUY, SELL, Side
from system.model.units import FEE_PPM, PPM, QTY_SCALE
from system.risk.margin import (
    MaintenanceBasis,
    bankruptcy_price_e6,
    equity_e8,
    is_liquidatable,
    liquidation_price_e6,
)
from system.risk.tiers import Bracket, maintenance, tiered_liquidation_price_e6


class LiquidationTerms(msgspec.Struct, frozen=True, kw_only=True):
    """A market's numbers for liquidations; every one can be set by a scenario."""

    im_ppm: int = PPM
    mm_ppm: int = 50_000
    basis: MaintenanceBasis = MaintenanceBasis.MARK
    schedule: tuple[Bracket, ...] = ()  # maintenance by size instead of `mm_ppm`
    fee_ppm: int = FEE_PPM
    liq_fee_ppm: int = 10_000
    tick_e6: int = 100_000
    lot_e8: int = 10_000
    min_liq_qty_e8: int = 0  # up to this size all is closed at once
    im_target_ppm: int = 0  # what a partial close restores; 0 is the initial margin
    retry_ns: int = 1_000_000_000
    max_rounds: int = 3
    event_cap_ppm: int = PPM  # of the fund, for one event
    adl: bool = True


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One liquidation as it stands. Units: `_e8` 1e-8 base, `_e6` price, amounts uUSDC."""

    terms: LiquidationTerms
    size_e8: int
    cost: int
    margin: int
    mark_e6: int
    band_low_e6: int  # where a close order may be priced at most
    band_high_e6: int
    now_ns: int
    prev_mark_e6: int = 0  # the mark before this one; 0 when unknown
    open_orders: bool = False  # the trader still has orders in this market
    rounds: int = 0  # close orders of this event so far
    last_round_ns: int = 0
    fund: int = 0  # what the insurance fund still may pay in this event
    depth_e8: int = -1  # what rests against the close in its range; -1 when unknown
    widened: bool = False  # an order that the fund covers was tried in this event
    deleveraged: bool = False  # auto-deleveraging was tried and found too few
    is_inventory: bool = False  # the position is the exchange's own, taken over before

    @property
    def side(self) -> Side:
        """The side of the order that closes the position."""
        return SELL if self.size_e8 > 0 else BUY

    @property
    def held_e8(self) -> int:
        return abs(self.size_e8)

    @property
    def equity_e8(self) -> int:
        return equity_e8(self.size_e8, self.cost, self.margin, self.mark_e6)

    @property
    def notional(self) -> int:
        """Value of the position at the mark."""
        return self.held_e8 * self.mark_e6 // QTY_SCALE

    @property
    def is_due(self) -> bool:
        """Below the maintenance margin; inventory of the exchange always is."""
        if not self.size_e8:
            return False
        return self.is_inventory or is_due(self.terms, self.size_e8, self.cost, self.margin, self.mark_e6)

    @property
    def bankruptcy_e6(self) -> int:
        return bankruptcy_price_e6(self.size_e8, self.cost, self.margin, self.terms.tick_e6)

    @property
    def is_bankrupt(self) -> bool:
        """The mark is beyond the bankruptcy price."""
        return self.equity_e8 < 0

    def limit_e6(self, price_e6: int) -> int:
        """Return a close order's limit: never worse than `price_e6` nor than the band. Rule: LIQU-003.

        A sell needs a price of a tick or more; a buy for which there is no price at all gets 0.
        """
        if self.size_e8 > 0:
            return max(price_e6, self.band_low_e6, self.terms.tick_e6)
        return min(price_e6, self.band_high_e6)


def is_due(terms: LiquidationTerms, size_e8: int, cost: int, margin: int, mark_e6: int) -> bool:
    """Say whether a position is liquidatable under a market's terms. Rules: RISK-031, RISK-041."""
    if not terms.schedule:
        return is_liquidatable(size_e8, cost, margin, mark_e6, terms.mm_ppm, terms.basis)
    required = maintenance(terms.schedule, abs(size_e8) * mark_e6 // QTY_SCALE)
    return equity_e8(size_e8, cost, margin, mark_e6) < required * QTY_SCALE


def last_safe_price_e6(terms: LiquidationTerms, size_e8: int, cost: int, margin: int) -> int:
    """Return the price by which `LiquidationIndex` keeps a position."""
    if not terms.schedule:
        return liquidation_price_e6(size_e8, cost, margin, terms.mm_ppm, terms.basis)
    return tiered_liquidation_price_e6(terms.schedule, size_e8, cost, margin)


class Alert(msgspec.Struct, frozen=True, tag="ALERT"):
    """Publish liquidationAlert and cancel the trader's orders in this market; then ask again."""


class Close(msgspec.Struct, frozen=True, tag="CLOSE"):
    """Send an IOC (or FOK) order of the position's closing side; settle its fills by `close_out`."""

    qty_e8: int
    limit_e6: int
    liq_fee_ppm: int = 0
    widened: bool = False  # beyond the bankruptcy price: the fund pays, then bad debt
    all_or_none: bool = False
    residual_to_fund: bool = False


class TakeOver(msgspec.Struct, frozen=True, tag="TAKE_OVER"):
    """The exchange takes the position at its bankruptcy price as inventory; the margin goes to the fund."""

    qty_e8: int
    price_e6: int


class Deleverage(msgspec.Struct, frozen=True, tag="DELEVERAGE"):
    """Close against opposing positions without an order, at a price, by a policy of `adl`."""

    qty_e8: int
    price_e6: int
    policy: str


class Wait(msgspec.Struct, frozen=True, tag="WAIT"):
    """Nothing before this instant; ask again then, or at the next mark."""

    until_ns: int


class Done(msgspec.Struct, frozen=True, tag="DONE"):
    """Healthy again, or nothing left."""


Step = Alert | Close | TakeOver | Deleverage | Wait | Done


class LiquidationPreset(Protocol):
    """One venue's way through the waterfall: from a case to the next step."""

    @property
    def name(self) -> str: ...

    def next_step(self, case: Case) -> Step: ...
