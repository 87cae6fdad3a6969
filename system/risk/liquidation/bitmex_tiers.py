"""BitMEX: down to the next risk limit first, then the engine takes the position over. LIQU-031."""

from __future__ import annotations

from system.model.units import QTY_SCALE, div_ceil
from system.risk.liquidation.case import Alert, Case, Close, Done, Step, TakeOver
from system.risk.liquidation.inventory import unwind
from system.risk.tiers import bracket_of


class BitmexTiers:
    """One fill-or-kill order down to the bracket's floor; when it fails, or in the lowest, take over.

    The engine sells at the bankruptcy price; what it gets above is the fund's, what it lacks the
    fund pays, and then those with the highest score are deleveraged.
    """

    name = "bitmex_tiers"

    def next_step(self, case: Case) -> Step:
        if not case.is_due:
            return Done()
        if case.is_inventory:
            return unwind(case, "ranked")
        if case.open_orders:
            return Alert()
        limit = case.limit_e6(case.bankruptcy_e6)
        qty = self.above_tier_e8(case)
        if qty and not case.is_bankrupt and case.rounds == 0 and limit >= case.terms.tick_e6:
            return Close(qty, limit, case.terms.liq_fee_ppm, all_or_none=True)
        return TakeOver(case.held_e8, case.bankruptcy_e6)

    @staticmethod
    def above_tier_e8(case: Case) -> int:
        """Return what must be closed to reach the bracket below; 0 in the lowest."""
        if not case.terms.schedule:
            return 0
        above = case.notional - bracket_of(case.terms.schedule, case.notional).floor
        if above == case.notional:
            return 0
        lots = div_ceil(above * QTY_SCALE, case.mark_e6 * case.terms.lot_e8)
        return min(case.held_e8, lots * case.terms.lot_e8)
