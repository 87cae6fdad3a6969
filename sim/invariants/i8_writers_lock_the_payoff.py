"""Whoever has written an option can pay it."""

from __future__ import annotations

from sim.invariants.ledger import open_positions
from sim.invariants.registry import Found, invariant
from sim.invariants.state import State
from sim.invariants.verdict import Violation
from system.model.market import MarketKind
from system.model.units import QTY_SCALE


@invariant("I8_writers_lock_the_payoff")
def check(state: State) -> Found:
    """The lock of an option's writer is its largest payoff, to the unit; a holder locks nothing.

    A call pays at most its cap less its strike, a put at most its strike, for each unit.
    Source: identity I8 (rule CONS-008).
    """
    looked_at = 0
    for row in open_positions(state, MarketKind.OPTION):
        looked_at += 1
        spec = state.specs[row["symbol"]]
        most_e6 = spec.cap_e6 - spec.strike_e6 if spec.option_type == "CALL" else spec.strike_e6
        expected = most_e6 * max(0, -row["size_e8"]) // QTY_SCALE
        if row["margin"] != expected:
            where = f"trader {row['trader']}: lock in {row['symbol']}"
            yield Violation(where, f"{expected} uUSDC", str(row["margin"]), abs(row["margin"] - expected))
    return looked_at
