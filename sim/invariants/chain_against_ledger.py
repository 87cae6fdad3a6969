"""The contracts and the ledger tell the same story."""

from __future__ import annotations

from collections import defaultdict

from sim.invariants.ledger import (
    USDC,
    balances,
    cash_of,
    conversions,
    limit_orders,
    margins,
    market_accounts,
    open_positions,
)
from sim.invariants.registry import Found, invariant
from sim.invariants.state import ChainPosition, State
from sim.invariants.verdict import Violation
from system.model import keys
from system.model.market import MarketKind
from system.risk.redemption import CXPT


@invariant("chain_against_ledger", at_end_only=True)
def check(state: State) -> Found:
    """When everything is settled, each account has on chain what the ledger says, to the unit.

    USDC: a trader's claim on the Vault is available + reserved, the treasury's is the fees, the
    Clearing contract's is margins + clearing, and all of it is what the Vault holds. Synthetic
    assets, positions (size, cost, margin) and how far each order is filled are equal one by one; so
    each fill was settled exactly once. What markets with `settlement: ledger` moved is taken off before.
    Source: the settlement tier confirms the off-chain book, design document section 1; identity I3
    (rule CONS-015).
    """
    looked_at = 0
    totals: dict[str, int] = defaultdict(int)
    on_chain = {symbol for symbol, spec in state.specs.items() if spec.settlement == "chain"}
    apart = _moved_by_the_ledger_alone(state, on_chain)
    for row in balances(state):
        if row.asset == CXPT:
            continue  # circulates in the ledger alone; I4 says that it is backed
        looked_at += 1
        expected = row.total - apart.get((row.trader, row.asset), 0)
        totals[row.asset] += expected
        account = state.accounts[row.trader]
        asked = (
            state.chain.usdc_of(account) if row.asset == USDC else state.chain.asset_of(account, row.asset)
        )
        if asked != expected:
            where = f"account {account}: {row.asset} on chain"
            yield Violation(where, f"{expected}, the ledger", str(asked), abs(asked - expected))
    for position in open_positions(state):
        if position["symbol"] not in on_chain:
            continue
        looked_at += 1
        account, symbol = state.accounts[position["trader"]], position["symbol"]
        cost = 0 if state.specs[symbol].kind is MarketKind.OPTION else position["cost"]  # the premium is paid
        ledger = ChainPosition(position["size_e8"], cost, position["margin"])
        chain = state.chain.position_of(account, symbol)
        if tuple(chain) != tuple(ledger):
            where = f"account {account}: position in {symbol} (size, cost, margin) on chain"
            size = max(abs(one - other) for one, other in zip(chain, ledger, strict=True))
            yield Violation(where, f"{tuple(ledger)}, the ledger", str(tuple(chain)), size)
    for order in limit_orders(state):
        expected = order["cum_qty_e8"]
        if expected and order["symbol"] in on_chain:
            looked_at += 1
            filled = state.chain.filled_of(order["account"], order["nonce"])
            if filled != expected:
                where = f"order {order['symbol']}:{order['uuid']}: filled on chain"
                yield Violation(where, f"{expected}, the ledger", str(filled), abs(filled - expected))
    markets = [market for market in market_accounts(state) if market.symbol in on_chain]
    fees = sum(market.fees for market in markets)
    margin = sum(locked for symbol, locked in margins(state).items() if symbol in on_chain)
    locked = margin + sum(market.clearing for market in markets)
    for where, ledger_sum, chain_sum in (
        ("treasury: fees on chain", fees, state.chain.treasury_usdc()),
        ("Clearing: margins and clearing on chain", locked, state.chain.clearing_usdc()),
        (
            "Vault: all USDC on chain, without what is behind CXPT",
            totals[USDC] + fees + locked,
            state.chain.vault_usdc() - state.chain.cxpt_reserve(),
        ),
    ):
        looked_at += 1
        if ledger_sum != chain_sum:
            difference = abs(ledger_sum - chain_sum)
            yield Violation(where, f"{ledger_sum} uUSDC, the ledger", f"{chain_sum} uUSDC", difference)
    return looked_at


def _moved_by_the_ledger_alone(state: State, on_chain: set[str]) -> dict[tuple[str, str], int]:
    """Return what the markets that are not on chain have moved, by (trader, asset)."""
    moved: dict[tuple[str, str], int] = defaultdict(int)
    for row in state.items(keys.POSITIONS):
        if row["symbol"] not in on_chain:
            spec = state.specs[row["symbol"]]
            moved[row["trader"], USDC] += cash_of(row, spec.kind)
            if spec.kind is MarketKind.SPOT:
                moved[row["trader"], spec.base] += row["size_e8"]
    for trader, amount in conversions(state):
        moved[trader, USDC] -= amount
    return moved
