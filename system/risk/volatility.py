"""Black-76 prices, implied volatility and greeks, for statistics only: IVOL-001 to IVOL-009.

The one place of the rulebook with floats (decision 0052): nothing here is ever booked. QuantLib
computes; it is imported where it is used, so that only functions that need it pay for it.
Prices are in units of the quote for one base, times in years of 365 days, volatilities per year.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec

from system.model.market import MarketSpec
from system.model.units import NS, PPM
from system.risk.options import OptionType

if TYPE_CHECKING:
    import QuantLib as Ql

YEAR_S = 31_536_000
CLOSE_TO_CAP = 0.7  # a capped call this near its cap says little about volatility
PRICE_ACCURACY = 1e-12
VOL_ACCURACY = 1e-12


def years(remaining_ns: int) -> float:
    """Return a time to expiry in years of 365 days."""
    return remaining_ns / (NS * YEAR_S)


def black76(
    option_type: OptionType, forward: float, strike: float, t: float, vol: float, rate: float = 0.0
) -> float:
    """Return the price of a European option on a forward. Rule: IVOL-001.

    >>> round(black76("CALL", 100, 100, 0.5, 0.2), 10)
    5.6371977797
    """
    ql = _quantlib()
    return float(
        ql.blackFormula(_kind(option_type), strike, forward, vol * math.sqrt(t), math.exp(-rate * t))
    )


class ImpliedVol(msgspec.Struct, frozen=True):
    """A volatility, or why there is none: null is never 0."""

    vol: float | None
    reason: str = ""  # BELOW_INTRINSIC, ABOVE_MAXIMUM, EXPIRED, CLOSE_TO_CAP, NO_ROOT, NO_QUOTE
    capped: bool = False  # inverted from a capped price, smallest root


def implied_vol(
    price: float, option_type: OptionType, forward: float, strike: float, t: float, rate: float = 0.0
) -> ImpliedVol:
    """Invert Black-76. Rule: IVOL-002.

    What is in the money is taken to its other side by parity first: there the price is all time
    value, and the inversion keeps its digits.
    """
    if t <= 0:
        return ImpliedVol(None, "EXPIRED")
    discount = math.exp(-rate * t)
    sign = 1 if option_type == "CALL" else -1
    intrinsic = max(0.0, sign * (forward - strike))
    time_value = price / discount - intrinsic
    if time_value < -PRICE_ACCURACY * strike:
        return ImpliedVol(None, "BELOW_INTRINSIC")
    if price / discount >= (forward if option_type == "CALL" else strike):
        return ImpliedVol(None, "ABOVE_MAXIMUM")
    if time_value <= 0:
        return ImpliedVol(0.0)
    ql = _quantlib()
    other = ql.Option.Put if forward > strike else ql.Option.Call  # the side out of the money
    deviation = ql.blackFormulaImpliedStdDev(
        other, strike, forward, time_value, 1.0, 0.0, _guess(time_value, forward), VOL_ACCURACY, 1_000
    )
    return ImpliedVol(float(deviation) / math.sqrt(t))


def capped_call(forward: float, strike: float, cap: float, t: float, vol: float) -> float:
    """Return the price of a call capped at `cap`: one call less another at the cap. Rule: IVOL-003."""
    return black76("CALL", forward, strike, t, vol) - black76("CALL", forward, cap, t, vol)


def dearest_vol(forward: float, strike: float, cap: float, t: float) -> float:
    """Return the volatility beyond which a capped call gets cheaper; 0 when it always does. Rule: IVOL-004.

    There the vegas of strike and cap are equal: variance is ln(strike x cap / forward^2).
    """
    return math.sqrt(max(0.0, math.log(strike * cap / forward**2)) / t)


def capped_call_vol(
    price: float, forward: float, strike: float, cap: float, t: float, put_price: float | None = None
) -> ImpliedVol:
    """Return the volatility of a capped call. Rule: IVOL-005.

    That of the put at its strike when one is quoted; else the smallest root of the capped price,
    marked `capped`; none close to the cap, where price says nothing of volatility.
    """
    if put_price is not None:
        return implied_vol(put_price, "PUT", forward, strike, t)
    if t <= 0:
        return ImpliedVol(None, "EXPIRED")
    if forward > CLOSE_TO_CAP * cap:
        return ImpliedVol(None, "CLOSE_TO_CAP")
    most = dearest_vol(forward, strike, cap, t)
    intrinsic = min(max(0.0, forward - strike), cap - strike)
    if price < intrinsic - PRICE_ACCURACY * strike:
        return ImpliedVol(None, "BELOW_INTRINSIC")
    if not most or price > capped_call(forward, strike, cap, t, most):
        return ImpliedVol(None, "NO_ROOT")
    if price <= intrinsic:
        return ImpliedVol(0.0, capped=True)
    return ImpliedVol(_root(lambda vol: capped_call(forward, strike, cap, t, vol) - price, most), capped=True)


def quoted_vol_ppm(spec: MarketSpec, price_e6: int, forward_e6: int, remaining_ns: int) -> int | None:
    """Return the volatility that an option's price implies, in 1e-6, or None. Rule: IVOL-009."""
    price, forward, strike = price_e6 / PPM, forward_e6 / PPM, spec.strike_e6 / PPM
    t = years(remaining_ns)
    if spec.option_type == "CALL" and spec.cap_e6:
        found = capped_call_vol(price, forward, strike, spec.cap_e6 / PPM, t)
    else:
        found = implied_vol(price, "CALL" if spec.option_type == "CALL" else "PUT", forward, strike, t)
    return None if found.vol is None else round(found.vol * PPM)


