"""Options: `system.risk.options`, `expiry`, `volatility`."""

from __future__ import annotations

from fractions import Fraction

from system.model.units import QTY_SCALE
from system.risk.expiry import Holding, blended_mark_e6, samples_in_window, settle_options, writer_release
from system.risk.insurance import Fund
from system.risk.options import OptionType, capped_fee, otm_e6, payoff_e6, premium, put_lock, writer_lock
from system.risk.volatility import black76, implied_vol
from tests.golden.adapters import Inputs, Outputs, adapter, unsupported, vectors
from tests.golden.numbers import decimal, exact, units

unsupported("inverse_settlement", "no inverse contracts: every option is settled in USDC")
for name in ("call_spread_collateral_in_underlying", "writer_release_after_expiry_covered"):
    unsupported(name, "calls are capped and secured in USDC, never covered by the underlying")


def type_of(inputs: Inputs) -> OptionType:
    return "CALL" if inputs["type"] == "C" else "PUT"


def value_at(inputs: Inputs, settle: str, qty_e8: int) -> int:
    unit = payoff_e6(
        type_of(inputs), units(inputs["strike"], 6), units(inputs[settle], 6), units(inputs.get("cap", 0), 6)
    )
    return unit * qty_e8 // QTY_SCALE


@adapter("settlement_value")
def settlement_value(inputs: Inputs) -> Outputs:
    return {"settlement_value": decimal(value_at(inputs, "delivery_price", units(inputs["qty"], 8)), 6)}


@adapter("linear_settlement")
def linear_settlement(inputs: Inputs) -> Outputs:
    qty, multiplier = units(inputs["contracts"], 8), units(inputs["multiplier"], 8)
    paid = premium(units(inputs["premium_usdc"], 6), qty, multiplier)
    value = value_at(inputs, "delivery_price", units(exact(inputs["contracts"]) * inputs["multiplier"], 8))
    return {
        "premium_paid_usdc": decimal(paid, 6),
        "settlement_usdc": decimal(value, 6),
        "buyer_profit_usdc": decimal(value - paid, 6),
    }


@adapter("option_fee_capped")
def fee(inputs: Inputs) -> Outputs:
    amount = capped_fee(
        units(inputs["index"], 6),
        units(inputs["premium"], 6),
        units(inputs["qty"], 8),
        units(inputs["rate_on_index"], 6),
        units(inputs["cap_on_premium"], 6),
    )
    return {"fee": decimal(amount, 6)}


@adapter("settlement_samples")
def samples(inputs: Inputs) -> Outputs:
    return {"samples": samples_in_window(inputs["window_s"], inputs["sample_interval_s"])}


@adapter("settlement_blend_mark")
def blend(inputs: Inputs) -> Outputs:
    mark = blended_mark_e6(
        units(inputs["twap"], 6),
        units(inputs["forward"], 6),
        units(exact(inputs["twap_minutes_elapsed"]) * 60, 0),
        units(exact(inputs["window_minutes"]) * 60, 0),
    )
    return {"underlying_mark": decimal(mark, 6)}


@adapter("put_spread_collateral")
def put_collateral(inputs: Inputs) -> Outputs:
    lock = put_lock(
        units(inputs["short_strike"], 6),
        units(inputs["short_qty"], 8),
        units(inputs["long_strike"], 6),
        units(inputs["long_qty"], 8),
    )
    return {"excess_usdc": decimal(units(inputs["collateral_usdc"], 6) - lock, 6)}


@adapter("writer_release_after_expiry")
def release(inputs: Inputs) -> Outputs:
    owed = value_at(inputs, "settle", units(inputs["short_qty"], 8))
    return {"released_to_writer": decimal(writer_release(units(inputs["collateral_usdc"], 6), owed), 6)}


@adapter("black76_undiscounted", "black76_discounted")
def black(inputs: Inputs) -> Outputs:
    kind = type_of(inputs)
    forward, strike, t, vol = (float(exact(inputs[name])) for name in ("F", "K", "t", "sigma"))
    rate = float(exact(inputs.get("r", 0)))
    price = black76(kind, forward, strike, t, vol, rate)
    found = implied_vol(price, kind, forward, strike, t, rate).vol
    return {"price": Fraction(price), "implied_vol": found if found is None else Fraction(found)}


@adapter("premium_with_multiplier")
def premium_of_contracts(inputs: Inputs) -> Outputs:
    amount = premium(units(inputs["order_price"], 6), units(inputs["qty"], 8), units(inputs["multiplier"], 8))
    return {"premium": decimal(amount, 6)}


@adapter("otm_amount")
def out_of_the_money(inputs: Inputs) -> Outputs:
    away = otm_e6(type_of(inputs), units(inputs["strike"], 6), units(inputs["underlying"], 6))
    return {"otm": decimal(away, 6)}


@vectors("OPT-")
def option_vectors(inputs: Inputs) -> Outputs:
    kind, qty = type_of(inputs), int(inputs["qty_e8"])
    strike, cap = inputs["strike_e6"], inputs["cap_e6"] or 0
    unit = payoff_e6(kind, strike, inputs["settle_e6"], cap)
    lock = writer_lock(kind, strike, cap, qty)
    settled = settle_options([Holding("b", qty, 0, 0), Holding("w", -qty, 0, lock)], unit, Fund())
    buyer, writer = settled.credits
    return {"buyer_credit": buyer.amount, "writer_released": writer.amount}
