"""Time-weighted average price: what was last seen holds until the next is seen. Rules TWAP-001 to TWAP-005.

Numerator and denominator stay integers and are divided once, at the end. Time that does not count
(paused, no valid index) is in neither. The unit of time is the caller's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from system.model.units import to_tick


class Twap(msgspec.Struct, frozen=True, kw_only=True):
    """A running average over a window that began at `since`. Units: `num` price times time."""

    since: int
    num: int = 0
    den: int = 0
    price: int = 0  # in force; 0 while there is none that counts
    seen: int = 0  # since when it is in force
    until: int = 0  # up to here everything is in `num` and `den`; 0 before the first

    def at(self, now: int, most: int = 0) -> Twap:
        """Return the average with all time up to `now`; a price holds for `most` at most (0: for ever)."""
        start = max(self.since, self.until)
        if now <= start:
            return self
        end = min(now, self.seen + most) if most else now
        held = max(0, end - start) if self.price else 0
        return Twap(
            since=self.since,
            num=self.num + self.price * held,
            den=self.den + held,
            price=self.price,
            seen=self.seen,
            until=now,
        )

    def observe(self, now: int, price: int, most: int = 0) -> Twap:
        """Return the average in which `price` holds from now on; 0 means that nothing counts from now on.

        What comes late, from before what is already counted, changes nothing.
        """
        if self.seen and now <= self.seen:
            return self
        return msgspec.structs.replace(self.at(now, most), price=price, seen=now)

    def renew(self, since: int) -> Twap:
        """Return an empty window in which the same price is in force."""
        return Twap(since=since, price=self.price, seen=self.seen)

    def price_e6(self, tick_e6: int) -> int:
        """Return the average as a multiple of the tick, ties to the even one; there must be time in it."""
        return to_tick(self.num, tick_e6, self.den)


def twap(
    observations: Iterable[tuple[int, int]],
    start: int,
    end: int,
    excluded: Sequence[tuple[int, int]] = (),
) -> tuple[int, int]:
    """Return (numerator, denominator) of the average over [start, end), without the excluded times.

    Observations are (time, price) in order of time; one from before the start is in force there.
    An excluded time is [from, to): what is seen in it holds after it.

    >>> twap([(0, 10), (1, 11), (3, 10)], 0, 5), twap([(0, 10), (1, 11)], 0, 4, [(2, 3)])
    ((52, 5), (32, 3))
    """
    cuts = _apart(excluded)
    num = den = 0
    price, since = 0, start
    for at, following in [*observations, (end, 0)]:
        until = min(max(at, start), end)
        if price:
            held = until - since
            held -= sum(max(0, min(until, high) - max(since, low)) for low, high in cuts)
            num += price * held
            den += held
        price, since = following, until
    return num, den


def _apart(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the same time as spans that do not overlap."""
    apart: list[tuple[int, int]] = []
    for low, high in sorted(spans):
        free = max(low, apart[-1][1]) if apart else low
        if free < high:
            apart.append((free, high))
    return apart
