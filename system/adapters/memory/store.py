"""DynamoDB's semantics in plain dicts: the table store of simulations.

The hot path is `transact`: every order and every commit of the matcher goes through it. So a
point access is two dict look-ups, nothing is copied but the item that an Update replaces, and
whatever only some tables need (sorted keys, indexes, streams) starts when it is first used.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from system.adapters.memory.conditions import broken_clause
from system.adapters.memory.index import Index
from system.adapters.memory.stream import Stream
from system.adapters.memory.tables import TableDef
from system.model.errors import ConditionFailed
from system.model.keys import Item, Key
from system.model.units import MINUTE_NS, NS
from system.ports.clock import Clock
from system.ports.store import (
    MAX_ITEM_BYTES,
    MAX_TRANSACTION_ACTIONS,
    MAX_TRANSACTION_BYTES,
    NOT_EXISTS,
    Action,
    Delete,
    Page,
    Put,
    Update,
)

MAX_GET_MANY = 100
MAX_PAGE_BYTES = 1024 * 1024
TOKEN_NS = 10 * MINUTE_NS
# An Update is weighed by what it sets. Only when that is big, or the item has many attributes, is
# the whole item weighed: so many attributes, each set by a small change, do not reach the limit.
_SMALL_CHANGE_BYTES = 1_024
_FEW_ATTRIBUTES = MAX_ITEM_BYTES // _SMALL_CHANGE_BYTES

_encode = msgspec.msgpack.Encoder().encode


def weight(values: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> int:
    """Estimate the stored size of attributes in bytes, within about a tenth."""
    try:
        return len(_encode(values))
    except OverflowError:  # an integer above 64 bits
        return len(repr(values))


class _Table:
    """Rows by partition and sort key, and what of the extras has been asked for so far."""

    __slots__ = ("definition", "indexes", "plain", "rows", "sorted_keys", "stream")

    def __init__(self, definition: TableDef) -> None:
        self.definition = definition
        self.rows: dict[str, dict[str, Item]] = {}
        self.sorted_keys: dict[str, list[str]] = {}  # of partitions that have been queried
        self.indexes: dict[str, Index] = {}  # that have been queried
        self.stream = Stream(definition.name) if definition.stream else None
        self.plain = not definition.stream  # nothing to do beside writing the row

    def items(self) -> Iterator[Item]:
        for partition in self.rows.values():
            yield from partition.values()

    def keys_of(self, pk: str) -> list[str]:
        """Return the sort keys of a partition in order; kept sorted from now on."""
        keys = self.sorted_keys.get(pk)
        if keys is None:
            keys = sorted(self.rows.get(pk, ()))
            self.sorted_keys[pk] = keys
            self.plain = False
        return keys

    def index(self, name: str) -> Index:
        found = self.indexes.get(name)
        if found is None:
            pk_attribute, sk_attribute = self.definition.indexes[name]
            found = self.indexes[name] = Index(pk_attribute, sk_attribute, self.items())
            self.plain = False
        return found

    def follow(
        self, pk: str, sk: str, old: Item | None, new: Item | None, now_ns: int, expired: bool
    ) -> None:
        """Bring sorted keys, indexes and stream up to a write."""
        if (old is None or new is None) and pk in self.sorted_keys:
            keys = self.sorted_keys[pk]
            if new is None:
                del keys[bisect_left(keys, sk)]
            elif keys and sk < keys[-1]:
                insort(keys, sk)
            else:
                keys.append(sk)
        for index in self.indexes.values():
            index.change(old, new)
        # As in DynamoDB, a write that changes nothing leaves no record.
        if self.stream is not None and (old is None or old != new):
            name = "INSERT" if old is None else "REMOVE" if new is None else "MODIFY"
            self.stream.changes.append((name, now_ns, old, new, expired))


_Staged = tuple[_Table, dict[str, Item] | None, str, str, Item | None, Item | None]
"""(table, partition if there is one, PK, SK, old item, new item)"""


class MemoryStore:
    """Tables in memory behind `ports.store.Store`, plus what the harness may do: scan and sweep."""

    def __init__(self, clock: Clock, tables: Sequence[TableDef]) -> None:
        self._clock = clock
        self._tables = {definition.name: _Table(definition) for definition in tables}
        self._tokens: dict[str, tuple[Action, ...]] = {}
        self._token_ages: deque[tuple[int, str]] = deque()

    # reading

    def get(self, table: str, key: Key) -> Item | None:
        """Read one item, strongly consistent."""
        partition = self._tables[table].rows.get(key[0])
        return None if partition is None else partition.get(key[1])

    def get_many(self, table: str, keys: Sequence[Key]) -> list[Item]:
        """Read up to 100 items in the order of `keys`; missing ones are left out."""
        if len(keys) > MAX_GET_MANY or len(set(keys)) != len(keys):
            raise ValueError(f"get_many: expected at most {MAX_GET_MANY} different keys, was {len(keys)}")
        rows = self._tables[table].rows
        found = (rows[pk].get(sk) if pk in rows else None for pk, sk in keys)
        return [item for item in found if item is not None]

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
        """Read items of one partition in sort-key order, `sk_from` and `sk_to` inclusive."""
        if limit is not None and limit <= 0:
            raise ValueError(f"query {table}: expected a limit above 0, was {limit}")
        held = self._tables[table]
        rows = held.rows
        if index is None:
            keys = held.keys_of(pk)
            low = 0 if sk_from is None else bisect_left(keys, sk_from)
            high = len(keys) if sk_to is None else bisect_right(keys, sk_to)
            cut = (bisect_left(keys, after["SK"]), bisect_right(keys, after["SK"])) if after else None
            return _page((rows[pk][keys[place]] for place in _places(low, high, cut, descending)), limit, ())
        entries = held.index(index).entries(pk)
        attributes = held.definition.indexes[index]
        low = 0 if sk_from is None else bisect_left(entries, (sk_from,))
        # the first tuple behind every entry whose sort attribute is `sk_to`
        high = len(entries) if sk_to is None else bisect_left(entries, (sk_to + "\0",))
        cut = None
        if after is not None:
            cursor = (after[attributes[1]], after["PK"], after["SK"])
            cut = (bisect_left(entries, cursor), bisect_right(entries, cursor))
        found = (entries[place] for place in _places(low, high, cut, descending))
        return _page((rows[item_pk][item_sk] for _, item_pk, item_sk in found), limit, attributes)

    # writing

    def write(self, action: Put | Update | Delete) -> None:
        """Write one item. Raises ConditionFailed with a single reason."""
        staged, broken, _ = self._stage((action,))
        if broken:
            raise ConditionFailed((broken[0],))
        self._apply(staged)

    def count(self, table: str, attribute: str, by: Mapping[Key, int]) -> list[int]:
        """Add to a number of each item and return the sums."""
        staged, _, _ = self._stage([Update(table, key, add={attribute: more}) for key, more in by.items()])
        self._apply(staged)
        return [new[attribute] for *_, new in staged if new is not None]

    def transact(self, actions: Sequence[Action], token: str = "") -> None:
        """Write all or nothing; a token makes a retry within ten minutes a no-op."""
        count = len(actions)
        if not 0 < count <= MAX_TRANSACTION_ACTIONS:
            raise ValueError(f"transact: expected 1 to {MAX_TRANSACTION_ACTIONS} actions, was {count}")
        if token and self._is_retry(token, actions):
            return
        staged, broken, size = self._stage(actions)
        if size > MAX_TRANSACTION_BYTES:
            raise ValueError(f"transact: expected at most {MAX_TRANSACTION_BYTES} bytes, was about {size}")
        if broken:
            raise ConditionFailed(tuple(broken.get(place, "") for place in range(count)))
        self._apply(staged)
        if token:
            self._tokens[token] = tuple(actions)
            self._token_ages.append((self._clock.now_ns() + TOKEN_NS, token))

    def _stage(self, actions: Sequence[Action]) -> tuple[list[_Staged], dict[int, str], int]:
        """Work out every action against the rows as they are; changes nothing.

        Returns the new items, the broken clause by action, and the bytes written. Most of the
        store's time is spent in this loop, so it is written out instead of divided.
        """
        tables = self._tables
        staged: list[_Staged] = []
        named: set[tuple[str, str, str]] = set()
        broken: dict[int, str] = {}
        items: list[Item] = []
        changed: list[tuple[Mapping[str, Any], Item]] = []
        for action in actions:
            new: Item | None
            table = tables[action.table]
            when = action.when
            if type(action) is Put:
                item = new = action.item
                pk, sk = item["PK"], item["SK"]
                partition = table.rows.get(pk)
                old = None if partition is None else partition.get(sk)
                items.append(item)
            elif type(action) is Update:
                pk, sk = action.key
                put, add = action.put, action.add
                partition = table.rows.get(pk)
                old = None if partition is None else partition.get(sk)
                item = {"PK": pk, "SK": sk} if old is None else old.copy()
                if put:
                    item.update(put)
                    changed.append((put, item))
                for name in add:
                    item[name] = item[name] + add[name] if name in item else add[name]
                for name in action.remove:
                    item.pop(name, None)
                new = item
                if item["PK"] is not pk or item["SK"] is not sk:
                    _refuse_other_key(action, item)
            else:
                pk, sk = action.key
                partition = table.rows.get(pk)
                old = None if partition is None else partition.get(sk)
                new = None if type(action) is Delete else old
            named.add((action.table, pk, sk))
            if when:
                reason = ("" if old is None else "PK") if when is NOT_EXISTS else broken_clause(old, when)
                if reason:
                    broken[len(staged)] = reason
            staged.append((table, partition, pk, sk, old, new))
        if len(named) != len(staged):
            raise ValueError("transact: two actions name one item")
        size = (_weigh_items(items) if items else 0) + (_weigh_changes(changed) if changed else 0)
        return staged, broken, size

    def _apply(self, staged: Sequence[_Staged]) -> None:
        now_ns = self._clock.now_ns()
        for table, partition, pk, sk, old, new in staged:
            if new is old:
                continue  # a Check, or nothing to delete
            if new is None:
                del table.rows[pk][sk]
            elif partition is not None:
                partition[sk] = new
            elif pk in table.rows:  # an action before this one has made the partition
                table.rows[pk][sk] = new
            else:
                table.rows[pk] = {sk: new}
            if not table.plain:
                table.follow(pk, sk, old, new, now_ns, False)

    def _is_retry(self, token: str, actions: Sequence[Action]) -> bool:
        now_ns, ages = self._clock.now_ns(), self._token_ages
        while ages and ages[0][0] <= now_ns:
            del self._tokens[ages.popleft()[1]]
        known = self._tokens.get(token)
        if known is None:
            return False
        if known != tuple(actions):
            raise ValueError(f"transact: token {token!r} was used with other actions")
        return True

    # what the harness may do

    def table_names(self) -> list[str]:
        """Return the names of all tables."""
        return list(self._tables)

    def stream(self, table: str) -> Stream:
        """Return the change log of a table that has one."""
        stream = self._tables[table].stream
        if stream is None:
            raise ValueError(f"{table}: expected a table with a stream")
        return stream

    def scan(self, table: str) -> list[Item]:
        """Return every item, sorted by (PK, SK)."""
        rows = self._tables[table].rows
        return [rows[pk][sk] for pk in sorted(rows) for sk in sorted(rows[pk])]

    def sweep(self, now_ns: int) -> int:
        """Remove the items whose TTL has passed; returns how many. Until then readers see them, as in AWS."""
        removed = 0
        for table in self._tables.values():
            attribute = table.definition.ttl_attribute
            if not attribute:
                continue
            gone = [item for item in table.items() if item.get(attribute, now_ns) * NS <= now_ns]
            for item in gone:
                del table.rows[item["PK"]][item["SK"]]
                if not table.plain:
                    table.follow(item["PK"], item["SK"], item, None, now_ns, True)
            removed += len(gone)
        return removed


def _weigh_items(items: Sequence[Item]) -> int:
    """Weigh whole items, all with one call; each by itself only when one of them may be too big."""
    size = weight(items)
    if size > MAX_ITEM_BYTES:
        for item in items:
            _weigh_item(item)
    return size


def _weigh_changes(changed: Sequence[tuple[Mapping[str, Any], Item]]) -> int:
    """Weigh what Updates set (change, item after it), all with one call, and what may have grown too big."""
    size = weight([put for put, _ in changed])
    for put, item in changed:
        if len(item) > _FEW_ATTRIBUTES or (size > _SMALL_CHANGE_BYTES and weight(put) > _SMALL_CHANGE_BYTES):
            size += _weigh_item(item)
    return size


def _weigh_item(item: Item) -> int:
    size = weight(item)
    if size > MAX_ITEM_BYTES:
        raise ValueError(
            f"item {item['PK']} {item['SK']}: expected at most {MAX_ITEM_BYTES} bytes, was about {size}"
        )
    return size


def _refuse_other_key(action: Update, new: Item) -> None:
    if (new["PK"], new["SK"]) != action.key:
        raise ValueError(f"{action.table} {action.key}: an Update cannot change the key")


def _places(low: int, high: int, cut: tuple[int, int] | None, descending: bool) -> range:
    """Return the places of a page: those between low and high that are beyond the cursor's place."""
    if descending:
        return range((high if cut is None else min(high, cut[0])) - 1, low - 1, -1)
    return range(low if cut is None else max(low, cut[1]), high)


def _page(found: Iterator[Item], limit: int | None, index_attributes: Sequence[str]) -> Page:
    items: list[Item] = []
    size = 0
    for item in found:
        items.append(item)
        size += weight(item)
        if len(items) == limit or size >= MAX_PAGE_BYTES:
            return Page(items, {name: item[name] for name in ("PK", "SK", *index_attributes)})
    return Page(items, None)
