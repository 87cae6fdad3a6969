"""Margins by size, open interest and entry: `system.risk.margin`, `tiers`, `cross`."""

from __future__ import annotations

from fractions import Fraction

from system.model.units import PPM, notional
from system.risk.cross import CrossAccount, Holding, cross_liquidation_price_e6
from system.risk.liquidation import vega_staged
from system.risk.margin import (
    MaintenanceBasis,
    bankruptcy_price_e6,
    initial_margin,
    liquidation_price_e6,
)
from system.risk.tiers import (
    Bracket,
    maintenance_fraction_ppm,
    margin_at_rate,
    next_deduction,
    open_interest_im_ppm,
    open_interest_margin,
    sloped_rate_e12,
)
from tests.golden.adapters import Inputs, Outputs, adapter, unsupported, vectors
from tests.golden.numbers import decimal, exact, units

unsupported("bankruptcy_and_liq_price_inverse_cross", "no inverse contracts: every market is quoted in USDC")


def signed(side: str) -> int:
    return 1 if side in ("long", "buy") else -1


def margin_ppm(leverage: object) -> int:
    """Initial margin of a leverage, rounded up where it is no whole number of ppm."""
    rate = Fraction(PPM) / exact(leverage)
    return -(-rate.numerator // rate.denominator)


@adapter("initial_margin_ppm_round_up")
def initial_margin_by_open_interest(inputs: Inputs) -> Outputs:
    return {
        "initial_margin": open_interest_margin(
            inputs["notional_quantums"],
            inputs["imf_ppm"],
            inputs["open_interest"] or 0,
            inputs["oi_lower_cap"],
            inputs["oi_upper_cap"],
        )
    }


@adapter("oi_scaled_imf_ppm")
def rate_by_open_interest(inputs: Inputs) -> Outputs:
    rate = open_interest_im_ppm(
        inputs["imf_ppm"], inputs["open_interest"], inputs["oi_lower_cap"], inputs["oi_upper_cap"]
    )
    return {"imf_ppm": rate}


@adapter("maintenance_ppm")
def maintenance_fraction(inputs: Inputs) -> Outputs:
    return {"mmf_ppm": maintenance_fraction_ppm(inputs["imf_ppm"], inputs["maintenance_fraction_ppm"])}


@adapter("size_dependent_rate")
def rate_by_size(inputs: Inputs) -> Outputs:
    qty = units(inputs["qty"], 8)
    rate = sloped_rate_e12(units(inputs["base_rate"], 12), units(inputs["slope_per_unit"], 12), qty)
    margin = margin_at_rate(notional(units(inputs["price"], 6), qty), rate)
    return {"rate": decimal(rate, 12), "initial_margin_usdc": decimal(margin, 6)}


@adapter("maintenance_amount_bracket")
def maintenance_amount(inputs: Inputs) -> Outputs:
    below = Bracket(0, PPM, units(inputs["mmr_level_n_minus_1"], 6), units(inputs["cum_n_minus_1"], 6))
    amount = next_deduction(units(inputs["bracket_floor"], 6), units(inputs["mmr_level_n"], 6), below)
    return {"maintenance_amount": decimal(amount, 6)}


@adapter("position_margin_isolated")
def position_margin(inputs: Inputs) -> Outputs:
    value = notional(units(inputs["entry"], 6), units(inputs["qty"], 8))
    return {
        f"margin_at_{str(factor).replace('.', '_')}": decimal(initial_margin(value, units(factor, 6)), 6)
        for factor in inputs["margin_factors"]
    }


@adapter("maintenance_linear_slippage")
def maintenance_with_slippage(inputs: Inputs) -> Outputs:
    size = exact(inputs["position"])
    risk = inputs["risk_factor_long" if size > 0 else "risk_factor_short"]
    rate = vega_staged.maintenance_ppm(units(inputs["slippage_factor"], 6), units(risk, 6))
    value = notional(units(inputs["mark"], 6), units(abs(size), 8))
    return {"maintenance_margin": decimal(initial_margin(value, rate), 6)}


@adapter("liq_price_isolated")
def liquidation_price(inputs: Inputs) -> Outputs:
    size = units(inputs["size"], 8)
    cost = notional(units(inputs["price"], 6), size)
    price = liquidation_price_e6(size, cost, units(inputs["equity"], 6), units(inputs["mmf"], 6))
    return {"liq_price": decimal(price, 6)}


@adapter("liq_price_cross")
def cross_liquidation_price(inputs: Inputs) -> Outputs:
    other = units(inputs["other_mmr"], 6)  # stands for a position of which all is maintenance margin
    one = Holding("ONE", units(inputs["size"], 8), units(inputs["price"], 6), units(inputs["mmf"], 6))
    rest = Holding("OTHER", 10**8, other, PPM)
    usdc = units(inputs["equity"], 6) - one.value - rest.value
    account = CrossAccount(units(decimal(int(usdc), 6), 6), (one, rest))
    return {"liq_price": decimal(cross_liquidation_price_e6(account, "ONE"), 6)}


def _on_entry(side: int, entry_e6: int, qty_e8: int, margin: int, mm_ppm: int) -> Fraction:
    cost = side * notional(entry_e6, qty_e8)
    price = liquidation_price_e6(side * qty_e8, cost, margin, mm_ppm, MaintenanceBasis.ENTRY)
    return decimal(price, 6)


@adapter("liq_price_isolated_linear")
def liquidation_price_on_entry(inputs: Inputs) -> Outputs:
    entry, qty, mm_ppm = units(inputs["entry"], 6), units(inputs["qty"], 8), units(inputs["mmr"], 6)
    value = notional(entry, qty)
    margin = initial_margin(value, margin_ppm(inputs["leverage"]))
    extra = units(inputs["extra_margin"], 6)
    return {
        "initial_margin": decimal(margin, 6),
        "maintenance_margin": decimal(initial_margin(value, mm_ppm), 6),
        "liq_price": _on_entry(signed(inputs["side"]), entry, qty, margin + extra, mm_ppm),
    }


@adapter("liq_price_simple")
def liquidation_price_of_both_sides(inputs: Inputs) -> Outputs:
    entry, mm_ppm = units(inputs["entry"], 6), units(inputs["mmr"], 6)
    margin = initial_margin(entry, margin_ppm(inputs["leverage"]))
    return {
        "long": _on_entry(1, entry, 10**8, margin, mm_ppm),
        "short": _on_entry(-1, entry, 10**8, margin, mm_ppm),
    }


@vectors("LIQ-")
def liquidation_vectors(inputs: Inputs) -> Outputs:
    side = signed(inputs["side"])
    size = side * int(inputs["qty_e8"])
    cost, margin = notional(inputs["entry_e6"], size), inputs["margin_uusdc"]
    return {
        "liq_price_e6": liquidation_price_e6(size, cost, margin, inputs["mm_ppm"]),
        "bankruptcy_price_e6": bankruptcy_price_e6(size, cost, margin, inputs["tick_e6"]),
    }
