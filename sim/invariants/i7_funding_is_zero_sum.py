"""Funding takes from some what it gives to others."""

from __future__ import annotations

from collections import defaultdict

from sim.invariants.ledger import funding_ticks
from sim.invariants.registry import Found, invariant
from sim.invariants.state import State
from sim.invariants.verdict import Violation


@invariant("I7_funding_is_zero_sum")
def check(state: State) -> Found:
    """What a tick collects is what it pays out and the dust of rounding, and no boundary is paid twice.

    Payers pay rounded up and receivers get rounded down, so the dust is at least 0 and less than
    the number of positions; it is the insurance fund's. Where payers fell short, the fund and
    those who were to receive bear it.
    Source: identity I7 (rule CONS-007).
    """
    ticks = funding_ticks(state)
    boundaries: dict[tuple[str, int], int] = defaultdict(int)
    for row in ticks:
        where = f"{row['symbol']} funding of {row['boundary_ns'] // 10**9}"
        boundaries[row["symbol"], row["boundary_ns"]] += 1
        if not 0 <= row["dust"] <= max(0, row["positions"] - 1):
            expected = f"dust from 0 to {max(0, row['positions'] - 1)}"
            yield Violation(where, expected, str(row["dust"]), abs(row["dust"]))
        left = row["paid"] - row["received"]
        short = row["unpaid"] - row["from_insurance"] - row["haircut"]
        if left != row["dust"] and not row["unpaid"]:
            yield Violation(where, f"paid less received of {row['dust']}", str(left), abs(left - row["dust"]))
        if left + row["from_insurance"] < 0:
            yield Violation(where, "no more paid out than came in", str(left), -left)
        if short < 0 <= row["haircut"] and row["from_insurance"] > row["unpaid"]:
            yield Violation(where, "a fund that pays what is missing", str(row["from_insurance"]))
    for (symbol, boundary_ns), times in boundaries.items():
        if times > 1:
            yield Violation(
                f"{symbol} funding of {boundary_ns // 10**9}", "one tick", f"{times} ticks", times
            )
    return len(ticks)
