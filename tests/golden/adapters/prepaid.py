"""What orders reserve, and fully collateralised futures: `system.risk.reservations`, `netting`, `capped`."""

from __future__ import annotations

from functools import partial

from system.model.order import BUY, SELL, Side
from system.model.position import Position
from system.model.units import FEE_PPM, PPM, fee_step, notional
from system.risk.capped import capped_effect
from system.risk.expiry import capped_settlement
from system.risk.margin import bankruptcy_price_e6, initial_margin
from system.risk.netting import NettingRule, OpenOrder, order_margin
from system.risk.options import writer_lock
from system.risk.reservations import Payoff, Terms, margin_cost, order_cost, reservation, worst_price_e6
from tests.golden.adapters import Inputs, Outputs, adapter, unsupported, vectors
from tests.golden.adapters.margin import margin_ppm, signed
from tests.golden.numbers import decimal, exact, units

TICK_E6 = 1

unsupported(
    "partial_fill_split",
    "RISK-011 rounds the margin of a fill up and leaves the rest to the order, where Vega does the reverse",
)


def capped(inputs: Inputs) -> Terms:
    return Terms(payoff=Payoff.CAPPED, fee_ppm=0, max_price_e6=units(inputs["max_price"], 6))


def linear(factor: object) -> Terms:
    return Terms(payoff=Payoff.LINEAR, fee_ppm=0, im_ppm=units(factor, 6))


def open_order(seq: int, side: Side, order: Inputs) -> OpenOrder:
    return OpenOrder(seq, side, units(order["price"], 6), units(order["qty"], 8))


def flat() -> Position:
    return Position(trader="t", symbol="X")


@adapter("order_cost_linear")
def cost_of_an_order(inputs: Inputs) -> Outputs:
    side, price, qty = signed(inputs["side"]), units(inputs["price"], 6), units(inputs["qty"], 8)
    im_ppm, fee_ppm = margin_ppm(inputs["leverage"]), units(inputs["taker_fee"], 6)
    value = notional(price, qty)
    margin = initial_margin(value, im_ppm)
    bankruptcy = bankruptcy_price_e6(side * qty, side * value, margin, TICK_E6)
    closing = notional(bankruptcy, qty)
    return {
        "initial_margin": decimal(margin, 6),
        "fee_open": decimal(initial_margin(value, fee_ppm), 6),
        "fee_close": decimal(initial_margin(closing, fee_ppm), 6),
        "bankruptcy_price": decimal(bankruptcy, 6),
        "order_cost": decimal(order_cost(value, closing, im_ppm, fee_ppm), 6),
    }


@adapter("order_margin_capped_future")
def margin_of_capped_orders(inputs: Inputs) -> Outputs:
    orders = [
        open_order(seq, BUY if order["side"] == "buy" else SELL, order)
        for seq, order in enumerate(inputs["orders"])
    ]
    size = units(inputs.get("position", 0), 8)
    margin = order_margin(size, orders, NettingRule.MAX, partial(margin_cost, capped(inputs)))
    return {"order_margin": decimal(margin, 6)}


@adapter("order_margin_netting")
def margin_of_netted_orders(inputs: Inputs) -> Outputs:
    terms = capped(inputs) if "max_price" in inputs else linear(inputs["margin_factor"])
    listed = [(BUY, order) for order in inputs.get("buys", [])]
    listed += [(SELL, order) for order in inputs.get("sells", [])]
    orders = [open_order(seq, side, order) for seq, (side, order) in enumerate(listed)]
    margin = order_margin(units(inputs["position"], 8), orders, NettingRule.MAX, partial(margin_cost, terms))
    held = units(inputs.get("position_margin", 0), 6)
    return {"order_margin": decimal(margin, 6), "total_margin": decimal(margin + held, 6)}


@adapter("order_margin_isolated")
def margin_of_an_order(inputs: Inputs) -> Outputs:
    margin = margin_cost(
        linear(inputs["margin_factor"]), BUY, units(inputs["price"], 6), units(inputs["qty"], 8)
    )
    return {"order_margin": decimal(margin, 6)}


@adapter("fill_and_rest_capped_future")
def fill_and_rest(inputs: Inputs) -> Outputs:
    terms = capped(inputs)
    resting, incoming = inputs["resting"], inputs["incoming"]
    price, maker_qty, qty = (
        units(resting["price"], 6),
        units(resting["qty"], 8),
        min(units(resting["qty"], 8), units(incoming["qty"], 8)),
    )
    out: dict[str, object] = {"trade_qty": decimal(qty, 8), "trade_price": decimal(price, 6)}
    for order, left in ((resting, maker_qty - qty), (incoming, units(incoming["qty"], 8) - qty)):
        side = BUY if order["side"] == "buy" else SELL
        effect = capped_effect(flat(), signed(order["side"]) * qty, price, terms.max_price_e6)
        assert effect is not None
        rest = reservation(terms, side, units(order["price"], 6), left)
        out[f"{order['party']}_margin"] = decimal(effect.margin, 6)
        out[f"{order['party']}_order_margin"] = decimal(rest, 6)
        out[f"{order['party']}_total"] = decimal(effect.margin + rest, 6)
    return out


