"""What every funding model is: samples of an interval in, one payment out. Rules FUND-001 to FUND-012.

A model never sees positions. It says by how much the market's cumulative index F moves; system/risk/
funding/apply.py turns that into cash. Everything here is integers and plain values, so that a
window can be stored between two invocations and read again.
"""

from __future__ import annotations

from typing import ClassVar, Protocol

import msgspec

from system.model.units import NS, PPM, div_trunc
from system.risk.twap import Twap

HOUR_S = 3_600
EIGHT_HOURS_S = 28_800
DAY_S = 86_400
E6 = 10**6
E12 = 10**12


class FundingTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What a market may set about its funding; 0 in the first two leaves them to the model.

    Each model reads the terms that its rule has. Units: ppm shares, of the index where it is a rate.
    """

    interval_s: int = 0
    sample_s: int = 0
    cap_ppm_per_hour: int = 0  # the outer rail of every model; 0: none but the model's own
    carry_s: int = 90  # how long an observation stands in for the next one
    im_ppm: int = PPM
    mm_ppm: int = 50_000
    clamp_ppm: int = 500  # bitmex, binance, hyperliquid: how much of the interest may show
    interest_ppm: int = 100  # binance, hyperliquid: for 8 hours
    quote_rate_ppm: int = 600  # bitmex: interest of the quote asset, a day
    base_rate_ppm: int = 300  # bitmex: interest of the base asset, a day
    damper_ppm: int = 250  # deribit: premiums below this cost nothing
    clamp_factor_ppm: int = 6_000_000  # dydx
    spread_cap_ppm: int = 30_000  # drift: the tier's bound
    average_s: int = 900  # perp_v2
    yearly_interest_ppm: int = 0  # vega
    clamp_low_ppm: int = 0  # vega
    clamp_high_ppm: int = 0  # vega
    scaling_ppm: int = PPM  # vega
    rate_low_ppm: int = -PPM  # vega
    rate_high_ppm: int = PPM  # vega


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """A market at one instant. Not `valid`: no index, or a state in which funding does not accrue.

    Impact prices are 0 where the book has no such side; `thin`: one side cannot bear the impact
    notional.
    """

    ts_ns: int
    index_e6: int
    mark_e6: int
    impact_bid_e6: int = 0
    impact_ask_e6: int = 0
    valid: bool = True
    thin: bool = False


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """What an interval has seen so far. One shape for all models; each fills what its rule needs."""

    start_ns: int
    seen_ns: int = 0  # the last observation, good or not
    good: Sample | None = None  # the last one that counted
    index: Twap  # both only over time in which funding accrues, so their `den` is the active time
    mark: Twap
    slot: int = -1  # the last sampling period that was counted
    samples: int = 0
    thin: int = 0
    total: int = 0  # sum of weighted values
    weight: int = 0
    minute: int = -1  # dydx: the running minute,
    votes: tuple[int, ...] = ()  # and its votes
    recent: tuple[Sample, ...] = ()  # perp_v2: what its moving average still sees
    previous: int | None = None  # bitmex: the premium of the interval before

    @property
    def active_ns(self) -> int:
        return self.index.den


def open_window(start_ns: int) -> Window:
    """Return a market's first window."""
    return Window(start_ns=start_ns, index=Twap(since=start_ns), mark=Twap(since=start_ns))


class FundingResult(msgspec.Struct, frozen=True, kw_only=True):
    """What an interval costs.

    `per_unit_e12` is what longs pay for 1.0 base in 1e-12 USDC; `rate_e12` is that as a share of the
    index, for the whole interval and not for an hour of it.
    """

    model: str
    boundary_ns: int
    per_unit_e12: int
    rate_e12: int
    index_e6: int
    mark_e6: int
    active_s: int
    capped: bool = False
    n_samples: int = 0
    reason: str = ""  # NO_SAMPLES, PAUSED, THIN_BOOK, NO_HISTORY; "" in a usual interval


class FundingModel(Protocol):
    """A preset: pure, integer, and nothing in it but its terms."""

    name: ClassVar[str]
    interval_s: int
    sample_s: int

    def sample(self, window: Window, seen: Sample) -> Window:
        """Return the window with one more observation; late or repeated ones change nothing."""

    def close(self, window: Window, boundary_ns: int, active_s: int | None = None) -> FundingResult:
        """Return what the interval until `boundary_ns` costs; asked again, it says the same."""

    def renew(self, window: Window, boundary_ns: int) -> Window:
        """Return the window of the next interval."""


class Owed(msgspec.Struct, frozen=True):
    """What a model asks for a whole interval, before pauses and the outer rail."""

    per_unit_e12: int
    index_e6: int
    capped: bool = False
    reason: str = ""


NOTHING = Owed(0, 0)


