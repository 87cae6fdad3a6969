"""Profit and loss of positions: `system.risk.positions`, `margin`."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from system.model.position import Position
from system.model.units import PPM, notional
from system.risk.margin import average_entry_e6, initial_margin, return_ppm, unrealised
from system.risk.positions import fill_effect, settle_fill
from tests.golden.adapters import Inputs, Outputs, adapter, unsupported
from tests.golden.adapters.margin import margin_ppm, signed
from tests.golden.numbers import decimal, exact, units

PLENTY = 10**18  # of margin: these examples know none

for name in ("pnl_inverse", "average_entry_inverse", "unrealised_inverse"):
    unsupported(name, "no inverse contracts: every market is quoted in USDC")


def opened() -> Position:
    return Position(trader="t", symbol="X", margin=PLENTY)


def take(position: Position, qty_e8: int, price_e6: int) -> None:
    effect = fill_effect(position, qty_e8, price_e6, PPM)
    assert effect is not None
    settle_fill(position, effect, 0)
    position.margin = PLENTY


def held(side: str, qty_e8: int, entry_e6: int) -> Position:
    position = opened()
    take(position, signed(side) * qty_e8, entry_e6)
    return position


def marked(position: Position, mark_e6: int) -> Fraction:
    return decimal(unrealised(position.size_e8, position.cost, mark_e6), 6)


@adapter("average_entry")
def average_entry(inputs: Inputs) -> Outputs:
    position = opened()
    for qty, price in inputs["fills"]:
        take(position, units(qty, 8), units(price, 6))
    return {
        "total_value": decimal(abs(position.cost), 6),
        "avg_entry": decimal(average_entry_e6(position.size_e8, position.cost), 6),
    }


@adapter("unrealised", "unrealised_and_roi")
def unrealised_profit(inputs: Inputs) -> Outputs:
    qty, entry = units(inputs["qty"], 8), units(inputs["entry"], 6)
    position = held(inputs["side"], qty, entry)
    out = {"upnl": marked(position, units(inputs["mark"], 6))}
    if "leverage" in inputs:
        margin = initial_margin(notional(entry, qty), margin_ppm(inputs["leverage"]))
        out["initial_margin"] = decimal(margin, 6)
        out["roi_pct"] = decimal(return_ppm(units(out["upnl"], 6), margin), 4)
    return out


@adapter("unrealised_with_multiplier")
def unrealised_of_contracts(inputs: Inputs) -> Outputs:
    qty = units(exact(inputs["contracts"]) * exact(inputs["multiplier_btc"]), 8)
    position = held(inputs["side"], qty, units(inputs["avg_entry"], 6))
    return {"upnl": marked(position, units(inputs["mark"], 6))}


@adapter("realised_with_multiplier")
def realised_of_contracts(inputs: Inputs) -> Outputs:
    qty = units(exact(inputs["contracts_closed"]) * exact(inputs["multiplier_btc"]), 8)
    position = held(inputs["side"], qty, units(inputs["avg_entry"], 6))
    take(position, -position.size_e8, units(inputs["exit"], 6))
    return {"rpnl": decimal(position.realised, 6)}


@adapter("mtm_cashflow")
def mark_to_market(inputs: Inputs) -> Outputs:
    qty, before, after = units(inputs["qty"], 8), units(inputs["from"], 6), units(inputs["to"], 6)
    gain = marked(held("long", qty, before), after)
    loss = marked(held("short", qty, before), after)
    return {
        "long_receives": gain,
        "short_pays": -loss,
        "long_pays": -gain,
        "short_receives": loss,
    }


@adapter("mtm_cashflow_multi_fill")
def mark_to_market_of_fills(inputs: Inputs) -> Outputs:
    mark = units(inputs["mark_after"], 6)
    side = "short" if "aggressor_buy" in inputs else "long"
    fills = inputs["aggressor_buy"] if "aggressor_buy" in inputs else inputs["aggressor_sell"]
    return {
        f"passive_{price}_pays_aggressor": -marked(held(side, units(qty, 8), units(price, 6)), mark)
        for qty, price in fills
    }


def replay(events: Sequence[Sequence[Any]]) -> dict[str, object]:
    """Take positions at the mark of the moment; unrealised after every mark and at the end."""
    position, mark = opened(), 0
    out: dict[str, object] = {}
    for kind, value in events:
        if kind == "mark":
            mark = units(value, 6)
            out[f"unrealised_at_{value}"] = marked(position, mark)
        else:
            take(position, units(value, 8), mark)
    size = position.size_e8
    entry = average_entry_e6(size, position.cost) if size else 0
    return out | {
        "position": decimal(size, 8),
        "avg_entry": decimal(entry, 6),
        "realised": decimal(position.realised, 6),
        "unrealised": marked(position, mark),
    }


@adapter("average_price_flip", "average_price_add")
def replayed(inputs: Inputs) -> Outputs:
    return replay(inputs["events"])


@adapter("reduce_below_entry")
def reduced(inputs: Inputs) -> Outputs:
    position = held("long", units(inputs["qty"], 8), units(inputs["entry"], 6))
    out: dict[str, object] = {}
    for number, qty in enumerate(inputs["sells"], 1):
        take(position, -units(qty, 8), units(inputs["sell_price"], 6))
        out[f"realised_after_{number}"] = decimal(position.realised, 6)
    return out
