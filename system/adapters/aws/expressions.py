"""Clauses and Updates as DynamoDB's expressions, and which clause it was that failed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from system.adapters.aws.wire import Typed, typed
from system.ports.store import Clause, Update


class Expression:
    """Placeholders of one action: every attribute name and value is one, as any word may be reserved."""

    __slots__ = ("_names", "_values")

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._values: dict[str, Typed] = {}

    def name(self, attribute: str) -> str:
        """Return the placeholder of an attribute."""
        placeholder = self._names.get(attribute)
        if placeholder is None:
            placeholder = self._names[attribute] = f"#n{len(self._names)}"
        return placeholder

    def value(self, value: Any) -> str:
        """Return a new placeholder for a value."""
        placeholder = f":v{len(self._values)}"
        self._values[placeholder] = typed(value)
        return placeholder

    def condition(self, when: tuple[Clause, ...]) -> str:
        """Return the clauses joined by AND."""
        return " AND ".join(self._clause(*clause) for clause in when)

    def _clause(self, attribute: str, op: str, value: Any) -> str:
        name = self.name(attribute)
        if op == "absent":
            return f"attribute_not_exists({name})"
        if op == "exists":
            return f"attribute_exists({name})"
        if op == "<>":
            # alone it is true for a missing attribute, and a clause of the port is not
            return f"attribute_exists({name}) AND {name} <> {self.value(value)}"
        return f"{name} {op} {self.value(value)}"

    def update(self, action: Update) -> str:
        """Return the SET, ADD and REMOVE parts of an update."""
        parts: list[str] = []
        if action.put:
            parts.append(
                "SET " + ", ".join(f"{self.name(k)} = {self.value(v)}" for k, v in action.put.items())
            )
        if action.add:
            parts.append("ADD " + ", ".join(f"{self.name(k)} {self.value(v)}" for k, v in action.add.items()))
        if action.remove:
            parts.append("REMOVE " + ", ".join(self.name(attribute) for attribute in action.remove))
        return " ".join(parts)

    def placeholders(self) -> dict[str, Any]:
        """Return the request's two maps, left out where they are empty, as DynamoDB refuses empty ones."""
        maps: dict[str, Any] = {}
        if self._names:
            maps["ExpressionAttributeNames"] = {short: name for name, short in self._names.items()}
        if self._values:
            maps["ExpressionAttributeValues"] = self._values
        return maps


def broken_clause(item: Mapping[str, Any] | None, when: tuple[Clause, ...]) -> str:
    """Return the attribute of the first clause that does not hold for an item, "" when all do.

    DynamoDB tells which action failed and what the item was, not which clause.
    """
    held = item or {}
    for attribute, op, value in when:
        if not _holds(attribute in held, held.get(attribute), op, value):
            return attribute
    return ""


def _holds(present: bool, held: Any, op: str, value: Any) -> bool:
    if op in ("absent", "exists"):
        return present == (op == "exists")
    if not present:
        return False
    same_kind = type(held) is type(value) or (isinstance(held, str) and isinstance(value, str))
    if op in ("=", "<>"):
        return (same_kind and held == value) == (op == "=")
    if not same_kind or isinstance(value, bool) or not isinstance(value, int | str | bytes):
        return False
    if held == value:
        return op in ("<=", ">=")
    return bool(held < value) == (op in ("<", "<="))
