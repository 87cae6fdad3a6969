"""Money goes out by the Vault: the ledger holds it when it is queued, and lets it go when it is paid.

Between the two lies the Vault's delay. What is queued is put aside from what is available, at once
and whenever more becomes available, so that it cannot be traded and withdrawn. What is paid leaves
the ledger: first what was put aside, then what is available; what is neither is `owed`. A withdrawal that
came by the exchange's door was put aside there, and is known by its nonce.
"""

from __future__ import annotations

from system.config import Config
from system.model import keys
from system.model.errors import ConditionFailed
from system.model.keys import BALANCES, SETTLEMENTS, Item, Key
from system.model.order import trader_of
from system.model.withdrawal import PAID, key_of, open_key
from system.ports.chain import Chain, ExitSeen
from system.ports.store import EXISTS, NOT_EXISTS, Clause, Delete, Put, Store, Update, query_all

CURSOR_KEY = Key("CHAIN#EXITS", keys.META)
"""{block_number}: the last block whose exits are all followed."""
QUEUED_PK = "CHAIN#QUEUED"
"""A row for each trader and asset with an exit: {trader, asset, wanted, held}."""


def follow_exits(store: Store, chain: Chain, config: Config) -> int:
    """Follow the exits of all blocks that are deep enough; returns how many were new.

    Rules: SETL-017, SETL-018.
    """
    cursor = store.get(SETTLEMENTS, CURSOR_KEY)
    done = -1 if cursor is None else cursor["block_number"]
    safe = chain.block_number() - config.confirmations
    followed = 0
    if safe > done:
        for seen in chain.exits(done + 1, safe):
            followed += _follow(store, seen)
        store.write(Update(SETTLEMENTS, CURSOR_KEY, put={"block_number": safe}))
    for row in query_all(store, SETTLEMENTS, QUEUED_PK):
        _put_aside(store, row)
    return followed


def _follow(store: Store, seen: ExitSeen) -> int:
    """Book one event with its marker, once."""
    marker_key = Key(f"WITHDRAWAL#{seen.block_hash}:{seen.log_index}", keys.META)
    if store.get(SETTLEMENTS, marker_key) is not None:
        return 0
    trader = trader_of(seen.account)
    if seen.nonce and _follow_signed(store, seen, marker_key, trader):
        return 1
    queued = store.get(SETTLEMENTS, _queued_key(trader, seen.asset)) or {"held": 0}
    held = queued["held"]
    marker = _marker(seen, marker_key, trader)
    if seen.kind == "QUEUED":
        wanted, kept, taken = seen.amount, min(held, seen.amount), 0
    else:
        wanted = kept = 0
        short = max(0, seen.amount - held)
        taken = min(short, _available(store, trader, seen.asset))
        marker["paid_out"] = min(held, seen.amount) + taken
        marker["owed"] = short - taken
    # of what was put aside, what is neither kept nor paid is free again
    freed = held - kept - min(held, seen.amount if seen.kind == "PAID" else 0)
    row = {
        **dict(zip(("PK", "SK"), _queued_key(trader, seen.asset), strict=True)),
        "trader": trader,
        "asset": seen.asset,
        "wanted": wanted,
        "held": kept,
    }
    unchanged = NOT_EXISTS if "wanted" not in queued else (Clause("held", "=", held),)
    store.transact(
        [
            Put(SETTLEMENTS, marker, NOT_EXISTS),
            Put(SETTLEMENTS, row, unchanged),
            Update(
                BALANCES,
                _balance_key(trader, seen.asset),
                add={"available": freed - taken, "exiting": kept - held, "backed": freed - taken},
                when=(Clause("available", ">=", taken),) if taken else (),
            ),
        ]
    )
    return 1


def _follow_signed(store: Store, seen: ExitSeen, marker_key: Key, trader: str) -> bool:
    """Book one that the exchange's door has put aside; False when it did not. Rule: WDRW-012."""
    opened_key = open_key(trader, seen.nonce)
    opened = store.get(SETTLEMENTS, opened_key)
    if opened is None:
        return False
    marker = _marker(seen, marker_key, trader) | {"paid_out": seen.amount}
    paid = {"status": PAID, "block_number": seen.block_number}
    store.transact(
        [
            Put(SETTLEMENTS, marker, NOT_EXISTS),
            Delete(SETTLEMENTS, opened_key, EXISTS),
            Update(SETTLEMENTS, key_of(opened), put=paid, remove=("raw", "reason")),
            Update(BALANCES, _balance_key(trader, seen.asset), add={"exiting": -seen.amount}),
        ]
    )
    return True


def _marker(seen: ExitSeen, key: Key, trader: str) -> Item:
    marker: Item = {
        "PK": key.pk,
        "SK": key.sk,
        "trader": trader,
        "asset": seen.asset,
        "kind": seen.kind,
        "amount": seen.amount,
        "block_number": seen.block_number,
    }
    return marker | {"as_cxpt": True} if seen.as_cxpt else marker


def _put_aside(store: Store, row: Item) -> None:
    """Put aside what has become available since; the next watch tries again when it is gone already."""
    trader, asset, held = row["trader"], row["asset"], row["held"]
    more = min(row["wanted"] - held, _available(store, trader, asset))
    if more <= 0:
        return
    aside = Update(
        BALANCES,
        _balance_key(trader, asset),
        add={"available": -more, "exiting": more, "backed": -more},
        when=(Clause("available", ">=", more),),
    )
    noted = Update(
        SETTLEMENTS,
        _queued_key(trader, asset),
        put={"held": held + more},
        when=(Clause("held", "=", held), Clause("wanted", "=", row["wanted"])),
    )
    try:
        store.transact([aside, noted])
    except ConditionFailed:
        return


def _available(store: Store, trader: str, asset: str) -> int:
    row = store.get(BALANCES, _balance_key(trader, asset))
    return 0 if row is None else max(0, int(row["available"]))


def _queued_key(trader: str, asset: str) -> Key:
    return Key(QUEUED_PK, f"{trader}#{asset}")


def _balance_key(trader: str, asset: str) -> Key:
    return Key(keys.trader_pk(trader), keys.asset_sk(asset))
