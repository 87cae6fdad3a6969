"""A global secondary index: sorted entries that point at items.

Built at the first query and kept from then on, so an index that nobody asks costs nothing.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable

from system.model.keys import Item

Entry = tuple[str, str, str]
"""(sort attribute, PK, SK): unique, and ordered as the index is read."""


class Index:
    """Entries of one index by the value of its partition attribute."""

    __slots__ = ("_partitions", "pk_attribute", "sk_attribute")

    def __init__(self, pk_attribute: str, sk_attribute: str, items: Iterable[Item]) -> None:
        self.pk_attribute = pk_attribute
        self.sk_attribute = sk_attribute
        self._partitions: dict[str, list[Entry]] = {}
        for item in items:
            place = self._place(item)
            if place is not None:
                self._partitions.setdefault(place[0], []).append(place[1])
        for entries in self._partitions.values():
            entries.sort()

    def entries(self, pk: str) -> list[Entry]:
        """Return the entries of one partition in order; not to be changed."""
        return self._partitions.get(pk, [])

    def change(self, old: Item | None, new: Item | None) -> None:
        """Follow one write; an item without both attributes is not in the index."""
        before = self._place(old) if old is not None else None
        after = self._place(new) if new is not None else None
        if before == after:
            return
        if before is not None:
            entries = self._partitions[before[0]]
            del entries[bisect_left(entries, before[1])]
        if after is not None:
            entries = self._partitions.setdefault(after[0], [])
            if entries and after[1] < entries[-1]:
                insort(entries, after[1])
            else:
                entries.append(after[1])

    def _place(self, item: Item) -> tuple[str, Entry] | None:
        pk = item.get(self.pk_attribute)
        sk = item.get(self.sk_attribute)
        if pk is None or sk is None:
            return None
        return pk, (sk, item["PK"], item["SK"])
