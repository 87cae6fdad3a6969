"""Identifiers of the real world: time and chance."""

from __future__ import annotations

import secrets

from system.ports.clock import Clock

_NS_PER_MS = 1_000_000
_FRACTIONS = 1 << 12


class RandomIds:
    """Mint version 7 uuids (RFC 9562, 6.2 method 3): time, its fraction of a millisecond, 62 random bits.

    Those of one instance rise strictly, also when the clock stands still or goes back.
    """

    __slots__ = ("_clock", "_last")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = 0  # 48 bits of milliseconds and 12 of fraction, as one number

    def uuid7(self) -> str:
        """Return the next version 7 uuid."""
        ms, rest_ns = divmod(self._clock.now_ns(), _NS_PER_MS)
        stamp = max(ms * _FRACTIONS + rest_ns * _FRACTIONS // _NS_PER_MS, self._last + 1)
        self._last = stamp
        high, low = f"{stamp:015x}", f"{secrets.randbits(62) | 1 << 63:016x}"
        return f"{high[:8]}-{high[8:12]}-7{high[12:]}-{low[:4]}-{low[4:]}"
