"""What clearing owes is what the traders paid for what they hold, with the other sign."""

from __future__ import annotations

from collections import defaultdict

from sim.invariants.ledger import market_accounts, open_positions
from sim.invariants.registry import Found, invariant
from sim.invariants.state import State
from sim.invariants.verdict import Violation
from system.model.market import MARGINED


@invariant("I2_clearing_mirrors_cost")
def check(state: State) -> Found:
    """The clearing account of each perp and future is minus the sum of all positions' signed cost, exactly.

    Each fill realises `change of cost - direction * notional` on each side, and the notionals of
    the two sides cancel; so this holds with any rounding, and a difference of one uUSDC is a bug.
    Source: identity I2 (rule CONS-002).
    """
    costs: dict[str, int] = defaultdict(int)
    for row in open_positions(state, *MARGINED):
        costs[row["symbol"]] += row["cost"]
    kept = {account.symbol: account.clearing for account in market_accounts(state)}
    symbols = sorted(set(costs) | {symbol for symbol, clearing in kept.items() if clearing})
    for symbol in symbols:
        expected, was = -costs[symbol], kept.get(symbol, 0)
        if expected != was:
            yield Violation(
                f"{symbol}: clearing account", f"{expected} uUSDC", f"{was} uUSDC", abs(expected - was)
            )
    return len(symbols)
