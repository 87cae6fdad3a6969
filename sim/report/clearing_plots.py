"""The clearing houses over time: funding, insurance funds, and what was closed by force, on one axis."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import cycle
from typing import TYPE_CHECKING

from sim.report.clearing import closes_by_minute, funding_path, funds
from sim.report.folder import Run
from sim.report.plots import AMBER, BLUE, GREEN, RED, VIOLET, finished

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

_COLOURS = (BLUE, AMBER, VIOLET, GREEN)
_KINDS = (("LIQUIDATION", "liquidated", AMBER), ("ADL", "deleveraged", RED))
_ROW_HEIGHT = 190


def clearing(run: Run) -> go.Figure | None:
    """Draw what happened of: rate and payments of funding, the funds, forced closes. None: nothing did."""
    from plotly.subplots import make_subplots

    ticks, accounts, closes = funding_path(run), funds(run), closes_by_minute(run)
    symbols = sorted({*ticks["symbol"], *accounts["symbol"]})
    colours = dict(zip(symbols, cycle(_COLOURS), strict=False))
    rows = [
        (title, list(traces))
        for title, traces in (
            ("funding, % of index", _lines(ticks, "rate", "%{y:+.5f} %", colours)),
            ("funding paid, USDC", _lines(ticks, "paid", "%{y:,.2f} USDC paid so far", colours)),
            ("insurance, USDC", _lines(accounts, "insurance", "%{y:,.2f} USDC in the fund", colours)),
            ("bad debt, USDC", _lines(_owing(accounts), "bad_debt", "%{y:,.2f} USDC owed", colours)),
            ("closed, USDC/min", _bars(closes)),
        )
    ]
    rows = [(title, traces) for title, traces in rows if traces]
    if not rows:
        return None
    figure = make_subplots(rows=len(rows), cols=1, shared_xaxes=True, vertical_spacing=0.16 / len(rows))
    seen: set[str] = set()
    for place, (title, traces) in enumerate(rows, start=1):
        for trace in traces:
            trace.update(legendgroup=trace.name, showlegend=trace.name not in seen)
            seen.add(trace.name)
            figure.add_trace(trace, row=place, col=1)
        figure.update_yaxes(title_text=title, row=place, col=1)
    figure.update_layout(barmode="stack")
    return finished(figure, height=100 + _ROW_HEIGHT * len(rows))


def _owing(accounts: pd.DataFrame) -> pd.DataFrame:
    """Keep the markets that ever had bad debt."""
    return accounts[accounts.groupby("symbol")["bad_debt"].transform("max") > 0]


def _lines(path: pd.DataFrame, column: str, hover: str, colours: Mapping[str, str]) -> Iterator[go.Scatter]:
    """Return a line a market, in the order of their names."""
    import plotly.graph_objects as go

    for symbol, mine in path.groupby("symbol", sort=True):
        colour = colours[str(symbol)]
        yield go.Scatter(
            mode="lines+markers" if len(mine) < 60 else "lines",
            x=mine["time"],
            y=mine[column],
            name=str(symbol),
            line={"width": 2, "color": colour, "shape": "hv"},
            marker={"size": 5, "color": colour},
            hovertemplate=f"{symbol} {hover}<extra></extra>",
        )


def _bars(closes: pd.DataFrame) -> Iterator[go.Bar]:
    """Return bars of a minute's forced closes over all markets, deleveraged on top of liquidated."""
    import plotly.graph_objects as go

    for kind, name, colour in _KINDS:
        mine = closes[closes["kind"] == kind]
        if len(mine):
            yield go.Bar(
                x=mine["time"],
                y=mine["worth"],
                name=name,
                width=54_000,
                offset=3_000,
                customdata=mine[["closes"]],
                marker={"color": colour, "opacity": 0.8, "line": {"width": 0}},
                hovertemplate=f"%{{y:,.0f}} USDC {name} in %{{customdata[0]}} closes<extra></extra>",
            )
