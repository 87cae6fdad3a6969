"""The house's way: close orders at the bankruptcy price, then the fund, then deleveraging. LIQU-030."""

from __future__ import annotations

from system.model.units import PPM, QTY_SCALE, ppm_ceil
from system.risk.liquidation.case import Alert, Case, Close, Deleverage, Done, Step, Wait
from system.risk.liquidation.close_out import fund_limit_price_e6, partial_qty_e8


def close_qty_e8(case: Case) -> int:
    """Return how much a round closes: all, or what restores the target margin. Rule: LIQU-004."""
    terms = case.terms
    held = case.held_e8
    target = terms.im_target_ppm or terms.im_ppm
    if terms.im_ppm >= PPM or held <= terms.min_liq_qty_e8:
        return held
    shortage = ppm_ceil(case.notional, target) - case.equity_e8 // QTY_SCALE
    cost_ppm = terms.fee_ppm + terms.liq_fee_ppm
    qty = max(terms.lot_e8, partial_qty_e8(shortage, case.mark_e6, target, cost_ppm, terms.lot_e8, held))
    return held if held - qty <= terms.min_liq_qty_e8 else qty


def last_resort(case: Case, qty_e8: int, policy: str) -> Step:
    """Return what follows when close orders are of no use: fund, deleveraging, bad debt. Rule: LIQU-005."""
    terms = case.terms
    limit = case.limit_e6(
        fund_limit_price_e6(case.bankruptcy_e6, qty_e8, case.fund, case.size_e8 > 0, terms.tick_e6)
    )
    if case.fund > 0 and not case.widened and limit >= terms.tick_e6:
        return Close(qty_e8, limit, terms.liq_fee_ppm, widened=True)
    if terms.adl and not case.deleveraged:
        return Deleverage(case.held_e8, case.bankruptcy_e6, policy)
    return at_any_price(case)


def at_any_price(case: Case, residual_to_fund: bool = False) -> Step:
    """Return a close at the band's edge, whose loss becomes bad debt when the fund has no more. LIQU-005."""
    terms = case.terms
    if case.rounds and case.now_ns < case.last_round_ns + terms.retry_ns:
        return Wait(case.last_round_ns + terms.retry_ns)
    limit = case.limit_e6(case.band_low_e6 if case.size_e8 > 0 else case.band_high_e6)
    liq_fee_ppm = 0 if residual_to_fund else terms.liq_fee_ppm
    return Close(case.held_e8, limit, liq_fee_ppm, widened=True, residual_to_fund=residual_to_fund)


class Standard:
    """Alert, cancel, partial or full close at the bankruptcy price, fund, ranked deleveraging."""

    name = "standard"

    def next_step(self, case: Case) -> Step:
        if not case.is_due:
            return Done()
        if case.open_orders:
            return Alert()
        terms = case.terms
        qty = close_qty_e8(case)
        limit = case.limit_e6(case.bankruptcy_e6)
        if case.is_bankrupt or case.rounds >= terms.max_rounds or limit < terms.tick_e6:
            return last_resort(case, qty, "ranked")
        if case.rounds and case.now_ns < case.last_round_ns + terms.retry_ns:
            return Wait(case.last_round_ns + terms.retry_ns)
        return Close(qty, limit, terms.liq_fee_ppm)
