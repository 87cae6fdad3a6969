"""Rows that the cards of the table store write."""

from collections.abc import Callable
from typing import Any

from system.model.errors import ConditionFailed
from system.model.keys import Item
from system.ports.store import Put, Store

PK = "MARKET#BTC-PERP"


def row(sk: str, pk: str = PK, **attributes: Any) -> Item:
    return {"PK": pk, "SK": sk, **attributes}


def put_rows(store: Store, table: str, *items: Item) -> None:
    for item in items:
        store.write(Put(table, item))


def sks(items: list[Item]) -> list[str]:
    return [item["SK"] for item in items]


def passes(write: Callable[[], None]) -> bool:
    """Whether a write's conditions held."""
    try:
        write()
    except ConditionFailed:
        return False
    return True
