"""Money goes out by the Vault's own door: the ledger holds it when it is queued, lets it go when it is paid.

Between the two lies the Vault's delay. What is queued is put aside from what is available, at once
and whenever more becomes available, so that it cannot be traded and withdrawn. What is paid leaves
the ledger: first what was put aside, then what is available; what is neither is `owed`.
"""

from __future__ import annotations

from system.config import Config
from system.model import keys
from system.model.errors import ConditionFailed
from system.model.keys import BALANCES, SETTLEMENTS, Item, Key
from system.model.order import trader_of
from system.ports.chain import Chain, ExitSeen
from system.ports.store import NOT_EXISTS, Clause, Put, Store, Update, query_all

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
    queued = store.get(SETTLEMENTS, _queued_key(trader, seen.asset)) or {"held": 0}
    held = queued["held"]
    marker: Item = {
        "PK": marker_key.pk,
        "SK": marker_key.sk,
        "trader": trader,
        "asset": seen.asset,
        "kind": seen.kind,
        "amount": seen.amount,
        "block_number": seen.block_number,
    }
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
                add={"available": freed - taken, "exiting": kept - held},
                when=(Clause("available", ">=", taken),) if taken else (),
            ),
        ]
    )
    return 1


def _put_aside(store: Store, row: Item) -> None:
    """Put aside what has become available since; the next watch tries again when it is gone already."""
    trader, asset, held = row["trader"], row["asset"], row["held"]
    more = min(row["wanted"] - held, _available(store, trader, asset))
    if more <= 0:
        return
    aside = Update(
        BALANCES,
        _balance_key(trader, asset),
        add={"available": -more, "exiting": more},
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
