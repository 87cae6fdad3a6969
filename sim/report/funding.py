"""Funding models side by side: what each of them takes when the premium stands still."""

from __future__ import annotations

from typing import NamedTuple

from system.model.units import NS, div_ceil
from system.risk.funding import PRESETS, FundingModel, FundingTerms, Sample, funding_model, open_clock

PREMIUMS_PPM = (100, 1_000, 10_000, 50_000)
TRADE_PREMIUM_PPM = 5_000
TRADE_COST_PPM = 20_000
INDEX_E6 = 60_000_000_000
HOUR_S = 3_600


class FundingRow(NamedTuple):
    """One model: the hourly rate at each of PREMIUMS_PPM, in 1e-12 of the index, and a trade's patience.

    `break_even_h` is how many hours somebody has to hold who takes the other side of a premium of
    0.5 %, gets its convergence too, and pays 2 % of fees for both legs; None where that never pays.
    """

    model: str
    interval_s: int
    hourly_e12: tuple[int, ...]
    break_even_h: int | None


def funding_table(terms: FundingTerms | None = None) -> list[FundingRow]:
    """Play two intervals of every model at each premium; what the second one takes is what lasts."""
    rows = []
    for name in PRESETS:
        model = funding_model(name, terms)
        hourly = tuple(hourly_rate_e12(model, premium) for premium in PREMIUMS_PPM)
        gain = hourly_rate_e12(model, TRADE_PREMIUM_PPM)
        cost = (TRADE_COST_PPM - TRADE_PREMIUM_PPM) * 10**6
        # a rate is rounded down by less than one, which must not cost another hour
        patience = div_ceil(cost, gain + 1) if gain > 0 else None
        rows.append(FundingRow(name, model.interval_s, hourly, patience))
    return rows


def hourly_rate_e12(model: FundingModel, premium_ppm: int) -> int:
    """Return what longs pay in an hour when mark and impact prices stay this far above the index."""
    mark_e6 = INDEX_E6 + INDEX_E6 * premium_ppm // 10**6
    interval_ns, step_ns = model.interval_s * NS, min(model.sample_s, 60) * NS
    clock = open_clock(0)
    for at_ns in range(0, 2 * interval_ns, step_ns):
        here = Sample(
            ts_ns=at_ns or 1,  # an observation has an instant above 0
            index_e6=INDEX_E6,
            mark_e6=mark_e6,
            impact_bid_e6=mark_e6,
            impact_ask_e6=mark_e6,
        )
        clock = clock.observe(model, here)
    _, results = clock.tick(model, 2 * interval_ns)
    return results[-1].rate_e12 * HOUR_S // model.interval_s


def funding_text(rows: list[FundingRow]) -> str:
    """Write the table as aligned lines: percent of the index an hour."""
    heads = [f"{ppm / 10_000:g} %" for ppm in PREMIUMS_PPM]
    lines = [["model", "paid every", *heads, "break even"]]
    for row in rows:
        rates = [f"{rate / 10**10:.6f}" for rate in row.hourly_e12]
        patience = "never" if row.break_even_h is None else f"{row.break_even_h} h"
        lines.append([row.model, f"{row.interval_s // HOUR_S} h", *rates, patience])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    aligned = [
        [f"{cell:>{width}}" if at else f"{cell:<{width}}" for at, (cell, width) in enumerate(pairs)]
        for pairs in (zip(line, widths, strict=True) for line in lines)
    ]
    return "\n".join("  ".join(line) for line in aligned)
