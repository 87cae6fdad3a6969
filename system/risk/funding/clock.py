"""A market's funding through time: windows, boundaries, ticks that are late, missed or repeated.

A window is closed with what was seen in it, by the first observation beyond its boundary or by the
boundary's tick, whichever comes first; so a late tick pays what a punctual one would have paid.
Rules FUND-030 to FUND-036.
"""

from __future__ import annotations

import zlib
from typing import Any

import msgspec

from system.model.units import NS
from system.risk.funding.model import FundingModel, FundingResult, Sample, Window, open_window

HERD_S = 60


class FundingClock(msgspec.Struct, frozen=True, kw_only=True):
    """What is stored of a market's funding between two commands."""

    window: Window
    due: tuple[FundingResult, ...] = ()  # closed, and their tick has not come yet
    settled_ns: int = 0  # the last boundary whose result was handed out

    def observe(self, model: FundingModel, seen: Sample) -> FundingClock:
        """Return the clock after an observation; one at the boundary itself still belongs to its window."""
        clock = self
        while seen.ts_ns > (boundary := boundary_after(clock.window.start_ns, model.interval_s)):
            clock = clock._close(model, boundary)
        return msgspec.structs.replace(clock, window=model.sample(clock.window, seen))

    def tick(self, model: FundingModel, boundary_ns: int) -> tuple[FundingClock, tuple[FundingResult, ...]]:
        """Return every result up to and with this boundary that was not handed out yet, in order.

        A second tick for the same boundary gets none.
        """
        clock = self
        while (boundary := boundary_after(clock.window.start_ns, model.interval_s)) <= boundary_ns:
            clock = clock._close(model, boundary)
        now_due = tuple(result for result in clock.due if result.boundary_ns <= boundary_ns)
        if not now_due:
            return clock, ()
        later = clock.due[len(now_due) :]
        return msgspec.structs.replace(clock, due=later, settled_ns=now_due[-1].boundary_ns), now_due

    def _close(self, model: FundingModel, boundary_ns: int) -> FundingClock:
        result = model.close(self.window, boundary_ns)
        return msgspec.structs.replace(
            self, window=model.renew(self.window, boundary_ns), due=(*self.due, result)
        )

    def to_row(self) -> dict[str, Any]:
        """Return what a table keeps: maps, lists and integers."""
        row: dict[str, Any] = msgspec.to_builtins(self)
        return row


def clock_from_row(row: dict[str, Any]) -> FundingClock:
    """Read a clock back from a table."""
    return msgspec.convert(row, FundingClock)


def open_clock(now_ns: int) -> FundingClock:
    """Return the clock of a market that opens now: its first interval is the rest of the running one."""
    return FundingClock(window=open_window(now_ns))


def boundary_after(now_ns: int, interval_s: int) -> int:
    """Return the first boundary later than `now_ns`.

    Boundaries are whole intervals since the epoch: every 8 h means at 0, 8 and 16 UTC.

    >>> boundary_after(0, 3_600) // NS, boundary_after(3_599 * NS, 3_600) // NS
    (3600, 3600)
    """
    interval_ns = interval_s * NS
    return (now_ns // interval_ns + 1) * interval_ns


def offset_ns(symbol: str) -> int:
    """Return how long after its boundary a market's tick is sent, so that not all markets tick at once.

    The boundary that the tick names does not move.

    >>> offset_ns("BTC-PERP") // NS < HERD_S
    True
    """
    return zlib.crc32(symbol.encode()) % HERD_S * NS
