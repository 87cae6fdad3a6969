"""Ports that fail when told to: the real thing behind a counter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from system.model.errors import Unavailable
from system.model.keys import Item, Key
from system.ports.queue import Topic
from system.ports.store import Action, Delete, Page, Put, Store, Update


class FailingStore:
    """A store whose n-th transaction (from 1) is not answered: it fails before or after its effect."""

    def __init__(self, inner: Store, fail_at: int = 0, *, after: bool = False) -> None:
        self.inner = inner
        self.fail_at = fail_at
        self.after = after
        self.transactions: list[list[Action]] = []

    def get(self, table: str, key: Key) -> Item | None:
        return self.inner.get(table, key)

    def get_many(self, table: str, keys: Sequence[Key]) -> list[Item]:
        return self.inner.get_many(table, keys)

    def query(self, table: str, pk: str, **how: Any) -> Page:
        return self.inner.query(table, pk, **how)

    def write(self, action: Put | Update | Delete) -> None:
        self.inner.write(action)

    def count(self, table: str, attribute: str, by: Mapping[Key, int]) -> list[int]:
        return self.inner.count(table, attribute, by)

    def transact(self, actions: Sequence[Action], token: str = "") -> None:
        self.transactions.append(list(actions))
        fails = len(self.transactions) == self.fail_at
        if fails and not self.after:
            raise Unavailable("store.transact: not answered, no effect")
        self.inner.transact(actions, token)
        if fails:
            raise Unavailable("store.transact: not answered, with effect")

    def lease_updates(self) -> list[Mapping[str, Any]]:
        """Return what each transaction wrote into the lease row."""
        return [
            action.put
            for actions in self.transactions
            for action in actions
            if isinstance(action, Update) and action.table == "MatcherLeases"
        ]


class FailingTopic:
    """A topic that is away for the first n publications."""

    def __init__(self, inner: Topic, away: int) -> None:
        self.inner = inner
        self.away = away

    def publish(self, message: str) -> None:
        if self.away:
            self.away -= 1
            raise Unavailable("topic.publish: not answered")
        self.inner.publish(message)
