"""Figures of a run. Each is a plain Plotly figure, for the page and for notebooks alike.

Colours are chosen to be read on light and dark paper; the paper itself is transparent, and the page
lays its own text and grid colours over them. No WebGL: it needs a permission that the page denies itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sim.report import measures
from sim.report.folder import Run
from sim.report.hops import HOPS

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

BLUE, GREEN, RED, AMBER, VIOLET = "#3b82f6", "#16a37b", "#e5534b", "#d9962b", "#8b6fd6"
GREEN_FADE = [[0, "rgba(22,163,123,0)"], [0.15, "rgba(22,163,123,0.25)"], [1, "rgba(22,163,123,0.95)"]]
RED_FADE = [[0, "rgba(229,83,75,0)"], [0.15, "rgba(229,83,75,0.25)"], [1, "rgba(229,83,75,0.95)"]]
MOST_MARKS = 3_000
"""A browser draws so many trades smoothly; of more, every n-th is shown."""

_SIDES = (("BUY", GREEN, "triangle-up"), ("SELL", RED, "triangle-down"))
_STEP_COLOURS = {"committed": BLUE, "submitted": AMBER, "confirmed": GREEN}


def price(run: Run, symbol: str) -> go.Figure:
    """Draw mid, best prices, trades and the outside price of a market, with spread and volume below."""
    from plotly.subplots import make_subplots

    figure = make_subplots(
        rows=3, cols=1, shared_xaxes=True, row_heights=[0.64, 0.16, 0.2], vertical_spacing=0.035
    )
    quotes = measures.quotes(run, symbol)
    edge = {"width": 1, "color": "rgba(120,130,150,0.55)", "shape": "hv"}
    figure.add_trace(_line("best bid", quotes["time"], quotes["bid"], edge), row=1, col=1)
    between = {"fill": "tonexty", "fillcolor": "rgba(59,130,246,0.07)"}
    figure.add_trace(_line("best ask", quotes["time"], quotes["ask"], edge, **between), row=1, col=1)
    figure.update_traces(showlegend=False)
    for marks in _marks(measures.prints(run, symbol)):
        figure.add_trace(marks, row=1, col=1)
    oracle = measures.oracle(run, _underlying(run, symbol))
    mid, dotted = {"width": 2, "color": BLUE}, {"width": 2, "color": AMBER, "dash": "dot"}
    figure.add_trace(_line("mid", quotes["time"], quotes["mid"], mid), row=1, col=1)
    figure.add_trace(_line("oracle", oracle["time"], oracle["price"], dotted), row=1, col=1)
    thin = {"width": 1.2, "color": VIOLET, "shape": "hv"}
    spread = _line("spread", quotes["time"], quotes["spread_bps"], thin, showlegend=False)
    spread.hovertemplate = "spread %{y:.1f} bps<extra></extra>"
    figure.add_trace(spread, row=2, col=1)
    for bars in _bars(measures.volume_by_minute(run, symbol)):
        figure.add_trace(bars, row=3, col=1)
    figure.update_layout(barmode="stack")
    figure.update_yaxes(title_text="USDC", row=1, col=1)
    figure.update_yaxes(title_text="bps", rangemode="tozero", row=2, col=1)
    figure.update_yaxes(title_text="USDC/min", row=3, col=1)
    return finished(figure, height=620)


def _line(name: str, x: pd.Series, y: pd.Series, line: dict[str, Any], **more: Any) -> go.Scatter:
    """Return a line of prices."""
    import plotly.graph_objects as go

    hover = f"{name} %{{y:,.2f}} USDC<extra></extra>"
    return go.Scatter(mode="lines", x=x, y=y, name=name, line=line, hovertemplate=hover, **more)


def _marks(fills: pd.DataFrame) -> Iterator[go.Scatter]:
    """Return a mark for each trade, by the side that aggressed."""
    import plotly.graph_objects as go

    for side, colour, symbol in _SIDES:
        shown = _thinned(fills[fills["side"] == side], MOST_MARKS // 2)
        yield go.Scatter(
            mode="markers",
            x=shown["time"],
            y=shown["price"],
            name="buyer aggressed" if side == "BUY" else "seller aggressed",
            marker={"color": colour, "symbol": symbol, "size": 6, "opacity": 0.6},
            customdata=shown[["size", "worth"]],
            hovertemplate=f"{side} %{{customdata[0]:.4f}} at %{{y:,.2f}} USDC, "
            "%{customdata[1]:,.2f} USDC<extra></extra>",
        )


def _bars(volume: pd.DataFrame) -> Iterator[go.Bar]:
    """Return bars of a minute's volume, sold on top of bought."""
    import plotly.graph_objects as go

    for side, colour, _ in _SIDES:
        yield go.Bar(
            x=volume["time"],
            y=volume[side.lower()],
            name=side,
            width=54_000,
            offset=3_000,
            marker={"color": colour, "opacity": 0.75, "line": {"width": 0}},
            hovertemplate=f"{side} %{{y:,.0f}} USDC<extra></extra>",
            showlegend=False,
        )


