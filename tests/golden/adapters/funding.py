"""Funding: each venue's rule is the file of that name in system/risk/funding."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from system.model.units import QTY_SCALE, div_trunc, to_tick
from system.risk.funding import bitmex, drift, dydx, kraken, perp_v2, vega
from system.risk.funding.apply import DELTA_SCALE, Holding, apply_funding, funding_delta, residual
from system.risk.funding.model import bounded, for_active
from system.risk.funding.premium import impact_premium_e12, ratio_e12, with_interest
from system.risk.insurance import Fund, share_deficit
from system.risk.twap import twap
from tests.golden.adapters import Inputs, Outputs, adapter, unsupported, vectors
from tests.golden.numbers import decimal, exact, units, whole

FINE = 18
"""Venues print more decimals than uUSDC has; the rules are linear, so cases run in units of 1e-18."""
PPM, RATE = 6, 12


@adapter("rate_interest_only")
def rate_interest_only(inputs: Inputs) -> Outputs:
    quote, base = units(inputs["quote_rate_per_day"], FINE), units(inputs["base_rate_per_day"], FINE)
    rate = bitmex.interest_rate(quote, base, whole(inputs["intervals_per_day"]))
    return {"funding_rate": decimal(rate, FINE)}


@adapter("rate_premium_clamp")
def rate_premium_clamp(inputs: Inputs) -> Outputs:
    premium, interest, clamp = (
        units(inputs[name], FINE) for name in ("premium_index_8h", "interest_8h", "clamp_abs")
    )
    return {"funding_rate": decimal(with_interest(premium, interest, clamp).rate_e12, FINE)}


@adapter("round_mean_premium_5dp")
def round_mean_premium_5dp(inputs: Inputs) -> Outputs:
    mean = units(inputs["mean_minute_premium"], RATE)
    return {"published_8h_premium": decimal(bitmex.published_premium_e12(mean), RATE)}


@adapter("rate_hyperliquid_8h")
def rate_hyperliquid_8h(inputs: Inputs) -> Outputs:
    oracle, bid, ask = (units(inputs.get(name, 0), FINE) for name in ("oracle", "impact_bid", "impact_ask"))
    premium = impact_premium_e12(oracle, bid, ask)
    rate = with_interest(premium, units(inputs["interest_8h"], RATE), units(inputs["clamp_abs"], RATE))
    return {
        "premium": decimal(premium, RATE),
        "clamped_term": decimal(rate.clamped_e12, RATE),
        "funding_rate_8h": decimal(rate.rate_e12, RATE),
    }


@adapter("cap_dydx")
def cap_dydx(inputs: Inputs) -> Outputs:
    factor, initial, maintenance = (
        units(inputs[name], PPM)
        for name in ("clamp_factor", "initial_margin_fraction", "maintenance_margin_fraction")
    )
    return {"max_abs_rate_8h": decimal(dydx.rate_cap_ppm(factor, initial, maintenance), PPM)}


@adapter("cap_dydx_ppm")
def cap_dydx_ppm(inputs: Inputs) -> Outputs:
    factor, initial, fraction = (
        whole(inputs[name]) for name in ("clamp_factor_ppm", "initial_margin_ppm", "maintenance_fraction_ppm")
    )
    cap = dydx.rate_cap_ppm(factor, initial, dydx.maintenance_ppm(initial, fraction))
    return {"max_abs_rate_ppm": cap}


@adapter("funding_index_delta")
def funding_index_delta(inputs: Inputs) -> Outputs:
    rate, seconds, price = (whole(inputs[name]) for name in ("rate_8h_ppm", "seconds_since_last", "price"))
    scales = ("price_exponent", "base_atomic_resolution", "quote_atomic_resolution")
    exponent, base, quote = (whole(inputs[name]) for name in scales)
    return {"index_delta": dydx.index_delta(rate, seconds, price, exponent + base - quote)}


@adapter("payment_twap_over_day")
def payment_twap_over_day(inputs: Inputs) -> Outputs:
    return {"payment_by_trader": _perp_v2_payment(inputs, [inputs])}


@adapter("payment_two_segments")
def payment_two_segments(inputs: Inputs) -> Outputs:
    return {"payment_by_trader": _perp_v2_payment(inputs, inputs["segments"])}


def _perp_v2_payment(inputs: Inputs, segments: Sequence[Inputs]) -> Fraction:
    """Return what a trader pays; prices in units of 1e-18, growth in units of 1e-24 for the delta's scale."""
    growth = sum(
        perp_v2.growth(
            units(one["market_twap"], FINE + 6) - units(one["index_twap"], FINE + 6),
            whole(one["seconds"]),
            whole(inputs["period_seconds"]),
        )
        for one in segments
    )
    return -decimal(funding_delta(units(inputs["size"], 8), growth), FINE)


@adapter("zero_sum")
def zero_sum(inputs: Inputs) -> Outputs:
    payments = [units(one, FINE) for one in inputs["payments"]]
    return {"counterparty_payment": decimal(residual(payments), FINE)}


