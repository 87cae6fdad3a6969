"""What a condition of an action says of an item, as DynamoDB compares."""

from __future__ import annotations

from typing import Any

from system.model.keys import Item
from system.ports.store import Clause


def broken_clause(item: Item | None, when: tuple[Clause, ...]) -> str:
    """Return the attribute of the first clause that does not hold, "" when all do."""
    for attribute, op, value in when:
        held = item.get(attribute, _MISSING) if item is not None else _MISSING
        if not _holds(held, op, value):
            return attribute
    return ""


class _Missing:
    __slots__ = ()


_MISSING = _Missing()


def _holds(held: Any, op: str, value: Any) -> bool:
    if op == "absent":
        return held is _MISSING
    if held is _MISSING:
        return False
    if op == "exists":
        return True
    if (held is True or held is False) is not (value is True or value is False):
        return op == "<>"  # DynamoDB's BOOL is no number
    if op == "=":
        return bool(held == value)
    if op == "<>":
        return bool(held != value)
    try:
        if op == ">=":
            return bool(held >= value)
        if op == ">":
            return bool(held > value)
        return bool(held <= value if op == "<=" else held < value)
    except TypeError:  # another type never compares
        return False
