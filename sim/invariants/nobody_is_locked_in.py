"""Money that the ledger or the operator cannot give any more is in the wallets."""

from __future__ import annotations

from collections.abc import Iterator

from sim.invariants.ledger import USDC
from sim.invariants.owed import owed
from sim.invariants.registry import Found, invariant
from sim.invariants.state import State
from sim.invariants.verdict import Violation
from system.model import keys
from system.model.market import MarketKind


@invariant("nobody_is_locked_in", at_end_only=True)
def check(state: State) -> Found:
    """What left the Vault is what the ledger paid out; without an operator, all is in the wallets.

    CXPT in a wallet counts as the USDC that the Vault keeps behind it, which is as much, to the unit.
    When the operator has gone for good, every trader has outside of the Vault exactly what was paid
    in, changed by the trades that the contracts have settled, with positions ended at the last price, and
    no claim is left. Source: escape of issue 4; the exits of contracts/src/Vault.sol (rule CONS-016).
    """
    cash_in = sum(amount for (_, asset), amount in state.paid_in.items() if asset == USDC)
    cash_out = sum(state.chain.wallet_of(account, USDC) for account in dict.fromkeys(state.accounts.values()))
    total = cash_out + state.chain.vault_usdc()
    if total != cash_in:
        was = f"{total} uUSDC (wallets {cash_out})"
        yield Violation("wallets and Vault", f"{cash_in} uUSDC", was, abs(total - cash_in))
    expected = owed(state) if state.abandoned else _paid_out(state)
    for (trader, asset), amount in sorted(expected.items()):
        account = state.accounts[trader]
        got = state.chain.wallet_of(account, asset)
        if asset == USDC:
            got += state.chain.cxpt_of(account)
        if got != amount:
            yield Violation(
                f"account {account}: {asset} in its wallet", str(amount), str(got), abs(got - amount)
            )
        if state.abandoned:
            yield from _left(state, account, asset)
    yield from _cxpt(state)
    return len(expected)


def _cxpt(state: State) -> Iterator[Violation]:
    """Tell whether each wallet has what was paid to it as CXPT, and USDC is behind all of it."""
    asked: dict[str, int] = dict.fromkeys(state.accounts.values(), 0)
    for row in state.items(keys.SETTLEMENTS):
        if row.get("as_cxpt") and "paid_out" in row:
            asked[state.accounts[row["trader"]]] += row["paid_out"]
    minted = {account: state.chain.cxpt_of(account) for account in asked}
    for account, amount in asked.items():
        if minted[account] != amount and not state.abandoned:
            where = f"account {account}: CXPT in its wallet"
            yield Violation(where, str(amount), str(minted[account]), abs(minted[account] - amount))
    supply, reserve = sum(minted.values()), state.chain.cxpt_reserve()
    if supply != reserve:
        yield Violation("USDC behind CXPT", str(supply), str(reserve), abs(supply - reserve))


def _left(state: State, account: str, asset: str) -> Iterator[Violation]:
    """Tell what an account could not take out."""
    chain = state.chain
    left = chain.usdc_of(account) if asset == USDC else chain.asset_of(account, asset)
    if left:
        yield Violation(f"account {account}: {asset} still in the Vault", "0", str(left), left)
    if asset != USDC:
        return
    for symbol, spec in state.specs.items():
        if spec.kind is not MarketKind.SPOT and spec.settlement == "chain":
            size = chain.position_of(account, symbol).size_e8
            if size:
                yield Violation(f"account {account}: still in {symbol}", "0", str(size), abs(size))


def _paid_out(state: State) -> dict[tuple[str, str], int]:
    """Add up what the ledger knows to be paid out, of everything that was paid in."""
    sums = dict.fromkeys(state.paid_in, 0)
    for row in state.items(keys.SETTLEMENTS):
        if "paid_out" in row:
            place = (row["trader"], row["asset"])
            sums[place] = sums.get(place, 0) + row["paid_out"]
    return sums
