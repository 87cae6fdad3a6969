"""Hyperliquid: a fifth first when the position is large, a backstop below two thirds. LIQU-032."""

from __future__ import annotations

import msgspec

from system.model.units import PPM, QTY_SCALE
from system.risk.liquidation.case import Alert, Case, Close, Done, Step, TakeOver, Wait
from system.risk.liquidation.inventory import unwind

COOLDOWN_NS = 30_000_000_000


class Hyperliquid(msgspec.Struct, frozen=True):
    """Orders to the book; after `COOLDOWN_NS` all of it; the backstop takes over what is nearly lost.

    Orders are limited at the bankruptcy price, where the source sends market orders: a pre-paid
    venue cannot let one trader's close make a debt. Deleveraging is at the mark before this one,
    unless that is worse than the bankruptcy price.
    """

    large: int = 100_000_000_000  # uUSDC
    first_ppm: int = 200_000
    backstop_ppm: int = 666_667  # of the maintenance margin

    @property
    def name(self) -> str:
        return "hyperliquid"

    def next_step(self, case: Case) -> Step:
        if not case.is_due:
            return Done()
        if case.is_inventory:
            return unwind(case, "ranked", self.deleverage_price_e6(case))
        if case.open_orders:
            return Alert()
        limit = case.limit_e6(case.bankruptcy_e6)
        needed = case.notional * case.terms.mm_ppm * QTY_SCALE // PPM
        if case.equity_e8 * PPM < needed * self.backstop_ppm or limit < case.terms.tick_e6:
            return TakeOver(case.held_e8, case.bankruptcy_e6)
        if case.rounds == 0:
            return Close(self.first_e8(case), limit, case.terms.liq_fee_ppm)
        if case.now_ns < case.last_round_ns + COOLDOWN_NS:
            return Wait(case.last_round_ns + COOLDOWN_NS)
        return Close(case.held_e8, limit, case.terms.liq_fee_ppm)

    def first_e8(self, case: Case) -> int:
        """Return the first round's quantity: a fifth of a large position, in lots; else all."""
        if case.notional <= self.large:
            return case.held_e8
        lots = case.held_e8 * self.first_ppm // (PPM * case.terms.lot_e8)
        return max(1, lots) * case.terms.lot_e8

    @staticmethod
    def deleverage_price_e6(case: Case) -> int:
        """Return the previous mark where the loser can bear it, else its bankruptcy price."""
        bankruptcy = case.bankruptcy_e6
        if not case.prev_mark_e6:
            return bankruptcy
        tick = case.terms.tick_e6
        if case.size_e8 > 0:
            return max(bankruptcy, case.prev_mark_e6 // tick * tick)
        return min(bankruptcy, -(-case.prev_mark_e6 // tick) * tick)
