"""Synthetic assets change hands and nothing else."""

from __future__ import annotations

from collections import defaultdict

from sim.invariants.ledger import USDC, balances, issued
from sim.invariants.registry import Found, invariant
from sim.invariants.state import State
from sim.invariants.verdict import Violation
from system.risk.redemption import CXPT, issue


@invariant("I4_assets_equal_deposits")
def check(state: State) -> Found:
    """For each asset but USDC, available and reserved of all traders are what was deposited.

    CXPT is what was minted and not redeemed, with one USDC set aside for each, to the unit.
    Spot trades pay their fee in USDC, so no unit of the base asset may stay anywhere else.
    Source: identity I4 (rule CONS-004).
    """
    held: dict[str, int] = defaultdict(int)
    expected: dict[str, int] = defaultdict(int)
    for row in balances(state):
        held[row.asset] += row.total
    for (_, asset), amount in state.deposited.items():
        expected[asset] += amount
    backing, supply_e8 = issued(state)
    expected[CXPT] += supply_e8
    if issue(backing).supply_e8 != supply_e8:
        where = "CXPT in circulation"
        yield Violation(where, f"{backing} uUSDC, as set aside", f"{supply_e8} e-8", abs(supply_e8 - backing))
    assets = sorted((set(held) | set(expected)) - {USDC})
    for asset in assets:
        if held[asset] != expected[asset]:
            difference = abs(held[asset] - expected[asset])
            yield Violation(
                f"{asset} of all traders", f"{expected[asset]} e-8", f"{held[asset]} e-8", difference
            )
    return len(assets)
