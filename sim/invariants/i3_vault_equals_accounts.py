"""Nobody's money appears or disappears."""

from __future__ import annotations

from sim.invariants.ledger import USDC, balances, issued, margins, market_accounts
from sim.invariants.registry import Found, invariant
from sim.invariants.state import State
from sim.invariants.verdict import Violation


@invariant("I3_vault_equals_accounts")
def check(state: State) -> Found:
    """All USDC ever credited is in the traders' accounts, margins and the exchange's accounts, to the unit.

    Deposits less withdrawals = available + reserved + exiting + margin + fees + clearing + insurance - bad
    debt + what is behind CXPT. One uUSDC too many was created from nothing; one too few is lost.
    Source: identity I3 (rule CONS-003); the vault is fully backed, design document section 1.
    """
    deposited = sum(amount for (_, asset), amount in state.deposited.items() if asset == USDC)
    held = sum(row.total for row in balances(state) if row.asset == USDC)
    locked = sum(margins(state).values())
    accounts = list(market_accounts(state))
    kept = sum(row.total for row in accounts)
    backing = issued(state).backing
    total = held + locked + kept + backing
    if total != deposited:
        was = f"{total} uUSDC (traders {held}, margins {locked}, markets {kept}, behind CXPT {backing})"
        yield Violation("USDC of the whole exchange", f"{deposited} uUSDC", was, abs(total - deposited))
    return 1
