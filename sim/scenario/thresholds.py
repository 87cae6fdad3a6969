"""Thresholds: `p95(order_to_fill) < 1 s`, `rejected == 0`, read once into typed comparisons.

A threshold names a measure of the run (a distribution needs a statistic, a number must not have
one), a comparison and a limit with the measure's unit. `MEASURES` is the list of what can be
judged; a measure that is not in it is refused when the file is read, not after the run.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import Annotated, Literal, NamedTuple

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from sim.scenario.part import suggest
from sim.scenario.units import DURATION, SHARE, USDC, Dimension, UnitError

Statistic = Literal["value", "p50", "p90", "p95", "p99", "max", "mean"]
Comparison = Literal["<", "<=", "==", ">=", ">"]
Limit = Literal["ns", "count", "uUSDC", "ppm"]

STATISTICS = ("p50", "p90", "p95", "p99", "max", "mean")
_COMPARE: dict[str, Callable[[float, int], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    ">=": operator.ge,
    ">": operator.gt,
}
_DIMENSIONS: dict[str, Dimension] = {"ns": DURATION, "uUSDC": USDC, "ppm": SHARE}


class Measure(NamedTuple):
    """What a run can be judged by: its unit, and whether it is a distribution."""

    unit: Limit
    distribution: bool


MEASURES: dict[str, Measure] = {
    # hops of an order, one sample an order or fill (docs/walk.md)
    "order_to_response": Measure("ns", True),
    "order_to_book": Measure("ns", True),
    "order_to_fill": Measure("ns", True),
    "fill_to_settled": Measure("ns", True),
    # how often
    "orders": Measure("count", False),
    "accepted": Measure("count", False),
    "rejected": Measure("count", False),
    "fills": Measure("count", False),
    "cancels": Measure("count", False),
    "trades_settled": Measure("count", False),
    "trades_unsettled": Measure("count", False),
    "settlement_skipped": Measure("count", False),
    "dead_letters": Measure("count", False),
    # how much
    "reject_share": Measure("ppm", False),
    "volume": Measure("uUSDC", False),
    "fees": Measure("uUSDC", False),
    "bad_debt": Measure("uUSDC", False),
    "insurance": Measure("uUSDC", False),
    "liquidations": Measure("count", False),
    "deleveraged": Measure("count", False),
    "levelled": Measure("count", False),
    "adl_taken": Measure("uUSDC", False),
    "adl_overshoot": Measure("uUSDC", False),
    "synth_liability": Measure("uUSDC", False),
    "funding_ticks": Measure("count", False),
    "funding_paid": Measure("uUSDC", False),
    "withdrawals": Measure("count", False),
    "withdrawn": Measure("uUSDC", False),
    "cxpt_minted": Measure("uUSDC", False),
    "cxpt_redeemed": Measure("uUSDC", False),
    # how the world was: sim/facts.py
    "index_fall": Measure("ppm", False),
    "index_rise": Measure("ppm", False),
    "discount": Measure("ppm", False),
    "premium": Measure("ppm", False),
    "liquidated": Measure("uUSDC", False),
    "liquidated_in_worst_minute": Measure("ppm", False),
    "oi_fall": Measure("ppm", False),
    "depth_fall": Measure("ppm", False),
    # stylised facts outside their bands: sim/report/realism.py
    "unrealistic": Measure("count", False),
}

_THRESHOLD = re.compile(r"^\s*(?:(\w+)\(\s*(\w+)\s*\)|(\w+))\s*(<=|>=|==|<|>)\s*(\S.*?)\s*$")


class Threshold(NamedTuple):
    """One comparison: `statistic(measure) comparison limit`, the limit in `unit`."""

    measure: str
    statistic: Statistic
    comparison: Comparison
    limit: int
    unit: Limit

    def holds(self, value: float) -> bool:
        """Tell whether a measured value, in `unit`, passes."""
        return _COMPARE[self.comparison](value, self.limit)

    def __str__(self) -> str:
        left = self.measure if self.statistic == "value" else f"{self.statistic}({self.measure})"
        dimension = _DIMENSIONS.get(self.unit)
        right = str(self.limit) if dimension is None else dimension.format(self.limit)
        return f"{left} {self.comparison} {right}"


def parse_threshold(text: object) -> Threshold:
    """Read one threshold.

    >>> parse_threshold("p95(order_to_fill) < 1 s")
    Threshold(measure='order_to_fill', statistic='p95', comparison='<', limit=1000000000, unit='ns')
    """
    if isinstance(text, Threshold):
        return text
    match = _THRESHOLD.match(str(text))
    if match is None:
        raise UnitError(
            f"expected `measure < limit` or `p95(measure) < limit`, was `{text}`",
            "write it like `p95(order_to_fill) < 1 s` or `rejected == 0`",
        )
    statistic, of, alone, comparison, limit = match.groups()
    name = of or alone
    measure = MEASURES.get(name)
    if measure is None:
        raise UnitError(f"no measure `{name}`", suggest(name, MEASURES))
    if measure.distribution and statistic not in STATISTICS:
        raise UnitError(
            f"expected a statistic of `{name}`, was `{statistic or name}`",
            f"write one of {', '.join(f'{known}({name})' for known in STATISTICS)}",
        )
    if not measure.distribution and statistic is not None:
        raise UnitError(f"`{name}` is one number, was `{statistic}({name})`", f"write `{name}` alone")
    return Threshold(
        name,
        statistic or "value",  # type: ignore[arg-type]  # checked against STATISTICS above
        comparison,  # type: ignore[arg-type]  # the pattern admits the five comparisons only
        _parse_limit(limit, measure.unit),
        measure.unit,
    )


def _parse_limit(text: str, unit: Limit) -> int:
    dimension = _DIMENSIONS.get(unit)
    if dimension is not None:
        # zero is zero in every unit
        return 0 if text == "0" else dimension.parse(text)
    if not re.fullmatch(r"\d+(?:_\d+)*", text):
        raise UnitError(f"expected a whole number, was `{text}`", "write it like `0` or `10_000`")
    return int(text)


ThresholdField = Annotated[
    Threshold,
    PlainValidator(parse_threshold),
    PlainSerializer(str),
    WithJsonSchema(
        {
            "type": "string",
            "description": "A comparison of a measure with a limit.",
            "examples": ["p95(order_to_fill) < 1 s", "rejected == 0"],
        }
    ),
]