@adapter("close_at_loss_capped_future")
def close_at_loss(inputs: Inputs) -> Outputs:
    terms = capped(inputs)
    entry, qty = units(inputs["entry"], 6), units(inputs["qty"], 8)
    opened = capped_effect(flat(), qty, entry, terms.max_price_e6)
    assert opened is not None
    assert opened.margin == units(inputs["margin_before"], 6)
    held = Position(trader="t", symbol="X", size_e8=qty, cost=opened.cost, margin=opened.margin)
    closed = capped_effect(held, -qty, units(inputs["exit"], 6), terms.max_price_e6)
    assert closed is not None
    order = inputs["remaining_sell"]
    required = reservation(terms, SELL, units(order["price"], 6), units(order["qty"], 8))
    return {
        "realised_pnl": decimal(closed.realised, 6),
        "released_after_close": decimal(closed.pay_out, 6),
        "required_for_remaining_order": decimal(required, 6),
        "additional_transfer": decimal(required - closed.pay_out, 6),
    }


@adapter("settle_capped_future")
def settle_capped(inputs: Inputs) -> Outputs:
    highest, qty = units(inputs["max_price"], 6), units(inputs["qty"], 8)
    out: dict[str, object] = {}
    for settle in inputs["settle"]:
        at = {highest: "cap", 0: "zero"}.get(units(settle, 6), str(settle))
        for name, side in (("long", 1), ("short", -1)):
            amount = capped_settlement(side * qty, units(settle, 6), highest)
            out[f"{name}_balance_at_{at}"] = decimal(amount, 6)
    return out


@vectors("RES-SPOT-BUY")
def reserve_spot(inputs: Inputs) -> Outputs:
    fee_ppm = int(exact(inputs.get("fee", "5/1000")) * PPM)
    terms = Terms(payoff=Payoff.SPOT, fee_ppm=fee_ppm)
    return {"reserve": reservation(terms, BUY, inputs["limit_e6"], inputs["qty_e8"])}


@vectors("RES-PERP-BUY")
def reserve_perp_buy(inputs: Inputs) -> Outputs:
    terms = Terms(payoff=Payoff.LINEAR, fee_ppm=FEE_PPM, im_ppm=inputs["im_ppm"])
    return {"reserve": reservation(terms, BUY, inputs["limit_e6"], inputs["qty_e8"])}


@vectors("RES-PERP-SELL")
def reserve_perp_sell(inputs: Inputs) -> Outputs:
    terms = Terms(payoff=Payoff.LINEAR, fee_ppm=FEE_PPM, im_ppm=inputs["im_ppm"])
    limit, qty = inputs["limit_e6"], inputs["qty_e8"]
    worst = worst_price_e6(terms, SELL, limit, inputs["band_upper_e6"])
    return {
        "reserve_before_match": reservation(terms, SELL, worst, qty),
        "reserve_when_resting": reservation(terms, SELL, limit, qty),
    }


@vectors("RES-PUT-WRITER", "RES-CALL-WRITER")
def reserve_writer(inputs: Inputs) -> Outputs:
    option_type = "CALL" if inputs.get("cap_e6") else "PUT"
    lock = writer_lock(
        "CALL" if option_type == "CALL" else "PUT",
        inputs["strike_e6"],
        inputs.get("cap_e6") or 0,
        inputs["qty_e8"],
    )
    terms = Terms(
        payoff=Payoff(option_type),
        fee_ppm=FEE_PPM,
        strike_e6=inputs["strike_e6"],
        cap_e6=inputs.get("cap_e6") or 0,
    )
    assert reservation(terms, SELL, 1, inputs["qty_e8"]) == lock
    return {"lock": lock}


@vectors("RES-OPT-BUYER")
def reserve_option_buyer(inputs: Inputs) -> Outputs:
    terms = Terms(payoff=Payoff.PUT, fee_ppm=FEE_PPM, strike_e6=1)
    return {"reserve": reservation(terms, BUY, inputs["premium_e6"], inputs["qty_e8"])}


@vectors("NET-")
def netting(inputs: Inputs) -> Outputs:
    terms = Terms(payoff=Payoff.LINEAR, fee_ppm=0, im_ppm=inputs["im_ppm"])
    listed = [(BUY, order) for order in inputs["buys"]] + [(SELL, order) for order in inputs["sells"]]
    orders = [OpenOrder(seq, side, price, qty) for seq, (side, (price, qty)) in enumerate(listed)]
    margins = {
        rule.value: order_margin(inputs["pos_e8"], orders, rule, partial(margin_cost, terms))
        for rule in NettingRule
    }
    return {**margins, "order_margin": margins[NettingRule.PAIR.value]}


@vectors("FEE-TELESCOPE")
def telescoping_fees(inputs: Inputs) -> Outputs:
    fees: list[int] = []
    traded = 0
    for fill in inputs["fills_notional"]:
        traded += fill
        fees.append(fee_step(traded, sum(fees), FEE_PPM))
    return {"fees": fees, "total": sum(fees)}
