"""Synthetic assets change hands and nothing else."""

from __future__ import annotations

from collections import defaultdict

from sim.invariants.ledger import USDC, balances
from sim.invariants.registry import Found, invariant
from sim.invariants.state import State
from sim.invariants.verdict import Violation


@invariant("I4_assets_equal_deposits")
def check(state: State) -> Found:
    """For each asset but USDC, available and reserved of all traders are what was deposited.

    Spot trades pay their fee in USDC, so no unit of the base asset may stay anywhere else.
    Source: identity I4 (rule CONS-004).
    """
    held: dict[str, int] = defaultdict(int)
    expected: dict[str, int] = defaultdict(int)
    for row in balances(state):
        held[row.asset] += row.total
    for (_, asset), amount in state.deposited.items():
        expected[asset] += amount
    assets = sorted((set(held) | set(expected)) - {USDC})
    for asset in assets:
        if held[asset] != expected[asset]:
            difference = abs(held[asset] - expected[asset])
            yield Violation(
                f"{asset} of all traders", f"{expected[asset]} e-8", f"{held[asset]} e-8", difference
            )
    return len(assets)
