"""What the exchange does with a position it took over, where a preset knows no better. LIQU-034."""

from __future__ import annotations

from system.risk.liquidation.case import Case, Close, Deleverage, Step, Wait
from system.risk.liquidation.close_out import fund_limit_price_e6
from system.risk.liquidation.standard import at_any_price


def unwind(case: Case, policy: str, deleverage_e6: int = 0) -> Step:
    """Sell at what it cost; then within what the fund may lose; then deleverage at what it cost.

    Inventory has no margin, so its bankruptcy price is its average cost and the fund stands for it.
    """
    terms = case.terms
    cost_e6 = case.bankruptcy_e6
    first = case.rounds == 0
    due_ns = case.last_round_ns + terms.retry_ns
    if not first and case.now_ns < due_ns:
        return Wait(due_ns)
    limit = case.limit_e6(cost_e6)
    if not case.is_bankrupt and case.rounds < terms.max_rounds and limit >= terms.tick_e6:
        return Close(case.held_e8, limit, residual_to_fund=True)
    wide = case.limit_e6(
        fund_limit_price_e6(cost_e6, case.held_e8, case.fund, case.size_e8 > 0, terms.tick_e6)
    )
    if case.fund > 0 and not case.widened and wide >= terms.tick_e6:
        return Close(case.held_e8, wide, widened=True, residual_to_fund=True)
    if terms.adl and not case.deleveraged:
        return Deleverage(case.held_e8, deleverage_e6 or cost_e6, policy)
    return at_any_price(case, residual_to_fund=True)