def depth(run: Run, symbol: str) -> go.Figure:
    """Draw what rested at which price over time, with the mid price through it."""
    import plotly.graph_objects as go

    figure = go.Figure()
    cells = measures.resting(run, symbol)
    worth = cells[["bid", "ask"]].stack()
    top = float(worth.quantile(0.98)) if len(worth) else 1.0
    for side, colours in (("bid", GREEN_FADE), ("ask", RED_FADE)):
        grid = cells.pivot(index="price", columns="time", values=side)
        figure.add_trace(
            go.Heatmap(
                x=grid.columns,
                y=grid.index,
                z=grid.to_numpy(),
                name=f"{side}s",
                colorscale=colours,
                zmin=0,
                zmax=top,
                showscale=False,
                hoverongaps=False,
                hovertemplate="%{z:,.0f} USDC rest near %{y:,.0f}<extra>%{x|%H:%M:%S}</extra>",
            )
        )
    quotes = measures.quotes(run, symbol)
    figure.add_trace(_line("mid", quotes["time"], quotes["mid"], {"width": 1.5, "color": BLUE}))
    figure.update_yaxes(title_text="USDC")
    figure.update_layout(hovermode="closest")
    return finished(figure, height=360, legend=False)


def last_book(run: Run, symbol: str) -> go.Figure:
    """Draw the last book: how much a market order could trade down or up to each price."""
    import plotly.graph_objects as go

    figure = go.Figure()
    book = measures.last_book(run, symbol)
    for side, colour, _ in _SIDES:
        way = "down" if side == "BUY" else "up"
        mine = book[book["side"] == side]
        figure.add_trace(
            go.Scatter(
                mode="lines",
                x=mine["price"],
                y=mine["total"],
                name="bids" if side == "BUY" else "asks",
                line={"width": 2, "color": colour, "shape": "hv"},
                fill="tozeroy",
                fillcolor="rgba(22,163,123,0.18)" if side == "BUY" else "rgba(229,83,75,0.18)",
                hovertemplate=f"%{{y:,.0f}} USDC {way} to %{{x:,.2f}}<extra></extra>",
            )
        )
    figure.update_xaxes(title_text="price, USDC")
    figure.update_yaxes(title_text="USDC, adding up", rangemode="tozero")
    figure.update_layout(hovermode="closest")
    return finished(figure, height=360, legend=False)