@adapter("rate_drift_fixed_point")
def rate_drift_fixed_point(inputs: Inputs) -> Outputs:
    mark, oracle, divisor, seconds, buffer = (
        whole(inputs[name])
        for name in (
            "mark_twap_e6",
            "oracle_twap_e6",
            "max_spread_divisor",
            "funding_period_s",
            "rate_buffer",
        )
    )
    spread, _ = bounded(mark - oracle, oracle // divisor)
    return {"funding_rate_e9": drift.part_of_day(spread, seconds, buffer)}


def _vega(inputs: Inputs, futures: int, spot: int) -> int:
    interest = exact(inputs.get("delta_t_years", 0)) * exact(inputs.get("interest", 0))
    low, high = (units(one, RATE) for one in inputs.get("clamp", (0, 0)))
    return vega.payment(futures, spot, units(interest, RATE), low, high)


@adapter("payment_vega")
def payment_vega(inputs: Inputs) -> Outputs:
    futures, spot = units(inputs["f_twap"], FINE), units(inputs["s_twap"], FINE)
    return {"funding_payment_per_unit": decimal(_vega(inputs, futures, spot), FINE)}


@adapter("rate_vega")
def rate_vega(inputs: Inputs) -> Outputs:
    futures, spot = units(inputs["f_twap"], FINE), units(inputs["s_twap"], FINE)
    unbounded = 10**6
    paid, _ = vega.scaled(
        _vega(inputs, futures, spot),
        spot,
        units(inputs.get("scaling", 1), RATE),
        units(inputs.get("rate_lower", -unbounded), RATE),
        units(inputs.get("rate_upper", unbounded), RATE),
    )
    return {"funding_rate": decimal(vega.rate_e12(paid, spot), RATE)}


def averages(inputs: Inputs) -> list[tuple[Fraction, Fraction]]:
    """Return average and active time of mark and spot.

    A case may begin with prices from before, and leave one time or several out.
    """
    left_out = inputs.get("suspended") or []
    spans = left_out if left_out and isinstance(left_out[0], list) else [left_out] if left_out else []
    found = []
    for name in ("mark", "spot"):
        seen = [(exact(at), exact(price)) for at, price in inputs[name]]
        if "prior" in inputs:
            seen.insert(0, (Fraction(0), exact(inputs["prior"][name])))
        scale = _scale([number for one in seen for number in one])
        cuts = [(units(exact(low) * scale, 0), units(exact(high) * scale, 0)) for low, high in spans]
        ends = units(exact(inputs["period"]) * scale, 0)
        scaled = [(units(at * scale, 0), units(price * scale, 0)) for at, price in seen]
        num, den = twap(scaled, 0, ends, cuts)
        found.append((Fraction(num, den * scale), Fraction(den, scale)))
    return found


def _scale(values: Sequence[Fraction]) -> int:
    """Return a power of ten that makes whole numbers of all."""
    scale = 1
    while any((value * scale).denominator != 1 for value in values):
        scale *= 10
    return scale


@adapter("twap_and_payment_with_suspension")
def twap_and_payment_with_suspension(inputs: Inputs) -> Outputs:
    (internal, active), (external, _) = averages(inputs)
    futures, spot = (div_trunc(one.numerator * 10**FINE, one.denominator) for one in (internal, external))
    unbounded = 10**18
    paid, _ = vega.scaled(
        _vega(inputs, futures, spot), spot, units(inputs.get("scaling", 1), RATE), -unbounded, unbounded
    )
    share = active / exact(inputs["period"])
    return {
        "internal_twap": internal,
        "external_twap": external,
        "funding_payment_per_unit": decimal(for_active(paid, share.numerator, share.denominator), FINE),
    }


@adapter("twap_step")
def twap_step(inputs: Inputs) -> Outputs:
    (internal, _), (external, _) = averages(inputs)
    return {"internal_twap": internal, "external_twap": external}


@adapter("rate_hourly_over_24_capped")
def rate_hourly_over_24_capped(inputs: Inputs) -> Outputs:
    index, perp = units(inputs["index"], FINE), units(inputs["perp"], FINE)
    rate = kraken.relative_rate(ratio_e12(perp - index, index), 1, whole(inputs["hours_divisor"]))
    capped, _ = bounded(rate, units(inputs["cap_per_hour"], RATE))
    return {"uncapped_rate": decimal(rate, RATE), "rate": decimal(capped, RATE)}


@adapter("funding_shortfall")
def funding_shortfall(inputs: Inputs) -> Outputs:
    shortfall, balance = units(inputs["shortfall"], FINE), units(inputs["insurance_balance"], FINE)
    shared = share_deficit(Fund(balance), shortfall, [shortfall], allowance=balance)
    return {
        "from_insurance": decimal(shared.insurance, FINE),
        "socialised": decimal(shared.socialised, FINE),
    }


INVERSE = "an inverse contract, paid in the base asset: every market here is quoted and paid in USDC"
unsupported("payment_inverse", INVERSE)
unsupported("absolute_from_relative_rate", INVERSE)


@vectors("FUND-")
def tick(inputs: Inputs) -> Outputs:
    sizes: list[int] = inputs["sizes_e8"]
    mark_e6 = inputs.get("mark_e6", inputs["index_e6"])
    holdings = [_rich(at, size, mark_e6) for at, size in enumerate(sizes)]
    applied = apply_funding(holdings, inputs["dF"], mark_e6, Fund(), allowance=0)
    return {"cash_deltas": [move.cash for move in applied.moves], "dust_to_insurance": applied.dust}


def _rich(at: int, size_e8: int, mark_e6: int) -> Holding:
    """Return a position with margin for any payment of the vectors."""
    value = size_e8 * mark_e6 // QTY_SCALE
    return Holding(f"trader-{at}", size_e8, value, DELTA_SCALE)


@vectors("TWAP-")
def settlement_twap(inputs: Inputs) -> Outputs:
    excluded = [(low, high) for low, high in inputs.get("excluded", [])]
    num, den = twap([(at, price) for at, price in inputs["obs"]], inputs["t0"], inputs["t1"], excluded)
    return {"twap_num": num, "twap_den": den, "settle_e6": to_tick(num, inputs["settle_tick_e6"], den)}
