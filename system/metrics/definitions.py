"""The metrics by name: what each attribute of a statistics row means, and how rows are added up.

A sum adds up. A gauge is a state at an instant: over a span it has a last, a smallest and a
largest value. Quantiles do neither, so latency is kept as a histogram of counts (histogram.py).
Source: key metrics of the design document, section 5; docs/glossary.md.
"""

from __future__ import annotations

from typing import NamedTuple


class Metric(NamedTuple):
    """One attribute: its unit and what it is."""

    name: str
    unit: str
    about: str


SUMS = (
    Metric("volume", "uUSDC", "notional of trades, counted once"),
    Metric("volume_e8", "1e-8 base", "quantity of trades, counted once; of CXPT-USDC: the CXPT volume"),
    Metric("buy_volume", "uUSDC", "the part of volume whose aggressor bought"),
    Metric("trades", "1", "number of trades"),
    Metric("fees", "uUSDC", "protocol fees of both sides"),
)

OPEN, HIGH, LOW, CLOSE = "open_e6", "high_e6", "low_e6", "close_e6"
PRICES = (
    Metric(OPEN, "uUSDC per base", "price of the first trade; missing without a trade"),
    Metric(HIGH, "uUSDC per base", "highest price of a trade"),
    Metric(LOW, "uUSDC per base", "lowest price of a trade"),
    Metric(CLOSE, "uUSDC per base", "price of the last trade"),
)

DEPTH_BPS = (1, 5, 50, 100, 200)
"""Distances from mid. With 0.5 % fees a side the first two are expected near zero; the seed asks for them."""

OPEN_INTEREST = "oi_e8"
FUNDING_RATE = "funding_rate_e12"
IMPLIED_VOL = "iv_ppm"


def depth_name(side: str, bps: int) -> str:
    """Return the attribute of a depth gauge, side "bid" or "ask".

    >>> depth_name("bid", 5)
    'depth_bid_5bp'
    """
    return f"depth_{side}_{bps}bp"


GAUGES = (
    Metric(OPEN_INTEREST, "1e-8 base", "sum of all long positions; equals that of the short ones"),
    *(
        Metric(depth_name(side, bps), "uUSDC", f"notional resting within {bps} bp of mid on the {side} side")
        for bps in DEPTH_BPS
        for side in ("bid", "ask")
    ),
    Metric(FUNDING_RATE, "1e-12 of the index", "rate of the last funding interval; perpetuals with funding"),
    Metric(IMPLIED_VOL, "1e-6", "implied volatility at the middle of the book; options with both sides"),
)

SUM_NAMES = tuple(metric.name for metric in SUMS)
GAUGE_NAMES = tuple(metric.name for metric in GAUGES)
LIFETIME_GAUGES = tuple(
    name
    for name in GAUGE_NAMES
    if name in (OPEN_INTEREST, FUNDING_RATE, IMPLIED_VOL) or name.endswith(("_1bp", "_5bp"))
)
"""Gauges of which the single all-time row carries each market's last value."""


def of_market(name: str, symbol: str) -> str:
    """Return the attribute of one market in the lifetime row, which all markets share.

    >>> of_market("oi_e8", "BTC-PERP")
    'oi_e8#BTC-PERP'
    """
    return f"{name}#{symbol}"
