"""The table store: DynamoDB's semantics without its wire format.

Items are plain dicts of str, int, bool, None, bytes, list and dict; numbers are integers only.
Every table has the string keys PK and SK. A stored item is never mutated by anyone: adapters
replace it, readers must not change what they were given.

Limits are those of AWS and enforced by every adapter: a transaction has at most 100 actions,
no two on one item, and 4 MB; an item at most 400 KB.
Source: AWS API reference, TransactWriteItems.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol

import msgspec

from system.model.keys import Item, Key

MAX_TRANSACTION_ACTIONS = 100
MAX_TRANSACTION_BYTES = 4 * 1024 * 1024
MAX_ITEM_BYTES = 400 * 1024


class Clause(NamedTuple):
    """One condition on one attribute; the clauses of an action are joined by AND.

    op: "absent" | "exists" (value unused), "=", "<>", "<", "<=", ">", ">=". A comparison with
    a missing attribute is false. `Clause("PK", "absent")` is attribute_not_exists(PK).
    """

    attribute: str
    op: Literal["absent", "exists", "=", "<>", "<", "<=", ">", ">="]
    value: Any = None


NOT_EXISTS: tuple[Clause, ...] = (Clause("PK", "absent"),)
EXISTS: tuple[Clause, ...] = (Clause("PK", "exists"),)


class Put(msgspec.Struct, frozen=True, gc=False):
    """Write a whole item (it carries its own PK and SK)."""

    table: str
    item: Item
    when: tuple[Clause, ...] = ()

    @property
    def key(self) -> Key:
        return Key(self.item["PK"], self.item["SK"])


class Update(msgspec.Struct, frozen=True, gc=False):
    """Change attributes of one item: SET `put`, ADD `add` (a missing number counts as 0), REMOVE `remove`.

    Creates the item when it is missing, as DynamoDB does, unless `when` forbids it.
    """

    table: str
    key: Key
    put: Mapping[str, Any] = {}
    add: Mapping[str, int] = {}
    remove: tuple[str, ...] = ()
    when: tuple[Clause, ...] = ()


class Delete(msgspec.Struct, frozen=True, gc=False):
    """Remove one item; removing a missing item succeeds."""

    table: str
    key: Key
    when: tuple[Clause, ...] = ()


class Check(msgspec.Struct, frozen=True, gc=False):
    """Only test a condition, inside a transaction."""

    table: str
    key: Key
    when: tuple[Clause, ...]


Action = Put | Update | Delete | Check


class Page(NamedTuple):
    """One page of a query; `after` is the cursor of the next page, None at the end."""

    items: list[Item]
    after: Mapping[str, Any] | None


class Store(Protocol):
    """What the rooms may do with tables. All calls raise PortError subclasses only."""

    def get(self, table: str, key: Key) -> Item | None:
        """Read one item, strongly consistent."""

    def get_many(self, table: str, keys: Sequence[Key]) -> list[Item]:
        """Read up to 100 items, strongly consistent, in the order of `keys`; missing ones are left out."""

    def query(
        self,
        table: str,
        pk: str,
        *,
        index: str | None = None,
        sk_from: str | None = None,
        sk_to: str | None = None,
        descending: bool = False,
        limit: int | None = None,
        after: Mapping[str, Any] | None = None,
    ) -> Page:
        """Read items of one partition in sort-key order, `sk_from` and `sk_to` inclusive.

        With `index`, `pk` is the value of that GSI's partition attribute and items come in the
        order of its sort attribute. Base-table queries are strongly consistent, index
        queries are not. A page holds at most 1 MB or `limit` items.
        """

    def write(self, action: Put | Update | Delete) -> None:
        """Write one item. Raises ConditionFailed with a single reason."""

    def count(self, table: str, attribute: str, by: Mapping[Key, int]) -> list[int]:
        """Add to a number of each item, a missing one counting as 0, and return the sums. Creates items.

        Callers at the same time get different sums. Each item is by itself: unanswered, some may be done.
        """

    def transact(self, actions: Sequence[Action], token: str = "") -> None:
        """Write all or nothing. `token` makes a retry within ten minutes a no-op.

        Raises:
            ConditionFailed: one reason per action.
            ValueError: a limit is exceeded, or two actions name one item (a defect of the caller).
        """


def query_all(store: Store, table: str, pk: str, **how: Any) -> list[Item]:
    """Read every page of a query."""
    items: list[Item] = []
    after: Mapping[str, Any] | None = None
    while True:
        page = store.query(table, pk, after=after, **how)
        items += page.items
        after = page.after
        if after is None:
            return items
