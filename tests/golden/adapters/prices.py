"""Feeds, marks and bands: system/risk/feeds.py, mark.py and bands.py."""

from __future__ import annotations

from fractions import Fraction

from system.model.units import fixed_point
from system.risk.bands import price_range
from system.risk.mark import Basis, Top, book_price, last_trade_mark, median
from tests.golden.adapters import Inputs, Outputs, adapter
from tests.golden.numbers import decimal, exact, units, whole

FINE = 12
PPM = 6


@adapter("pyth_fixed_point")
def pyth_fixed_point(inputs: Inputs) -> Outputs:
    exponent = whole(inputs["exponent"])
    decimals = max(0, -exponent)
    return {
        name: decimal(fixed_point(whole(inputs[name]), exponent, decimals), decimals)
        for name in ("price", "conf")
        if name in inputs
    }


@adapter("execution_range")
def execution_range(inputs: Inputs) -> Outputs:
    reference = units(inputs["reference"], FINE)
    low, high = price_range(reference, units(inputs.get("down", 1), PPM), units(inputs.get("up", 1), PPM))
    edges = {"down": ("min_price", low), "up": ("max_price", high)}
    return {name: decimal(edge, FINE) for key, (name, edge) in edges.items() if key in inputs}


@adapter("model_free_trigger")
def model_free_trigger(inputs: Inputs) -> Outputs:
    found: dict[str, Fraction] = {}
    for reference in inputs["references"]:
        down, up = units(inputs["down_factor"], PPM), units(inputs["up_factor"], PPM)
        low, high = price_range(units(reference, FINE), down, up)
        found |= {f"min_at_{reference}": decimal(low, FINE), f"max_at_{reference}": decimal(high, FINE)}
    return found


@adapter("last_trade_with_max_frequency")
def last_trade_with_max_frequency(inputs: Inputs) -> Outputs:
    mark = inputs["mark"]
    most_often = units(inputs["max_frequency_s"], FINE)
    found = {}
    for number, step in enumerate(inputs["steps"], 1):
        last = step["trades"][-1][1] if step["trades"] else 0
        mark = last_trade_mark(mark, units(step["elapsed_s"], FINE), most_often, last)
        found[f"mark_after_step{number}"] = mark
    return found


@adapter("median_of_three")
def median_of_three(inputs: Inputs) -> Outputs:
    if "ordering" not in inputs:  # numbers in place of the page's order of names
        return {"mark": decimal(median([units(price, FINE) for price in inputs.values()]), FINE)}
    names = [name.strip("= ") for name in inputs["ordering"].split("<")]
    prices = {name: place for place, name in enumerate(names, 1)}
    return {"mark": names[median(list(prices.values())) - 1]}


@adapter("median_components")
def median_components(inputs: Inputs) -> Outputs:
    oracle, bid, ask, last = (
        units(inputs[name], FINE) for name in ("oracle", "best_bid", "best_ask", "last")
    )
    basis = Basis().observe(1, units(exact(inputs["ema150_basis"]), FINE))
    return {
        "component1": decimal(basis.price_e6(oracle), FINE),
        "component2": decimal(book_price(Top(bid, ask, last)), FINE),
    }
