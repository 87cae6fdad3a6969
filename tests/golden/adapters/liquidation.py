"""Forced closes, their fund, deleveraging: `system.risk.liquidation`, `insurance`, `cross`."""

from __future__ import annotations

from fractions import Fraction

from system.model.position import Position
from system.model.units import PPM, notional
from system.risk.cross import CrossAccount, Holding, bankruptcy_quote
from system.risk.liquidation.adl import Stake, allocate_ranked
from system.risk.liquidation.close_out import CloseOut, close_out, partial_qty_e8, shortage_qty
from system.risk.liquidation.dydx import fillable_price
from system.risk.liquidation.vega_staged import disposal_qty_e8
from system.risk.margin import bankruptcy_price_e6, equity_e8, unrealised
from system.risk.positions import fill_effect
from tests.golden.adapters import Inputs, Outputs, adapter, vectors
from tests.golden.adapters.margin import signed
from tests.golden.numbers import decimal, exact, units


def account_of(inputs: Inputs) -> CrossAccount:
    mm_ppm = units(inputs["mmf"], 6)
    return CrossAccount(
        units(inputs["quote_balance_usd"], 6),
        tuple(
            Holding(name, units(size, 8), units(inputs["oracle"][name], 6), mm_ppm)
            for name, size in inputs["positions"].items()
        ),
    )


def ends_of(close: CloseOut) -> int:
    """What a close does to the fund."""
    return close.insurance - close.deficit


@adapter("bankruptcy_price_quote_quantums")
def bankruptcy_in_quote(inputs: Inputs) -> Outputs:
    due = bankruptcy_quote(account_of(inputs), inputs["liquidate_market"], units(inputs["delta_base"], 8))
    return {"delta_quote_quantums_e6": due}


@adapter("fillable_price")
def fillable(inputs: Inputs) -> Outputs:
    price = fillable_price(
        account_of(inputs),
        inputs["market"],
        units(inputs["bankruptcy_adjustment"], 6),
        units(inputs["spread_to_mmr"], 6),
    )
    return {"fillable_price": Fraction(price, 10**6)}


@adapter("liquidation_insurance_delta")
def insurance_delta(inputs: Inputs) -> Outputs:
    close = close_out(
        units(inputs["position_btc"], 8),
        -units(inputs["quote_balance_usd"], 6),  # all of an account's quote balance stands in the cost
        0,
        units(inputs["fill_qty_btc"], 8),
        units(inputs["fill_price"], 6),
        liq_fee_ppm=inputs["max_liq_fee_ppm"],
    )
    return {"insurance_fund_delta_e6": ends_of(close)}


@adapter("partial_liquidation_size")
def partial_liquidation(inputs: Inputs) -> Outputs:
    qty = shortage_qty(
        units(inputs["margin_shortage_usd"], 6),
        units(inputs["oracle_price"], 6),
        units(inputs["margin_ratio"], 6),
        units(inputs["liquidator_fee"], 6),
        units(inputs["insurance_fee"], 6),
        units(inputs["quote_price"], 6),
    )
    return {"base_to_liquidate": qty}


@adapter("staged_disposal")
def disposal(inputs: Inputs) -> Outputs:
    left = units(inputs["open_volume"], 8)
    out: dict[str, object] = {}
    while left and len(out) < 1_000:
        step = disposal_qty_e8(
            left,
            units(inputs["disposal_fraction"], 6),
            units(inputs["full_disposal_size"], 8),
            units(inputs["book_volume_in_range"], 8),
            units(inputs["max_fraction_of_book"], 6),
            10**8,
        )
        out[f"t{len(out)}"] = decimal(step, 8)
        left -= step
    return out


@adapter("deleverage_at_bankruptcy")
def deleverage(inputs: Inputs) -> Outputs:
    def opened(name: str) -> Position:
        size = units(inputs[name]["size"], 8)
        cost = notional(units(inputs[name]["entry"], 6), size)
        margin = units(inputs[name]["deposit"], 6)
        return Position(trader=name, symbol="X", size_e8=size, cost=cost, margin=margin)

    winner, loser = opened("A"), opened("B")
    equity = equity_e8(loser.size_e8, loser.cost, loser.margin, units(inputs["price"], 6))
    price = bankruptcy_price_e6(loser.size_e8, loser.cost, loser.margin, 1)
    gained = fill_effect(winner, -winner.size_e8, price, PPM)
    lost = close_out(loser.size_e8, loser.cost, loser.margin, abs(loser.size_e8), price)
    assert gained is not None
    return {
        f"B_equity_at_{inputs['price']}": decimal(equity, 14),
        "B_bankruptcy_price": decimal(price, 6),
        "A_realised": decimal(gained.realised, 6),
        "B_realised": decimal(lost.realised, 6),
    }


@adapter("fund_contribution")
def contribution(inputs: Inputs) -> Outputs:
    size, margin = units(inputs["size"], 8), units(inputs["deposit"], 6)
    cost = notional(units(inputs["entry"], 6), size)
    close = close_out(size, cost, margin, abs(size), units(inputs["fill"], 6))
    return {
        "equity_at_mark": decimal(equity_e8(size, cost, margin, units(inputs["mark"], 6)), 14),
        "loss_at_fill": decimal(close.realised, 6),
        "fund_pays": decimal(close.deficit, 6),
    }


@adapter("liquidation_residual")
def residual(inputs: Inputs) -> Outputs:
    side = signed(inputs["side"])
    owed = side * units(inputs["bankruptcy_price"], 6)  # cost less margin of one unit
    close = close_out(side * 10**8, owed, 0, 10**8, units(inputs["fill_price"], 6), residual_to_fund=True)
    return {"to_insurance_fund": decimal(ends_of(close), 6)}


@adapter("adl_allocation")
def allocation(inputs: Inputs) -> Outputs:
    others = inputs["longs" if inputs["liquidated_side"] == "short" else "shorts"]
    stakes = [Stake(one["acct"], units(one["qty"], 8), exact(one["score"])) for one in others]
    closed = allocate_ranked(stakes, units(inputs["liquidated_qty"], 8))
    out: dict[str, object] = {"close_price": inputs["bankruptcy_price"]}
    for one, stake, qty in zip(others, stakes, closed, strict=True):
        out[f"acct{one['acct']}_closed"] = decimal(qty, 8)
        out[f"acct{one['acct']}_remaining"] = decimal(stake.held_e8 - qty, 8)
    return out


@vectors("LIQSETTLE-")
def settlement_of_a_liquidation(inputs: Inputs) -> Outputs:
    size = signed(inputs["side"]) * int(inputs["qty_e8"])
    cost = notional(inputs["entry_e6"], size)
    close = close_out(
        size,
        cost,
        inputs["margin_uusdc"],
        abs(size),
        inputs["close_e6"],
        liq_fee_ppm=inputs["liq_fee_ppm"],
        fee_ppm=5_000,
    )
    assert close.equity == inputs["margin_uusdc"] + unrealised(size, cost, inputs["close_e6"])
    return {
        "equity": close.equity,
        "insurance_delta": ends_of(close),
        "protocol_fee": close.fee,
        "trader_returned": close.pay_out,
    }


@vectors("PARTIAL-")
def partial_close(inputs: Inputs) -> Outputs:
    qty = partial_qty_e8(
        inputs["shortage_uusdc"],
        inputs["price_e6"],
        inputs["im_ppm"],
        inputs["cost_ppm"],
        inputs["lot_e8"],
        inputs["qty_e8"],
    )
    return {"close_qty_e8": qty}
