"""No account is overdrawn."""

from __future__ import annotations

from collections.abc import Iterator

from sim.invariants.ledger import (
    Balance,
    balances,
    issued,
    limit_orders,
    market_accounts,
    named,
    open_positions,
)
from sim.invariants.registry import Found, invariant
from sim.invariants.state import State
from sim.invariants.verdict import Violation


@invariant("I6_nothing_negative")
def check(state: State) -> Found:
    """No account, margin, fee, fund or hold is below zero, and no order is filled beyond its size.

    Only the clearing account of a market, and size and cost of a position, have a sign.
    Source: identity I6 (rule CONS-006).
    """
    looked_at = 0
    for balance in balances(state):
        where = f"trader {balance.trader}: {balance.asset}"
        for name, amount in _amounts(balance):
            looked_at += 1
            if amount < 0:
                yield Violation(f"{where} {name}", "0 or more", str(amount), -amount)
    for account in market_accounts(state):
        looked_at += 1
        for name in ("fees", "insurance", "bad_debt"):
            amount = getattr(account, name)
            if amount < 0:
                yield Violation(f"{account.symbol}: {name}", "0 or more", str(amount), -amount)
    yield from _cxpt(state)
    for row in open_positions(state):
        looked_at += 1
        if row["margin"] < 0:
            where = f"trader {row['trader']}: margin in {row['symbol']}"
            yield Violation(where, "0 or more", str(row["margin"]), -row["margin"])
    for row in limit_orders(state):
        looked_at += 1
        hold, leaves = row["hold"], row["leaves_e8"]
        if hold < 0 or leaves < 0:
            yield Violation(
                named(row), "hold and leaves of 0 or more", f"{hold} and {leaves}", -min(hold, leaves)
            )
        over = row["cum_qty_e8"] + leaves - row["qty_e8"]
        if over > 0:
            was = str(row["qty_e8"] + over)
            yield Violation(f"{named(row)}: filled and left", f"at most {row['qty_e8']}", was, over)
    return looked_at


def _cxpt(state: State) -> Iterator[Violation]:
    least = min(issued(state))
    if least < 0:
        yield Violation("CXPT: in circulation, and behind it", "0 or more", str(least), -least)


def _amounts(balance: Balance) -> tuple[tuple[str, int], ...]:
    amounts = ("available", balance.available), ("reserved", balance.reserved)
    return (*amounts, ("exiting", balance.exiting)) if balance.exiting else amounts