class Preset:
    """What all models share: the running averages, pauses, the outer rail, the report."""

    name: ClassVar[str]
    usual_interval_s: ClassVar[int] = HOUR_S
    usual_sample_s: ClassVar[int] = 60

    def __init__(self, terms: FundingTerms) -> None:
        self.terms = terms
        self.interval_s = terms.interval_s or self.usual_interval_s
        self.sample_s = terms.sample_s or self.usual_sample_s

    def sample(self, window: Window, seen: Sample) -> Window:
        if seen.ts_ns <= window.seen_ns:
            return window
        counts = seen.valid and seen.index_e6 > 0 and seen.mark_e6 > 0
        index, mark = (
            average.observe(seen.ts_ns, price if counts else 0, self.terms.carry_s * NS)
            for average, price in ((window.index, seen.index_e6), (window.mark, seen.mark_e6))
        )
        good = seen if counts else window.good
        window = msgspec.structs.replace(window, seen_ns=seen.ts_ns, good=good, index=index, mark=mark)
        slot = seen.ts_ns // (self.sample_s * NS)
        if not counts or slot == window.slot:
            return window
        window = msgspec.structs.replace(
            window, slot=slot, samples=window.samples + 1, thin=window.thin + seen.thin
        )
        return self.count(window, seen)

    def close(self, window: Window, boundary_ns: int, active_s: int | None = None) -> FundingResult:
        window = self.until(window, boundary_ns)
        if active_s is None:
            active_s = min(window.active_ns // NS, self.interval_s)
        good = window.good
        owed, reason = NOTHING, ""
        if good is None or not window.active_ns:
            reason = "PAUSED" if window.seen_ns else "NO_SAMPLES"
        elif not window.samples:  # what was carried into the interval says nothing about it
            reason = "NO_SAMPLES"
        else:
            owed = self.owed(window, good, boundary_ns)
            reason = owed.reason or ("THIN_BOOK" if 2 * window.thin > window.samples else "")
        per_unit_e12 = for_active(owed.per_unit_e12, active_s, self.interval_s)
        per_unit_e12, railed = self.rail(per_unit_e12, owed.index_e6, active_s)
        return FundingResult(
            model=self.name,
            boundary_ns=boundary_ns,
            per_unit_e12=per_unit_e12,
            rate_e12=div_trunc(per_unit_e12 * E6, owed.index_e6) if owed.index_e6 else 0,
            index_e6=owed.index_e6 or (good.index_e6 if good else 0),
            mark_e6=good.mark_e6 if good else 0,
            active_s=active_s,
            capped=owed.capped or railed,
            n_samples=window.samples,
            reason=reason,
        )

    def renew(self, window: Window, boundary_ns: int) -> Window:
        window = self.until(window, boundary_ns)
        return Window(
            start_ns=boundary_ns,
            seen_ns=window.seen_ns,
            good=window.good,
            index=window.index.renew(boundary_ns),
            mark=window.mark.renew(boundary_ns),
            slot=window.slot,
            recent=window.recent,
        )

    def until(self, window: Window, now_ns: int) -> Window:
        """Return the window with the last observation held until `now_ns`, as far as it may be."""
        most = self.terms.carry_s * NS
        return msgspec.structs.replace(
            window, index=window.index.at(now_ns, most), mark=window.mark.at(now_ns, most)
        )

    def rail(self, per_unit_e12: int, index_e6: int, active_s: int) -> tuple[int, bool]:
        """Bound a payment by the market's own cap, whatever the model says."""
        if not self.terms.cap_ppm_per_hour:
            return per_unit_e12, False
        return bounded(per_unit_e12, index_e6 * self.terms.cap_ppm_per_hour * active_s // HOUR_S)

    def count(self, window: Window, seen: Sample) -> Window:
        """Take one observation of a sampling period into the model's own sums."""
        return window

    def owed(self, window: Window, good: Sample, boundary_ns: int) -> Owed:
        """Say what the whole interval costs; `good` is the last observation that counted."""
        raise NotImplementedError(self.name)


def for_active(value: int, active: int, whole: int) -> int:
    """Return the share of a payment that the active part of an interval owes, toward zero."""
    return div_trunc(value * active, whole)


def bounded(value: int, most: int) -> tuple[int, bool]:
    """Return the value within plus and minus `most`, and whether that changed it."""
    if abs(value) <= most:
        return value, False
    return (most if value > 0 else -most), True


def add(window: Window, value: int, weight: int = 1) -> Window:
    """Return the window with a value in its weighted sum."""
    return msgspec.structs.replace(window, total=window.total + value * weight, weight=window.weight + weight)


def mean(window: Window) -> int:
    """Return the weighted mean of what was counted; 0 of nothing."""
    return div_trunc(window.total, window.weight) if window.weight else 0
