"""dYdX v4: a fillable price that falls with health, the fund, deleveraging below zero. LIQU-033."""

from __future__ import annotations

from fractions import Fraction

import msgspec

from system.model.units import PPM, QTY_SCALE
from system.risk.cross import CrossAccount, Holding
from system.risk.liquidation.case import Alert, Case, Close, Deleverage, Done, Step, Wait
from system.risk.liquidation.close_out import fund_limit_price_e6
from system.risk.liquidation.standard import at_any_price


def fillable_price(
    account: CrossAccount, symbol: str, adjustment_ppm: int, spread_to_maintenance_ppm: int
) -> Fraction:
    """Return the worst price a liquidation order may have, in uUSDC, exact. Rule: LIQU-033.

    (PNNV - ABR x SMMR x PMMR) / PS: at the mark when just liquidatable, away from it by the spread
    share of the maintenance margin when bankrupt.
    """
    one = account.holding(symbol)
    health = Fraction(account.equity, account.maintenance)
    share = min(Fraction(1), max(Fraction(0), Fraction(adjustment_ppm, PPM) * (1 - health)))
    spread = share * Fraction(spread_to_maintenance_ppm, PPM) * one.maintenance
    return Fraction((one.value - spread) * QTY_SCALE, one.size_e8)


class Dydx(msgspec.Struct, frozen=True):
    """IOC at the fillable price, at most 1.5 % to the fund, which pays what fills beyond bankruptcy."""

    adjustment_ppm: int = PPM
    spread_ppm: int = 100_000  # of the maintenance margin
    max_fee_ppm: int = 15_000

    @property
    def name(self) -> str:
        return "dydx"

    def next_step(self, case: Case) -> Step:
        if not case.is_due:
            return Done()
        if case.open_orders:
            return Alert()
        terms = case.terms
        if case.is_bankrupt:
            if terms.adl and not case.deleveraged:
                return Deleverage(case.held_e8, case.bankruptcy_e6, "pro_rata")
            return at_any_price(case)
        if case.rounds and case.now_ns < case.last_round_ns + terms.retry_ns:
            return Wait(case.last_round_ns + terms.retry_ns)
        limit = case.limit_e6(self.limit_price_e6(case))
        if limit < terms.tick_e6:
            return Wait(case.now_ns + terms.retry_ns)
        return Close(case.held_e8, limit, self.max_fee_ppm, widened=True)

    def limit_price_e6(self, case: Case) -> int:
        """Return the fillable price as a legal one, but none that costs more than the fund has."""
        tick = case.terms.tick_e6
        is_long = case.size_e8 > 0
        holding = Holding("", case.size_e8, case.mark_e6, case.terms.mm_ppm)
        account = CrossAccount(case.margin - case.cost, (holding,))
        price = fillable_price(account, "", self.adjustment_ppm, self.spread_ppm)
        exact = Fraction(price, tick)
        worst = fund_limit_price_e6(case.bankruptcy_e6, case.held_e8, case.fund, is_long, tick)
        if is_long:
            return max(worst, -(-exact.numerator // exact.denominator) * tick)
        return min(worst, int(exact // 1) * tick)
