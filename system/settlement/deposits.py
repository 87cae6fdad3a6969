"""Money comes in: deposits that the Vault has seen become balances, each exactly once.

The marker of a deposit is written with its balance, so reading blocks twice credits nothing twice. A
block counts when it is `confirmations` deep: a deposit that is credited, traded and then reorganised
away would be a bad debt. Should that happen all the same, the last blocks are read again every time,
and what is gone from them is taken back as far as it is still there.
"""

from __future__ import annotations

from itertools import groupby

from system.config import Config
from system.model import keys
from system.model.errors import ConditionFailed
from system.model.keys import BALANCES, SETTLEMENTS, Item, Key
from system.model.order import trader_of
from system.ports.chain import Chain, DepositSeen
from system.ports.store import (
    MAX_TRANSACTION_ACTIONS,
    NOT_EXISTS,
    Action,
    Clause,
    Put,
    Store,
    Update,
    query_all,
)

CURSOR_KEY = Key("CHAIN#DEPOSITS", keys.META)
"""{block_number}: the last block whose deposits are all credited."""
BLOCKS_PK = "CHAIN#CREDITED"
"""A row for each block with credited deposits, in pieces: {block_number, block_hash, markers}."""

WINDOW = 64
"""How many blocks are read again, two epochs of Ethereum: what is older was never known to change."""
_CHUNK = (MAX_TRANSACTION_ACTIONS - 1) // 2  # a marker and a balance each, and the block's row
_REVERSED = (Clause("reversed", "=", True),)


def credit_deposits(store: Store, chain: Chain, config: Config) -> int:
    """Credit the deposits of all blocks that are deep enough; returns how many were new.

    Rules: SETL-010, SETL-011, SETL-016.
    """
    cursor = store.get(SETTLEMENTS, CURSOR_KEY)
    done = -1 if cursor is None else cursor["block_number"]
    safe = chain.block_number() - config.confirmations
    if safe <= done:
        return 0
    first = max(0, done + 1 - WINDOW)
    seen = chain.deposits(first, safe)
    _take_back(store, first, {each.block_hash for each in seen})
    credited = 0
    for _, block in groupby(seen, key=_block_hash):
        deposits = list(block)
        for start in range(0, len(deposits), _CHUNK):
            credited += _credit(store, deposits[start : start + _CHUNK], start)
    store.write(Update(SETTLEMENTS, CURSOR_KEY, put={"block_number": safe}))
    return credited


def _credit(store: Store, deposits: list[DepositSeen], start: int) -> int:
    """Credit those of these deposits of one block that have no marker yet, in one transaction."""
    markers = store.get_many(SETTLEMENTS, [_marker_key(each) for each in deposits])
    known = {row["PK"]: row for row in markers}
    new = [each for each in deposits if known.get(_marker_key(each).pk, {"reversed": True}).get("reversed")]
    if not new:
        return 0
    try:
        store.transact(_actions(new, known, start))
    except ConditionFailed:
        # A second watch credited some meanwhile: their markers are there now.
        now_known = store.get_many(SETTLEMENTS, [_marker_key(each) for each in deposits])
        if now_known == markers:
            raise
        return _credit(store, deposits, start)
    return len(new)


def _actions(deposits: list[DepositSeen], known: dict[str, Item], start: int) -> list[Action]:
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
        actions.append(Put(SETTLEMENTS, marker, _REVERSED if pk in known else NOT_EXISTS))
        balance = _balance_key(trader, each.asset)
        sums[balance] = sums.get(balance, 0) + each.amount
    for balance, amount in sums.items():
        actions.append(Update(BALANCES, balance, add={"available": amount, "reserved": 0, "backed": amount}))
    first = deposits[0]
    row = {
        "PK": BLOCKS_PK,
        "SK": _block_sk(first.block_number, start),
        "block_number": first.block_number,
        "block_hash": first.block_hash,
        "markers": [_marker_key(each).pk for each in deposits],
    }
    return [*actions, Put(SETTLEMENTS, row)]


def _take_back(store: Store, first: int, present: set[str]) -> None:
    """Take back what was credited for blocks, from `first` on, that are gone. Rule: SETL-016."""
    for row in query_all(store, SETTLEMENTS, BLOCKS_PK, sk_from=_block_sk(first, 0)):
        if row["block_hash"] in present:
            continue
        for pk in row["markers"]:
            _reverse(store, Key(pk, keys.META))


def _reverse(store: Store, key: Key) -> None:
    """Undo one credit; what was spent meanwhile stays owed, on the marker."""
    marker = store.get(SETTLEMENTS, key)
    assert marker is not None, f"{key.pk}: the block's row names it, but there is none"
    if marker.get("reversed"):
        return
    balance = _balance_key(marker["trader"], marker["asset"])
    row = store.get(BALANCES, balance)
    available = 0 if row is None else row["available"]
    taken = min(available, marker["amount"])
    done = {"reversed": True, "owed": marker["amount"] - taken}
    once = (Clause("amount", "=", marker["amount"]), Clause("reversed", "absent"))
    enough = (Clause("available", ">=", taken),)
    store.transact(
        [
            Update(SETTLEMENTS, key, put=done, when=once),
            Update(BALANCES, balance, add={"available": -taken, "backed": -taken}, when=enough),
        ]
    )


def _block_hash(deposit: DepositSeen) -> str:
    return deposit.block_hash


def _block_sk(number: int, start: int) -> str:
    return f"BLOCK#{number:012d}#{start:06d}"


def _balance_key(trader: str, asset: str) -> Key:
    return Key(keys.trader_pk(trader), keys.asset_sk(asset))


def _marker_key(deposit: DepositSeen) -> Key:
    return Key(f"DEPOSIT#{deposit.block_hash}:{deposit.log_index}", keys.META)
