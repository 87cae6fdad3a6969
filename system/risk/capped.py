"""Futures with a highest price: both sides hold all they can lose. Source: Vega. RISK-070 to RISK-072.

A long holds its price, a short the highest price less its price, so no price can bankrupt one
and nothing is ever liquidated.
"""

from __future__ import annotations

from system.model.position import Position
from system.model.units import PPM, QTY_SCALE
from system.risk.positions import FillEffect, fill_effect


def capped_effect(
    position: Position, signed_qty_e8: int, price_e6: int, max_price_e6: int
) -> FillEffect | None:
    """Compute a fill of a capped future without applying it. Rule: RISK-070.

    Collateral is taken at the execution price. None when closing would leave a negative margin,
    which full collateral rules out for prices up to the highest.
    """
    effect = fill_effect(position, signed_qty_e8, price_e6, PPM)
    if effect is None or effect.size_e8 >= 0:
        return effect
    opened = -effect.size_e8 - max(0, -position.size_e8)
    if opened <= 0:
        return effect
    # `fill_effect` took a long's collateral: exchange it for the short's
    more = (max_price_e6 - 2 * price_e6) * opened // QTY_SCALE
    return FillEffect(
        effect.size_e8,
        effect.cost,
        effect.margin + more,
        effect.margin_in + more,
        effect.pay_out,
        effect.realised,
    )
