"""Vega: the network takes the whole position and disposes of it in steps. LIQU-035."""

from __future__ import annotations

import msgspec

from system.model.units import PPM, QTY_SCALE
from system.risk.liquidation.case import Alert, Case, Close, Deleverage, Done, Step, TakeOver, Wait
from system.risk.liquidation.close_out import fund_limit_price_e6


def disposal_qty_e8(
    open_e8: int, fraction_ppm: int, full_size_e8: int, book_e8: int, book_ppm: int, lot_e8: int = 1
) -> int:
    """Return what one disposal step sells. Rule: LIQU-035.

    A fraction of what is open, all of it at or below the full disposal size, and never more than
    a share of what rests within range. In whole lots, at least one where the book has it.
    """
    wanted = open_e8 if open_e8 <= full_size_e8 else open_e8 * fraction_ppm // PPM
    room = book_e8 * book_ppm // PPM
    qty = min(wanted, room) // lot_e8 * lot_e8
    return qty if qty or room < lot_e8 else min(open_e8, lot_e8)


def maintenance_ppm(slippage_ppm: int, risk_factor_ppm: int) -> int:
    """Return a market's maintenance rate under linear slippage: slippage plus risk factor. Source: Vega."""
    return slippage_ppm + risk_factor_ppm


class VegaStaged(msgspec.Struct, frozen=True):
    """Take over at once; sell a part every step, at most so far from the mark; the pool pays losses."""

    step_ns: int = 10_000_000_000
    fraction_ppm: int = 500_000
    full_size_e8: int = 10_000_000
    book_ppm: int = 100_000
    range_ppm: int = 50_000

    @property
    def name(self) -> str:
        return "vega_staged"

    def next_step(self, case: Case) -> Step:
        if not case.is_due:
            return Done()
        if not case.is_inventory:
            return Alert() if case.open_orders else TakeOver(case.held_e8, case.bankruptcy_e6)
        terms = case.terms
        if -case.equity_e8 > case.fund * QTY_SCALE and terms.adl and not case.deleveraged:
            return Deleverage(case.held_e8, case.bankruptcy_e6, "pro_rata")
        if case.rounds and case.now_ns < case.last_round_ns + self.step_ns:
            return Wait(case.last_round_ns + self.step_ns)
        book = case.held_e8 * PPM if case.depth_e8 < 0 else case.depth_e8
        qty = disposal_qty_e8(
            case.held_e8, self.fraction_ppm, self.full_size_e8, book, self.book_ppm, terms.lot_e8
        )
        if not qty:
            return Wait(case.now_ns + self.step_ns)
        limit = case.limit_e6(self.edge_e6(case, qty))
        if limit < terms.tick_e6:
            return Wait(case.now_ns + self.step_ns)
        return Close(qty, limit, widened=True, residual_to_fund=True)

    def edge_e6(self, case: Case, qty_e8: int) -> int:
        """Return the end of the network's range, or of what the pool can pay while it can deleverage."""
        tick = case.terms.tick_e6
        is_long = case.size_e8 > 0
        pool = fund_limit_price_e6(case.bankruptcy_e6, qty_e8, case.fund, is_long, tick)
        free = case.deleveraged or not case.terms.adl
        if is_long:
            edge = -(-case.mark_e6 * (PPM - self.range_ppm) // (PPM * tick)) * tick
            return edge if free else max(edge, pool)
        edge = case.mark_e6 * (PPM + self.range_ppm) // (PPM * tick) * tick
        return edge if free else min(edge, pool)