class Greeks(msgspec.Struct, frozen=True):
    """Sensitivities to the forward, to volatility (per 1.0) and to time (per year)."""

    delta: float
    gamma: float
    vega: float
    theta: float

    def less(self, other: Greeks) -> Greeks:
        """Return the greeks of holding one and owing the other."""
        return Greeks(
            self.delta - other.delta,
            self.gamma - other.gamma,
            self.vega - other.vega,
            self.theta - other.theta,
        )


def greeks(
    option_type: OptionType, forward: float, strike: float, t: float, vol: float, cap: float = 0.0
) -> Greeks:
    """Return the greeks; of a capped call those of the call less those of one at the cap. Rule: IVOL-006."""
    ql = _quantlib()
    payoff = ql.PlainVanillaPayoff(_kind(option_type), strike)
    black = ql.BlackCalculator(payoff, forward, vol * math.sqrt(t), 1.0)
    plain = Greeks(
        float(black.deltaForward()),
        float(black.gammaForward()),
        float(black.vega(t)),
        float(black.theta(forward, t)),
    )
    if option_type == "PUT" or not cap:
        return plain
    return plain.less(greeks("CALL", forward, cap, t, vol))


class Quote(msgspec.Struct, frozen=True):
    """A two-sided mid of one contract of an expiry; `cap` 0 where there is none."""

    option_type: OptionType
    strike: float
    mid: float
    cap: float = 0.0


def market_vol(quotes: Sequence[Quote], forward: float, t: float) -> ImpliedVol:
    """Return an expiry's volatility: vega-weighted mean at the two strikes nearest the forward. IVOL-007.

    A strike with a put uses the put; None, never 0, where nothing is quoted on both sides.
    """
    found = [(vol, greeks("PUT", forward, strike, t, vol).vega) for strike, vol in _smile(quotes, forward, t)]
    near = found[:2]
    weight = sum(vega for _, vega in near)
    if not near or weight <= 0:
        return ImpliedVol(None, "NO_QUOTE")
    return ImpliedVol(sum(vol * vega for vol, vega in near) / weight)


def skew_25(quotes: Sequence[Quote], forward: float, t: float) -> ImpliedVol:
    """Return the volatility of the 25-delta put less that of the 25-delta call. Rule: IVOL-008.

    Each by the quoted strike whose delta is nearest; none unless there is one on each side.
    """
    wings: list[float] = []
    for option_type, target in (("PUT", -0.25), ("CALL", 0.25)):
        side: OptionType = "PUT" if option_type == "PUT" else "CALL"
        deltas = [
            (abs(greeks(side, forward, strike, t, vol).delta - target), vol)
            for strike, vol in _smile(quotes, forward, t)
            if (strike < forward) == (side == "PUT") and strike != forward and vol > 0
        ]
        if not deltas:
            return ImpliedVol(None, "NO_QUOTE")
        wings.append(min(deltas)[1])
    return ImpliedVol(wings[0] - wings[1])


def _smile(quotes: Sequence[Quote], forward: float, t: float) -> list[tuple[float, float]]:
    """Return (strike, volatility), nearest the forward first; the lower strike first when as near."""
    strikes = sorted({quote.strike for quote in quotes}, key=lambda strike: (abs(strike - forward), strike))
    smile = []
    for strike in strikes:
        at = [quote for quote in quotes if quote.strike == strike]
        puts = [quote.mid for quote in at if quote.option_type == "PUT"]
        found = ImpliedVol(None)
        if puts:
            found = implied_vol(puts[0], "PUT", forward, strike, t)
        elif at[0].cap:
            found = capped_call_vol(at[0].mid, forward, strike, at[0].cap, t)
        else:
            found = implied_vol(at[0].mid, "CALL", forward, strike, t)
        if found.vol:
            smile.append((strike, found.vol))
    return smile


def _guess(time_value: float, forward: float) -> float:
    """Return a start for the inversion: exact at the money for small deviations."""
    return max(1e-3, time_value / forward * math.sqrt(2 * math.pi))


def _root(function: Callable[[float], float], most: float) -> float:
    ql = _quantlib()
    solver = ql.Brent()
    solver.setMaxEvaluations(1_000)
    return float(solver.solve(function, VOL_ACCURACY, most / 2, 0.0, most))


def _kind(option_type: OptionType) -> Ql.OptionType:
    ql = _quantlib()
    return ql.Option.Call if option_type == "CALL" else ql.Option.Put


def _quantlib() -> Ql:
    import QuantLib

    return QuantLib
