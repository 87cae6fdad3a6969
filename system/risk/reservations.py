"""What an order of any instrument reserves when it enters: RISK-060 to RISK-069.

Bounded instruments (spot, bought options, cash-secured puts, capped calls, capped futures) reserve
the worst they can lose, and so are never liquidated. Linear ones reserve the initial margin.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from system.model.market import MarketKind, MarketSpec
from system.model.order import BUY, Side
from system.model.units import PPM, QTY_SCALE, ppm_ceil
from system.risk.positions import margin_step


class Payoff(StrEnum):
    """How an instrument pays, which decides what an order must reserve."""

    SPOT = "SPOT"
    LINEAR = "LINEAR"  # perpetuals and dated futures
    CAPPED = "CAPPED"  # a future with a highest price: both sides are fully collateralised
    CALL = "CALL"  # capped at `cap_e6`
    PUT = "PUT"


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers of an instrument that a reservation depends on."""

    payoff: Payoff
    fee_ppm: int
    im_ppm: int = PPM
    max_price_e6: int = 0  # of CAPPED
    strike_e6: int = 0  # of CALL and PUT
    cap_e6: int = 0  # of CALL


def terms_of(spec: MarketSpec) -> Terms:
    """Return the numbers of a market's instrument: what netting and reservations compare by."""
    payoffs = {MarketKind.SPOT: Payoff.SPOT, MarketKind.PERP: Payoff.LINEAR, MarketKind.FUTURE: Payoff.LINEAR}
    linear = Payoff.CAPPED if spec.max_price_e6 else payoffs.get(spec.kind)
    return Terms(
        payoff=linear or Payoff(spec.option_type),
        max_price_e6=spec.max_price_e6,
        fee_ppm=spec.fee_ppm,
        im_ppm=spec.im_ppm,
        strike_e6=spec.strike_e6,
        cap_e6=spec.cap_e6,
    )


def unit_loss_e6(terms: Terms, side: Side, price_e6: int) -> int:
    """Return the most that one whole unit opened at a price can lose, for bounded instruments."""
    if terms.payoff is Payoff.CAPPED:
        return price_e6 if side == BUY else terms.max_price_e6 - price_e6
    if side == BUY or terms.payoff in (Payoff.SPOT, Payoff.LINEAR):
        return price_e6
    return terms.strike_e6 if terms.payoff is Payoff.PUT else terms.cap_e6 - terms.strike_e6


def margin_cost(terms: Terms, side: Side, price_e6: int, qty_e8: int) -> int:
    """Return the margin of one order without its fee: the `cost` that netting compares."""
    loss = unit_loss_e6(terms, side, price_e6) * qty_e8 // QTY_SCALE
    return ppm_ceil(loss, terms.im_ppm) if terms.payoff is Payoff.LINEAR else loss


def pays_fee_from_proceeds(terms: Terms, side: Side) -> bool:
    """Say whether a fill brings in more than its fee: spot sales and written options. Rule: RISK-061."""
    return side != BUY and terms.payoff in (Payoff.SPOT, Payoff.CALL, Payoff.PUT)


def reserved_in_base(terms: Terms, side: Side) -> bool:
    """Say whether the reservation is a quantity of the base: only a spot sale's is."""
    return terms.payoff is Payoff.SPOT and side != BUY


def worst_price_e6(terms: Terms, side: Side, limit_e6: int, band_upper_e6: int) -> int:
    """Return the price at which a fill costs the order most. Rule: RISK-062.

    A linear sell filled above its limit has a larger notional; every other obligation falls or
    stays when the fill is better than the limit.
    """
    return max(limit_e6, band_upper_e6) if terms.payoff is Payoff.LINEAR and side != BUY else limit_e6


def reservation(
    terms: Terms,
    side: Side,
    price_e6: int,
    qty_e8: int,
    traded: int = 0,
    fee_paid: int = 0,
) -> int:
    """Return what `qty_e8` left of an order must reserve when filled at a price. Rule: RISK-060.

    `traded` is the notional it has traded and `fee_paid` the fee so far: margin and fee telescope,
    so a fill never needs more than was reserved. Pass `worst_price_e6` before matching, the limit
    once the order rests. Units: uUSDC, or the base where `reserved_in_base`.
    """
    if not qty_e8 or reserved_in_base(terms, side):
        return qty_e8
    notional = price_e6 * qty_e8 // QTY_SCALE
    if terms.payoff is Payoff.LINEAR:
        margin = margin_step(traded, notional, terms.im_ppm)
    else:
        margin = unit_loss_e6(terms, side, price_e6) * qty_e8 // QTY_SCALE
    if pays_fee_from_proceeds(terms, side):
        return margin
    return margin + ppm_ceil(traded + notional, terms.fee_ppm) - fee_paid


def order_cost(notional: int, bankruptcy_notional: int, im_ppm: int, fee_ppm: int) -> int:
    """Return a reservation that also holds the fee of a close at bankruptcy. Source: Bybit. RISK-068.

    For leveraged markets whose liquidations shall pay their fee in full; ours takes it from what
    is left (LIQU-012), so nothing reserves it unless a scenario asks.
    """
    return ppm_ceil(notional, im_ppm) + ppm_ceil(notional, fee_ppm) + ppm_ceil(bankruptcy_notional, fee_ppm)