def latency(run: Run) -> go.Figure:
    """Draw each hop's latency as a histogram over a logarithmic scale, with p50 and p95."""
    import numpy as np
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    hops = [hop for hop in HOPS if hop in run.record.latency_ms]
    columns = max(1, len(hops))
    figure = make_subplots(
        rows=1, cols=columns, subplot_titles=[hop.replace("_", " ") for hop in hops], horizontal_spacing=0.05
    )
    for place, hop in enumerate(hops, start=1):
        taken = measures.latencies_ms(run, hop).to_numpy(dtype="float64")
        taken = taken[taken > 0]
        if not len(taken):
            continue
        edges = np.geomspace(taken.min() * 0.98, taken.max() * 1.02, 41)
        counts, _ = np.histogram(taken, edges)
        figure.add_trace(
            go.Bar(
                x=np.sqrt(edges[:-1] * edges[1:]),
                y=counts,
                width=np.diff(edges),
                customdata=np.stack([edges[:-1], edges[1:]], axis=1),
                marker={"color": BLUE, "opacity": 0.75, "line": {"width": 0}},
                hovertemplate="%{customdata[0]:,.1f} to %{customdata[1]:,.1f} ms: %{y:,}<extra></extra>",
                showlegend=False,
            ),
            row=1,
            col=place,
        )
        for q, colour in ((0.5, GREEN), (0.95, AMBER)):
            at = float(np.quantile(taken, q, method="inverted_cdf"))
            figure.add_vline(x=at, line={"color": colour, "width": 2, "dash": "dot"}, row=1, col=place)
        ticks = _log_ticks(float(edges[0]), float(edges[-1]))
        texts = [f"{tick:g}" if tick < 1_000 else f"{tick / 1_000:g} s" for tick in ticks]
        figure.update_xaxes(type="log", tickvals=ticks, ticktext=texts, tickangle=0, row=1, col=place)
    figure.update_layout(hovermode="closest", bargap=0)
    return finished(figure, height=280)


def settlement(run: Run) -> go.Figure:
    """Draw how many trades were committed, sent and final over time, and below what was on its way."""
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.55, 0.45], vertical_spacing=0.06)
    steps = measures.settlement(run)
    for step, colour in _STEP_COLOURS.items():
        mine = steps[steps["step"] == step]
        line = go.Scatter(
            mode="lines",
            x=mine["time"],
            y=mine["trades"],
            name=step,
            line={"width": 2, "color": colour, "shape": "hv"},
            hovertemplate=f"%{{y:,}} {step}<extra></extra>",
        )
        figure.add_trace(line, row=1, col=1)
    waiting = measures.on_the_way(run)
    area = go.Scatter(
        mode="lines",
        x=waiting["time"],
        y=waiting["trades"],
        name="on the way",
        line={"width": 1.5, "color": VIOLET, "shape": "hv"},
        fill="tozeroy",
        fillcolor="rgba(139,111,214,0.18)",
        hovertemplate="%{y:,} on the way<extra></extra>",
        showlegend=False,
    )
    figure.add_trace(area, row=2, col=1)
    figure.update_yaxes(title_text="trades so far", rangemode="tozero", row=1, col=1)
    figure.update_yaxes(title_text="on the way", rangemode="tozero", row=2, col=1)
    return finished(figure, height=380)


def _thinned(rows: pd.DataFrame, most: int) -> pd.DataFrame:
    """Keep every n-th row, so that at most so many are left."""
    step = -(-len(rows) // most) or 1
    return rows.iloc[::step]


def _log_ticks(low: float, high: float) -> list[float]:
    """Return round numbers between two positive ones, on a logarithmic scale."""
    from math import ceil, floor, log10

    steps = (1, 2, 5) if high / low < 200 else (1,)
    powers = range(floor(log10(low)), ceil(log10(high)) + 1)
    return [step * 10.0**power for power in powers for step in steps if low <= step * 10.0**power <= high]


def _underlying(run: Run, symbol: str) -> str:
    markets = run.markets()
    return str(markets.loc[markets["symbol"] == symbol, "underlying"].iloc[0])


def finished(figure: go.Figure, *, height: int, legend: bool = True) -> go.Figure:
    """Lay the common look over a figure."""
    layout: dict[str, Any] = {
        "template": "none",
        "height": height,
        "margin": {"l": 70, "r": 16, "t": 34, "b": 40},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "showlegend": legend,
        "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": "rgba(128,138,155,0.6)", "activecolor": BLUE},
        "legend": {"orientation": "h", "x": 0, "y": 1.0, "yanchor": "bottom"},
        "font": {"family": "system-ui, sans-serif", "size": 12},
    }
    if figure.layout.hovermode is None:
        layout["hovermode"] = "x unified"
    figure.update_layout(**layout)
    figure.update_xaxes(showgrid=False, zeroline=False, automargin=True)
    figure.update_yaxes(zeroline=False, automargin=True)
    return figure
