"""Every single transaction is a double entry."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from sim.invariants.registry import Found, invariant
from sim.invariants.state import State
from sim.invariants.verdict import Violation
from system.model import keys
from system.model.market import MarketKind

_USDC = "USDC"
_SIGNS = {
    "available": 1,
    "reserved": 1,
    "exiting": 1,
    "fees": 1,
    "clearing": 1,
    "insurance": 1,
    "bad_debt": -1,
}
Sums = dict[tuple[str, str], int]


@invariant("I9_transactions_balance", at_end_only=True)
def check(state: State) -> Found:
    """Each transaction in the history moves money and makes none: its changes add up to zero per asset.

    Counted are available + reserved + exiting of traders, margins, fees, clearing, insurance, less bad debt.
    Only a transaction that credits a deposit or debits a withdrawal may change a sum, and all of
    these together must be what was deposited. A total that is right at the end may hide two errors
    that cancel; this cannot.
    Source: identity I9 (rule CONS-009).
    """
    if state.history is None:
        raise LookupError("there is no history to read")
    books = _Books(contracts={s for s, spec in state.specs.items() if spec.kind is not MarketKind.SPOT})
    credited: Sums = defaultdict(int)
    looked_at = 0
    for number, event in state.history.of_kind("tx"):
        looked_at += 1
        changes, external = books.apply(event["w"])
        if external:
            for account, change in changes.items():
                credited[account] += change
            continue
        for asset, change in _by_asset(changes).items():
            if change:
                where = f"event {number}, transaction of {event['by']} at {event['t']} ns"
                yield Violation(where, f"changes of {asset} that add up to 0", str(change), abs(change))
    for account in sorted(set(credited) | set(state.deposited)):
        expected, was = state.deposited.get(account, 0), credited[account]
        if expected != was:
            where = f"{account[1]} credited to {account[0]}"
            yield Violation(where, f"{expected}, as deposited", str(was), abs(expected - was))
    return looked_at


def _by_asset(changes: Sums) -> dict[str, int]:
    sums: dict[str, int] = defaultdict(int)
    for (_, asset), change in changes.items():
        sums[asset] += change
    return sums


class _Books:
    """Balances and margins as the writes so far left them."""

    def __init__(self, contracts: set[str]) -> None:
        self.contracts = contracts
        self.amounts: dict[tuple[str, str, str], int] = {}
        self.margins: dict[tuple[str, str], int] = {}

    def apply(self, writes: list[list[Any]]) -> tuple[Sums, bool]:
        """Return what one transaction changed by (owner, asset), and whether it came from outside."""
        changes: Sums = defaultdict(int)
        external = False
        for write in writes:
            verb, table = write[0], write[1]
            if table == keys.BALANCES:
                self._balance(verb, write, changes)
            elif table == keys.POSITIONS and verb == "put":
                row = write[2]
                if row["symbol"] in self.contracts:
                    key = (row["trader"], row["symbol"])
                    changes[row["trader"], _USDC] += row["margin"] - self.margins.get(key, 0)
                    self.margins[key] = row["margin"]
            elif table == keys.SETTLEMENTS:
                pk = write[2]["PK"] if verb == "put" else write[2]
                external = external or pk.startswith(("DEPOSIT#", "WITHDRAWAL#"))
        return changes, external

    def _balance(self, verb: str, write: list[Any], changes: Sums) -> None:
        if verb == "put":
            row = write[2]
            pk, sk = row["PK"], row["SK"]
            put, add = {name: row.get(name, 0) for name in _SIGNS}, {}
        else:
            pk, sk = write[2], write[3]
            put, add = (write[4], write[5]) if verb == "upd" else (dict.fromkeys(_SIGNS, 0), {})
        amounts = self.amounts
        change = 0
        for name, amount in put.items():
            if name in _SIGNS:
                place = (pk, sk, name)
                change += _SIGNS[name] * (amount - amounts.get(place, 0))
                amounts[place] = amount
        for name, amount in add.items():
            if name in _SIGNS:
                place = (pk, sk, name)
                change += _SIGNS[name] * amount
                amounts[place] = amounts.get(place, 0) + amount
        changes[pk.partition("#")[2], sk.partition("#")[2]] += change
