"""Money comes in: deposits that the Vault has seen become balances, each exactly once.

The marker of a deposit is written with its balance, so reading blocks twice credits nothing twice;
the cursor only saves reading them. A block counts when it is `confirmations` deep: a deposit that
is credited, traded and then reorganised away would be a bad debt.
"""

from __future__ import annotations

from system.config import Config
from system.model import keys
from system.model.errors import ConditionFailed
from system.model.keys import BALANCES, SETTLEMENTS, Key
from system.model.order import trader_of
from system.ports.chain import Chain, DepositSeen
from system.ports.store import MAX_TRANSACTION_ACTIONS, NOT_EXISTS, Action, Put, Store, Update

CURSOR_KEY = Key("CHAIN#DEPOSITS", keys.META)
"""{block_number}: the last block whose deposits are all credited."""

_CHUNK = MAX_TRANSACTION_ACTIONS // 2  # a marker and a balance each


def credit_deposits(store: Store, chain: Chain, config: Config) -> int:
    """Credit the deposits of all blocks that are deep enough; returns how many were new.

    Rules: SETL-010, SETL-011.
    """
    cursor = store.get(SETTLEMENTS, CURSOR_KEY)
    done = -1 if cursor is None else cursor["block_number"]
    safe = chain.block_number() - config.confirmations
    if safe <= done:
        return 0
    seen = chain.deposits(done + 1, safe)
    credited = 0
    for start in range(0, len(seen), _CHUNK):
        credited += _credit(store, seen[start : start + _CHUNK])
    store.write(Update(SETTLEMENTS, CURSOR_KEY, put={"block_number": safe}))
    return credited


def _credit(store: Store, deposits: list[DepositSeen]) -> int:
    """Credit those of these deposits that have no marker yet, in one transaction."""
    new = _unknown(store, deposits)
    if not new:
        return 0
    try:
        store.transact(_actions(new))
    except ConditionFailed:
        # A second watch credited some meanwhile: their markers are there now.
        if len(_unknown(store, new)) == len(new):
            raise
        return _credit(store, new)
    return len(new)


def _unknown(store: Store, deposits: list[DepositSeen]) -> list[DepositSeen]:
    known = {row["PK"] for row in store.get_many(SETTLEMENTS, [_marker_key(each) for each in deposits])}
    return [each for each in deposits if _marker_key(each).pk not in known]


def _actions(deposits: list[DepositSeen]) -> list[Action]:
    actions: list[Action] = []
    sums: dict[Key, int] = {}
    for each in deposits:
        trader = trader_of(each.account)
        pk, sk = _marker_key(each)
        marker = {
            "PK": pk,
            "SK": sk,
            "trader": trader,
            "asset": each.asset,
            "amount": each.amount,
            "block_number": each.block_number,
        }
        actions.append(Put(SETTLEMENTS, marker, NOT_EXISTS))
        balance = Key(keys.trader_pk(trader), keys.asset_sk(each.asset))
        sums[balance] = sums.get(balance, 0) + each.amount
    for balance, amount in sums.items():
        actions.append(Update(BALANCES, balance, add={"available": amount, "reserved": 0}))
    return actions


def _marker_key(deposit: DepositSeen) -> Key:
    return Key(f"DEPOSIT#{deposit.block_hash}:{deposit.log_index}", keys.META)
