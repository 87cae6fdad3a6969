"""Positions of one market by the price that liquidates them: LIQU-020, LIQU-021.

Two heaps, long and short. A new mark looks at those it liquidates and at one more on each side,
however many positions there are. Changed positions leave an old entry behind, which is dropped
when it comes to the top, or when old entries outnumber the living.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush

Entry = tuple[int, str, int]  # price (negative for longs), trader, version


class LiquidationIndex:
    """Who is liquidated at a mark."""

    def __init__(self) -> None:
        self._heaps: tuple[list[Entry], list[Entry]] = ([], [])  # longs, shorts
        self._living: dict[str, tuple[int, Entry]] = {}  # trader -> heap, entry
        self._version = 0
        self.looked_at = 0  # entries read by `due`, for measuring

    def __len__(self) -> int:
        return len(self._living)

    def put(self, trader: str, size_e8: int, last_safe_e6: int) -> None:
        """Keep a position under its last safe price; size 0 takes it out. Rule: LIQU-020."""
        known = self._living.pop(trader, None)
        if size_e8:
            short = int(size_e8 < 0)
            if known and known[0] == short and abs(known[1][0]) == last_safe_e6:
                self._living[trader] = known
                return
            self._version += 1
            entry = (last_safe_e6 if short else -last_safe_e6, trader, self._version)
            self._living[trader] = (short, entry)
            heappush(self._heaps[short], entry)
        self._compact()

    def due(self, mark_e6: int) -> list[str]:
        """Return who is liquidated at this mark: longs, then shorts, the worst first. Rule: LIQU-021.

        They stay in the index until `put` says otherwise.
        """
        return [*self._due(0, -mark_e6), *self._due(1, mark_e6)]

    def _due(self, short: int, mark: int) -> list[str]:
        heap = self._heaps[short]
        found: list[Entry] = []
        while heap:
            self.looked_at += 1
            entry = heap[0]
            living = self._living.get(entry[1])
            if living is None or living[1] != entry:
                heappop(heap)
            elif entry[0] < mark:
                found.append(heappop(heap))
            else:
                break
        for entry in found:
            heappush(heap, entry)
        return [trader for _, trader, _ in found]

    def _compact(self) -> None:
        if len(self._heaps[0]) + len(self._heaps[1]) <= 2 * len(self._living) + 16:
            return
        for short, heap in enumerate(self._heaps):
            heap[:] = [entry for side, entry in self._living.values() if side == short]
            heapify(heap)
